"""The two checks that read nothing, and the errors of connecting."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes.failures import Stage, outcome_of
from checkers.probes.session import CappedSocket
from config.checks import NoCheck, TcpCheck
from tests.unit.checkers import servers
from tests.unit.checkers.servers import find, outcome, serving
from tests.unit.syn.network import NEEDS_ROOT, apart, filtered


async def test_an_open_port_is_healthy_and_left_without_a_reset() -> None:
    ends: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        ends.append(await reader.read())  # a reset would raise

    async with serving(handler) as port:
        assert await outcome(TcpCheck(), port) == Healthy("connected")
        async with asyncio.timeout(5):
            while not ends:
                await asyncio.sleep(0)
    assert ends == [b""]


async def test_nothing_listens_at_none() -> None:
    assert await outcome(NoCheck(), 0) == Healthy("not checked")


async def test_a_full_backlog_is_a_connect_timeout() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        found = await outcome(TcpCheck(), port, 0.2)
        for filler in fillers:
            filler.close()
    assert found == Unhealthy(Reason.CONNECT_TIMEOUT, "no answer to the connection attempt")


@NEEDS_ROOT
@pytest.mark.parametrize("lean", [True, False], ids=["lean", "deep"])
@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        ("10.77.0.1", "icmp type admin-prohibited", "No route to host"),
        ("10.77.0.1", "icmp type host-unreachable", "No route to host"),
        ("fd77::1", "icmpv6 type admin-prohibited", "Permission denied"),
        ("fd77::1", "icmpv6 type no-route", "Network is unreachable"),
    ],
)
def test_what_a_router_says_is_the_reason(
    monkeypatch: pytest.MonkeyPatch, lean: bool, address: str, kind: str, words: str
) -> None:
    """Over IPv6 the kernel goes on trying, and keeps what it was told to itself."""
    monkeypatch.setattr(servers, "LEAN", lean)

    async def work() -> Outcome:
        return (await servers.find(TcpCheck(), 9, 0.3, address)).outcome

    family = "ipv6" if ":" in address else "ipv4"
    found = apart(work, *filtered(f"meta nfproto {family} tcp dport 9 reject with {kind}"))
    assert found == Unhealthy(Reason.UNREACHABLE, words)


async def test_without_a_descriptor_nobody_is_blamed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        found = await outcome(TcpCheck(), 80)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found == Inconclusive("cannot connect: Too many open files")


async def test_a_connect_refused_by_our_own_machine_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CappedSocket, "connect_ex", lambda *_: errno.ENETUNREACH)
    assert (await find(TcpCheck(), 80)).outcome == Inconclusive("cannot connect: Network is unreachable")


@pytest.mark.parametrize(
    ("number", "stage", "expected"),
    [
        (errno.ECONNREFUSED, Stage.CONNECTING, Reason.REFUSED),
        (errno.EHOSTUNREACH, Stage.CONNECTING, Reason.UNREACHABLE),
        (errno.ENETUNREACH, Stage.CONNECTING, Reason.UNREACHABLE),
        (errno.EADDRNOTAVAIL, Stage.CONNECTING, None),
        (errno.EPERM, Stage.CONNECTING, None),
        (errno.ENOMEM, Stage.CONNECTING, None),
        (errno.ECONNRESET, Stage.TALKING, Reason.CLOSED),
        (errno.EPIPE, Stage.TALKING, Reason.CLOSED),
        (errno.EHOSTUNREACH, Stage.TALKING, Reason.UNREACHABLE),
    ],
)
def test_errors_of_the_system_are_the_servers_or_ours(number: int, stage: Stage, expected: Reason | None) -> None:
    found: Outcome = outcome_of(OSError(number, os.strerror(number)), stage)
    if expected is None:
        assert isinstance(found, Inconclusive)
    else:
        assert found == Unhealthy(expected, os.strerror(number))
