"""Connections tried and given up half open, against the kernel's own sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import pytest

from checkers.lean import knock
from checkers.lean.knock import Knocks
from checkers.lean.reactor import Reactor
from checkers.probes.failures import Stuck
from tests.unit.checkers import servers


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may leave its side of a connection to a thread that has to wait for a processor."""
    monkeypatch.setattr(knock, "PATIENCE_SECONDS", 0.3)


class Visitor:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[str, object]] = asyncio.Queue()

    def connected(self, _now: float, latency: float) -> None:
        self.told.put_nowait(("connected", latency))

    def refused(self, error: OSError | Stuck, _now: float, _latency: float) -> None:
        self.told.put_nowait(("refused", error))

    def unanswered(self, sock: socket.SocketType, began_at: float, now: float) -> None:
        sock.close()
        self.told.put_nowait(("unanswered", now - began_at))

    def broken(self, error: Exception, _now: float) -> None:
        self.told.put_nowait(("broken", error))

    async def word(self) -> tuple[str, object]:
        async with asyncio.timeout(5):
            return await self.told.get()


@contextlib.contextmanager
def knocks() -> Iterator[tuple[Knocks, Reactor]]:
    reactor = Reactor()
    found = Knocks(reactor, asyncio.get_running_loop().call_later)
    yield found, reactor
    found.close()
    reactor.close()


@contextlib.contextmanager
def listening(family: int = socket.AF_INET, backlog: int = 8) -> Iterator[tuple[socket.socket, tuple[object, ...]]]:
    """A server that takes nobody's connection by itself."""
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        sock.listen(backlog)
        sock.setblocking(False)
        yield sock, sock.getsockname()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_the_daemon_never_hears_of_it(family: int) -> None:
    with listening(family) as (server, address), knocks() as (tried, reactor):
        visitors = [Visitor() for _ in range(20)]
        for visitor in visitors:
            tried.knock(visitor, (family, address), reactor.now())
        words = [await visitor.word() for visitor in visitors]
        assert {word for word, _ in words} == {"connected"}
        assert all(isinstance(latency, float) and 0 < latency < 1 for _, latency in words)
        with pytest.raises(BlockingIOError):
            server.accept()


async def test_a_closed_port_refuses() -> None:
    with knocks() as (tried, reactor):
        visitor = Visitor()
        tried.knock(visitor, (socket.AF_INET, ("127.0.0.1", servers.closed_port())), reactor.now())
        word, error = await visitor.word()
    assert word == "refused"
    assert isinstance(error, OSError)
    assert error.errno == errno.ECONNREFUSED


async def test_no_route_of_our_own_is_told_at_once() -> None:
    with knocks() as (tried, reactor):
        visitor = Visitor()
        tried.knock(visitor, (socket.AF_INET, ("255.255.255.255", 80)), reactor.now())
        word, error = visitor.told.get_nowait()
    assert word == "refused"
    assert isinstance(error, Stuck | OSError)


async def test_who_does_not_answer_keeps_the_rest_waiting_for_a_moment_only() -> None:
    with (
        listening(backlog=0) as (_, full),
        listening() as (_, free),
        knocks() as (tried, reactor),
        contextlib.ExitStack() as fill,
    ):
        for _ in range(2):
            taken = fill.enter_context(socket.socket())
            taken.setblocking(False)
            taken.connect_ex(full)
        slow, quick = Visitor(), Visitor()
        tried.knock(slow, (socket.AF_INET, full), reactor.now())
        tried.knock(quick, (socket.AF_INET, free), reactor.now())
        word, waited = await slow.word()
        assert word == "unanswered"
        assert isinstance(waited, float)
        assert waited >= knock.PATIENCE_SECONDS
        assert (await quick.word())[0] == "connected"


async def test_a_fault_in_one_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as (_, address), knocks() as (tried, reactor):
        first, second = Visitor(), Visitor()
        monkeypatch.setattr(first, "connected", lambda *_: 1 / 0)
        tried.knock(first, (socket.AF_INET, address), reactor.now())
        tried.knock(second, (socket.AF_INET, address), reactor.now())
        assert (await first.word())[0] == "broken"
        assert (await second.word())[0] == "connected"


async def test_what_is_closed_tells_nobody() -> None:
    with listening() as (_, address), knocks() as (tried, reactor):
        visitor = Visitor()
        tried.knock(visitor, (socket.AF_INET, address), reactor.now())
        tried.close()
        later = Visitor()
        tried.knock(later, (socket.AF_INET, address), reactor.now())
        assert (await later.word())[0] == "connected"  # looked at after all that was begun before
        assert visitor.told.empty()
