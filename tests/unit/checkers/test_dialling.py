"""How packets leave: the source address, the mark, the PROXY protocol's header before everything else."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Sized

import pytest

from checkers.core.messages import AssignedCheck, Target
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Unhealthy
from checkers.lean.way import lean
from checkers.probes import dialling, echo
from checkers.probes.dialling import ancillary, settle
from checkers.probes.echo import Echoes
from checkers.probes.failures import Stuck
from checkers.probes.proxy_header import LOCAL, header
from config.checks import (
    AgentCheck,
    AnyCheck,
    Dial,
    HttpCheck,
    ImapCheck,
    NtpCheck,
    PingCheck,
    PopCheck,
    SimpleTcpCheck,
    TcpCheck,
    Timing,
    Tls,
    TlsMode,
)
from tests.unit.checkers import servers
from tests.unit.checkers.test_ntp_probe import reply
from tests.unit.checkers.test_ping_probe import Wire, good

ELSEWHERE = "127.0.0.77"
NOT_OURS = "192.0.2.1"
NO_MARK = "cannot mark packets: CAP_NET_RAW is missing (CAP_NET_ADMIN before Linux 5.17)"
CHECKS: dict[str, tuple[AnyCheck, bytes]] = {
    "tcp": (TcpCheck(), b""),
    "http": (HttpCheck(), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "pop": (PopCheck(), b"+OK\r\n"),
    "imap": (ImapCheck(), b"* OK hello\r\n"),
    "text": (SimpleTcpCheck(b"hello"), b"hello"),
    "agent": (AgentCheck(), b"up\n"),
}


class Listener:
    """A server that keeps who came and what was said first."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.peers: list[tuple[str, int]] = []
        self.first = bytearray()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer.get_extra_info("peername")[:2])
        writer.write(self.answer)
        while piece := await reader.read(65536):
            self.first += piece


async def until(something: Sized) -> None:
    async with asyncio.timeout(5):
        while not something:
            await asyncio.sleep(0)


async def found(check: AnyCheck, port: int, dial: Dial, address: str = servers.HOST) -> Outcome:
    return (await servers.find(check, port, 2.0, address, dial=dial)).outcome


@pytest.mark.parametrize("name", CHECKS)
async def test_a_connection_comes_from_the_source(name: str) -> None:
    check, answer = CHECKS[name]
    listener = Listener(answer)
    async with servers.serving(listener) as port:
        assert isinstance(await found(check, port, Dial(source=ELSEWHERE)), Healthy)
        await until(listener.peers)
    assert [host for host, _ in listener.peers] == [ELSEWHERE]


async def test_a_datagram_comes_from_the_source() -> None:
    sources: list[object] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((servers.HOST, 0))
        sock.setblocking(False)

        def received() -> None:
            question, source = sock.recvfrom(2048)
            sources.append(source[0])
            sock.sendto(reply(question), source)

        asyncio.get_running_loop().add_reader(sock, received)
        assert isinstance(await found(NtpCheck(), sock.getsockname()[1], Dial(source=ELSEWHERE)), Healthy)
        asyncio.get_running_loop().remove_reader(sock)
    assert sources == [ELSEWHERE]


@pytest.mark.parametrize(("family", "source"), [(socket.AF_INET, ELSEWHERE), (socket.AF_INET6, "::1")])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_no_port_is_taken_before_the_peer_is_known(family: int, source: str, kind: int) -> None:
    with socket.socket(family, kind) as sock:
        settle(sock, Dial(source=source))
        assert sock.getsockname()[:2] == (source, 0)


@pytest.mark.parametrize("check", [TcpCheck(), NtpCheck()])
async def test_a_source_that_is_not_ours_is_nobodys_fault(check: AnyCheck) -> None:
    wanted = Inconclusive(f"cannot leave from {NOT_OURS}: Cannot assign requested address")
    assert await found(check, 80, Dial(source=NOT_OURS)) == wanted


@pytest.mark.parametrize("source", ["::1", "nonsense", "127.0.0.1 "])
@pytest.mark.parametrize("check", [TcpCheck(), NtpCheck()])
async def test_a_source_of_another_family_is_nobodys_fault(check: AnyCheck, source: str) -> None:
    assert await found(check, 80, Dial(source=source)) == Inconclusive(
        f"the source is no IPv4 address: {source}".strip()
    )


