"""Routes that are followed: read once, again when one may have changed, and when something was lost."""

from __future__ import annotations

import errno
import struct
from collections import deque

import pytest

from netlink import route_watch
from netlink.errors import NetlinkError
from netlink.interfaces import Address, AddressAdded, AddressRemoved, Link, LinkChanged, Overrun, RouteEvent
from netlink.route_watch import RouteWatch
from netlink.routes import Destination, Hop, Route
from netlink.wire import frame
from tests.unit.netlink.test_routes import GONE, NEW, route_message

LAN = Destination("198.51.100.0/24")
VIA = ("RTA_OIF", 3), ("RTA_GATEWAY", "192.0.2.9"), ("RTA_PREFSRC", "192.0.2.1")
HELD = Route(LAN, (Hop(3, "192.0.2.9", usable=True),), "192.0.2.1")
DONE, KERNEL = 3, (0, 0)
ETH = Link(3, "eth1", bytes(6), 1500, up=True, running=True)


class Line:
    """The kernel, for both sockets: what it says of itself, and the table that it dumps."""

    def __init__(self) -> None:
        self.news: deque[bytes | OSError] = deque()
        self.table: list[bytes] = []
        self.options: list[tuple[int, int]] = []
        self.dumps = 0
        self._answers: deque[bytes] = deque()
        self.broken = False

    def setblocking(self, _: bool) -> None: ...

    def fileno(self) -> int:
        return 99

    def close(self) -> None: ...

    def setsockopt(self, _: int, option: int, value: int | bytes) -> None:
        if isinstance(value, int):
            self.options.append((option, value))

    def send(self, data: bytes) -> int:
        (sequence,) = struct.unpack_from("=I", data, 8)
        self.dumps += 1
        code = -errno.EPERM if self.broken else 0
        done = frame(DONE, 0, sequence, struct.pack("=i", code))
        self._answers.append(b"".join(frame(NEW, 0, sequence, body) for body in self.table) + done)
        return len(data)

    def recvmsg(self, _: int) -> tuple[bytes, list[object], int, tuple[int, int]]:
        if self._answers:
            return self._answers.popleft(), [], 0, KERNEL
        if not self.news:
            raise BlockingIOError
        news = self.news.popleft()
        if isinstance(news, OSError):
            raise news
        return news, [], 0, KERNEL


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    one = Line()
    monkeypatch.setattr(route_watch, "open_line", lambda *_, **__: one)
    return one


def following(line: Line) -> RouteWatch:
    line.table = [route_message(LAN.prefix, *VIA)]
    watch = RouteWatch()
    watch.follow({LAN})
    assert watch.routes() == (HELD,)
    line.dumps = 0
    return watch


def test_nothing_wanted_costs_nothing(line: Line) -> None:
    watch = RouteWatch()
    watch.follow(())
    assert (watch.routes(), line.dumps, line.options) == ((), 0, [])


def test_groups_are_joined_and_left(line: Line) -> None:
    watch = following(line)
    assert sorted(line.options) == [(1, 7), (1, 32), (12, 1)]
    line.options.clear()
    watch.follow({Destination("2001:db8::/32")})
    assert sorted(line.options) == [(1, 11), (2, 7)]
    line.options.clear()
    watch.follow(())
    assert sorted(line.options) == [(2, 11), (2, 32)]
    assert watch.routes() == ()


@pytest.mark.parametrize(
    ("news", "anew"),
    [
        (frame(GONE, 0, 0, route_message(LAN.prefix, *VIA)), True),
        (frame(GONE, 0, 0, route_message("198.51.100.0/25", *VIA)), False),
        (b"garbled", True),
        (OSError(errno.ENOBUFS, "lost"), True),
    ],
)
def test_the_table_is_read_anew_when_something_may_have_changed(line: Line, news: bytes | OSError, anew: bool) -> None:
    watch = following(line)
    line.news.append(news)
    line.table = []
    assert watch.read() is anew
    assert watch.routes() == (() if anew else (HELD,))
    assert (line.dumps, watch.unread) == (int(anew), False)


@pytest.mark.parametrize(
    ("event", "anew"),
    [
        (LinkChanged(ETH), True),
        (LinkChanged(Link(4, "eth2", bytes(6), 1500, up=False, running=False)), False),
        (AddressRemoved(Address(3, "192.0.2.1", 24)), True),
        (AddressRemoved(Address(3, "192.0.2.2", 24)), False),
        (AddressAdded(Address(3, "192.0.2.1", 24)), False),
        (Overrun(), True),
    ],
)
def test_what_takes_a_route_along_unsaid(line: Line, event: RouteEvent, anew: bool) -> None:
    watch = following(line)
    watch.shake((event,))
    assert watch.unread is anew
    watch.routes()
    assert line.dumps == int(anew)


def test_a_reading_that_fails_is_tried_again(line: Line) -> None:
    watch = following(line)
    watch.shake((Overrun(),))
    line.broken = True
    with pytest.raises(NetlinkError):
        watch.routes()
    assert watch.unread
    line.broken = False
    assert watch.routes() == (HELD,)


def test_another_error_of_the_socket_is_told(line: Line) -> None:
    watch = following(line)
    line.news.append(OSError(errno.EBADF, "closed"))
    with pytest.raises(NetlinkError):
        watch.read()
