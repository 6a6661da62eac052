"""ICMP echo: over a socket of the test's own making, and over the kernel's where the machine gives one."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes import echo
from checkers.probes.dialling import Ancillary
from checkers.probes.echo import Echoes
from checkers.runtime import icmp
from config.checks import PingCheck
from tests.unit.checkers.servers import find

V4, V6 = "192.0.2.1", "2001:db8::1"
Manner = Callable[[bytes, tuple[object, ...]], list[tuple[bytes, tuple[object, ...]]]]


class Wire:
    """Stands in for a ping socket: what is sent is answered in a manner. Readable while answers wait."""

    def __init__(self, family: int, manner: Manner) -> None:
        self.family = family
        self.sent: list[bytes] = []
        self.told: list[list[Ancillary]] = []
        self._manner = manner
        self._answers: list[tuple[bytes, tuple[object, ...]]] = []
        self._bell, self._button = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._bell.setblocking(False)

    def fileno(self) -> int:
        return self._bell.fileno()

    def sendmsg(
        self, parts: tuple[bytes], ancillary: list[Ancillary], _flags: int, address: tuple[object, ...]
    ) -> None:
        [request] = parts
        self.sent.append(request)
        self.told.append(ancillary)
        for answer in self._manner(request, address):
            self._answers.append(answer)
            self._button.send(b"!")

    def recvfrom(self, _: int) -> tuple[bytes, tuple[object, ...]]:
        self._bell.recv(1)
        return self._answers.pop(0)

    def close(self) -> None:
        self._bell.close()
        self._button.close()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Wire]]:
    made: list[Wire] = []

    def make(manner: Manner, family: int = socket.AF_INET) -> Wire:
        made.append(Wire(family, manner))
        monkeypatch.setattr(echo, "_shared", {family: Echoes(made[-1])})  # type: ignore[arg-type] # it stands in
        return made[-1]

    yield make
    for one in made:
        one.close()


def replied(request: bytes, kind: int = 0) -> bytes:
    return bytes((kind,)) + request[1:]


def good(request: bytes, address: tuple[object, ...]) -> list[tuple[bytes, tuple[object, ...]]]:
    return [(replied(request, 129 if request[0] == 128 else 0), address)]


async def pinged(check: PingCheck | None = None, timeout: float = 5.0, address: str = V4) -> Outcome:
    return (await find(check or PingCheck(), 0, timeout, address)).outcome


async def test_a_host_that_answers(wire: Callable[..., Wire]) -> None:
    sent = wire(good).sent
    assert await pinged() == Healthy("answered")
    [request] = sent
    assert (request[:2], len(request)) == (b"\x08\0", 64)
    assert request[6:8] == b"\0\x01"  # the sequence number


async def test_nobody_listens_once_all_probes_are_over(wire: Callable[..., Wire]) -> None:
    """The socket outlives event loops and its probes."""
    shared = wire(good)
    await pinged()
    assert not asyncio.get_running_loop().remove_reader(shared)


async def test_a_host_that_answers_over_ipv6(wire: Callable[..., Wire]) -> None:
    sent = wire(good, socket.AF_INET6).sent
    assert await pinged(address=V6) == Healthy("answered")
    assert sent[0][:2] == b"\x80\0"


async def test_silence_is_told_at_the_timeout_after_all_requests(wire: Callable[..., Wire]) -> None:
    sent = wire(lambda *_: []).sent
    assert await pinged(PingCheck(3), 0.3) == Unhealthy(Reason.REPLY_TIMEOUT, "no answer")
    assert [request[6:8] for request in sent] == [b"\0\x01", b"\0\x02", b"\0\x03"]


async def test_a_later_request_is_answered(wire: Callable[..., Wire]) -> None:
    wire(lambda request, address: good(request, address) if request[7] == 2 else [])
    assert await pinged(PingCheck(2), 0.4) == Healthy("answered after 2 requests")


async def test_each_probe_has_its_own_token(wire: Callable[..., Wire]) -> None:
    sent = wire(good).sent
    await pinged()
    await pinged()
    assert sent[0][8:24] != sent[1][8:24]


STRANGE: list[Manner] = [
    lambda request, _: [(replied(request), ("192.0.2.2", 0))],
    lambda request, address: [(replied(request)[:8] + bytes(16) + request[24:], address)],
    lambda request, address: [(request, address)],  # a request comes back
    lambda request, address: [(replied(request, 3), address)],  # destination unreachable
    lambda request, address: [(replied(request)[:1] + b"\x01" + request[2:], address)],
    lambda request, address: [(replied(request)[:23], address)],
    lambda _, address: [(b"", address)],
]


@pytest.mark.parametrize("manner", STRANGE)
async def test_what_is_no_reply_of_that_host_does_not_count(wire: Callable[..., Wire], manner: Manner) -> None:
    wire(manner)
    assert await pinged(timeout=0.2) == Unhealthy(Reason.REPLY_TIMEOUT, "no answer")


async def test_a_link_local_host_answers_from_its_own_link(wire: Callable[..., Wire]) -> None:
    def from_scope(scope: int) -> Manner:
        return lambda request, _: [(replied(request, 129), ("fe80::1%lo", 0, 0, scope))]

    wire(from_scope(1), socket.AF_INET6)
    assert await pinged(address="fe80::1%lo") == Healthy("answered")
    wire(from_scope(2), socket.AF_INET6)
    assert await pinged(address="fe80::1%lo", timeout=0.2) == Unhealthy(Reason.REPLY_TIMEOUT, "no answer")


async def test_without_a_socket_nobody_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(echo, "_shared", {})
    monkeypatch.setattr(echo, "ping_socket", refuse)
    assert await pinged() == Inconclusive("no ICMP socket: Permission denied (see net.ipv4.ping_group_range)")


@pytest.mark.parametrize("number", [101, 1])  # ENETUNREACH: we have no route; EPERM: our own packet filter
async def test_what_this_machine_refuses_is_nobodys_fault(wire: Callable[..., Wire], number: int) -> None:
    def refuse(*_: object) -> list[tuple[bytes, tuple[object, ...]]]:
        raise OSError(number, os.strerror(number))

    wire(refuse)
    assert await pinged() == Inconclusive(f"cannot send: {os.strerror(number)}")


async def test_no_way_to_the_host(wire: Callable[..., Wire]) -> None:
    def refuse(*_: object) -> list[tuple[bytes, tuple[object, ...]]]:
        raise OSError(112, "Host is down")

    wire(refuse)
    assert await pinged() == Unhealthy(Reason.UNREACHABLE, "Host is down")


@pytest.fixture
def real_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, socket.socket]]:
    opened = icmp.open_ping_sockets()
    if len(opened) != 2:
        pytest.skip("this machine gives no ping sockets")
    monkeypatch.setattr(echo, "_shared", {})
    echo.share(opened)
    yield opened
    for sock in opened.values():
        sock.close()


@pytest.mark.usefixtures("real_sockets")
@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1"])
async def test_this_machine_answers_itself(address: str) -> None:
    assert await pinged(address=address) == Healthy("answered")
    assert await pinged(address=address) == Healthy("answered")  # another event loop's turn, the same socket


@pytest.mark.usefixtures("real_sockets")
async def test_an_unreachable_address_of_this_machine() -> None:
    found = await pinged(address="255.255.255.255", timeout=0.2)
    assert isinstance(found, Inconclusive)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root borrows a group")


@as_root
@pytest.mark.parametrize("before", ["1\t0\n", "1000\t2000\n", "0\t2147483647\n"])
def test_the_range_and_the_group_are_as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: str) -> None:
    seen: list[tuple[str, int]] = []

    def opened(_: int) -> socket.socket:
        seen.append((setting.read_text(), os.getegid()))
        raise PermissionError(13, "Permission denied")

    setting = tmp_path / "ping_group_range"
    setting.write_text(before)
    monkeypatch.setattr(icmp, "RANGE", setting)
    monkeypatch.setattr(icmp, "ping_socket", opened)
    assert icmp.open_ping_sockets() == {}
    assert (setting.read_text(), os.getegid()) == (before, 0)
    assert len(seen) == 2 * icmp.TRIES
    for written, group in seen:
        least, most = map(int, written.split())
        assert least <= group <= most


@as_root
def test_a_range_that_cannot_be_read_or_set_gives_no_sockets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(icmp, "RANGE", tmp_path / "none")
    assert icmp.open_ping_sockets() == {}