@pytest.mark.parametrize("check", [TcpCheck(), NtpCheck()])
async def test_who_may_not_mark_says_so(check: AnyCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(dialling, "_set_mark", forbidden)
    assert await found(check, 80, Dial(mark=7)) == Inconclusive(NO_MARK)


@pytest.mark.skipif(os.geteuid() != 0, reason="marks are root's")
async def test_a_marked_connection_is_made() -> None:
    listener = Listener(b"")
    async with servers.serving(listener) as port:
        assert isinstance(await found(TcpCheck(), port, Dial(mark=0xFFFFFFFF)), Healthy)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", CHECKS)
async def test_the_header_comes_first(name: str, version: int) -> None:
    check, answer = CHECKS[name]
    listener = Listener(answer)
    async with servers.serving(listener) as port:
        assert isinstance(await found(check, port, Dial(proxy_protocol=version)), Healthy)
        await until(listener.peers)
        [(host, own)] = listener.peers
        await until(listener.first)
    wanted = LOCAL if version == 2 else f"PROXY TCP4 {host} {servers.HOST} {own} {port}\r\n".encode()
    assert listener.first.startswith(wanted)
    assert listener.first.count(b"PROXY") + listener.first.count(b"QUIT\n") == 1


async def test_the_header_comes_before_tls() -> None:
    """A server that takes the header off the wire, then speaks TLS."""
    context = servers.server_context()

    def behind(listening: socket.socket) -> bytes:
        sock, _ = listening.accept()
        with sock:
            took = sock.recv(len(LOCAL), socket.MSG_WAITALL)
            with contextlib.suppress(ssl.SSLError, OSError), context.wrap_socket(sock, server_side=True) as secured:
                secured.send(b"+OK ready\r\n")
                secured.recv(64)
        return took

    with socket.create_server((servers.HOST, 0)) as listening:
        listening.settimeout(5)
        serving = asyncio.get_running_loop().run_in_executor(None, behind, listening)
        check = PopCheck(TlsMode.IMPLICIT, Tls())
        assert await found(check, listening.getsockname()[1], Dial(proxy_protocol=2)) == Healthy("ready")
        assert await serving == LOCAL


async def test_a_server_that_wants_the_header_is_unwell_without_it() -> None:
    async def strict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.readline()).startswith(b"PROXY TCP4 "):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with servers.serving(strict) as port:
        assert isinstance(await found(HttpCheck(), port, Dial(proxy_protocol=1)), Healthy)
        assert isinstance(await found(HttpCheck(), port, Dial()), Unhealthy)


def test_the_headers_are_as_the_specification_says() -> None:
    assert header(1, ("192.0.2.1", 56324), ("192.0.2.11", 443)) == b"PROXY TCP4 192.0.2.1 192.0.2.11 56324 443\r\n"
    assert header(1, ("2001:db8::1", 1), ("::1", 65535)) == b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"
    assert header(2, ("192.0.2.1", 1), ("192.0.2.11", 2)) == bytes.fromhex("0d0a0d0a000d0a515549540a20000000")


@pytest.mark.parametrize("dial", [Dial(source=ELSEWHERE), Dial(mark=1), Dial(proxy_protocol=1)])
def test_only_plain_dials_go_the_lean_way(dial: Dial) -> None:
    assert lean(AssignedCheck("a", Target(servers.HOST, 1), TcpCheck(), Timing()))
    assert not lean(AssignedCheck("a", Target(servers.HOST, 1), TcpCheck(), Timing(), dial=dial))


async def test_an_echo_request_is_told_its_source_and_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(socket.AF_INET, good)
    monkeypatch.setattr(echo, "_shared", {socket.AF_INET: Echoes(wire)})  # type: ignore[arg-type] # it stands in
    try:
        assert isinstance(await found(PingCheck(), 0, Dial("192.0.2.7", 9), "192.0.2.1"), Healthy)
        assert isinstance(await found(PingCheck(), 0, Dial(), "192.0.2.1"), Healthy)
    finally:
        wire.close()
    told = (socket.SOL_SOCKET, socket.SO_MARK, (9).to_bytes(4, "little"))
    source = (socket.IPPROTO_IP, 8, bytes(4) + bytes((192, 0, 2, 7)) + bytes(4))
    assert wire.told == [[told, source], []]


def test_the_source_of_an_ipv6_message() -> None:
    [(level, kind, data)] = ancillary(socket.AF_INET6, Dial("2001:db8::7"))
    assert (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)
    assert data == socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(4)
    with pytest.raises(Stuck):
        ancillary(socket.AF_INET6, Dial("192.0.2.7"))


async def test_echo_requests_nobody_may_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidding(Wire):
        def sendmsg(self, *_: object) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    wire = Forbidding(socket.AF_INET, good)
    monkeypatch.setattr(echo, "_shared", {socket.AF_INET: Echoes(wire)})  # type: ignore[arg-type] # it stands in
    try:
        assert await found(PingCheck(), 0, Dial(mark=9), "192.0.2.1") == Inconclusive(NO_MARK)
        unmarked = await found(PingCheck(), 0, Dial(), "192.0.2.1")
        assert unmarked == Inconclusive("cannot send: Operation not permitted")
    finally:
        wire.close()
