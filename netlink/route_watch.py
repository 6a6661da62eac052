"""The routes to a few destinations, as they are now: read once, then followed by the kernel's notifications.

Of some changes the kernel says nothing: IPv4 routes go with their interface or with the address they prefer. What is
heard of links and addresses is therefore to be told to `shake`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket
import struct
from collections.abc import Iterable

from netlink import routes
from netlink.errors import NetlinkError
from netlink.family import Family
from netlink.interfaces import AddressRemoved, LinkChanged, Overrun, RouteEvent
from netlink.kernel_socket import RECEIVE_TIMEOUT_SECONDS, KernelSocket, failure, open_line
from netlink.routes import Destination, Route
from netlink.wire import DATAGRAM_LIMIT, messages

READ_LIMIT = 64  # datagrams of one reading; what is left makes the socket readable again

_NETLINK_ROUTE = 0
_KERNEL_PORT = 0
_SOL_NETLINK = 270
_ADD_MEMBERSHIP, _DROP_MEMBERSHIP, _STRICT_CHECK = 1, 2, 12
_ATTACH_FILTER = 26
_ROUTE_GROUPS = {Family.INET: routes.IPV4_ROUTE_GROUP, Family.INET6: routes.IPV6_ROUTE_GROUP}


class RouteWatch:
    """Hears nothing, and costs nothing, while nothing is wanted. Never blocks, but to read a table anew."""

    def __init__(self) -> None:
        """Raises NetlinkError."""
        self._line = open_line(_NETLINK_ROUTE, timeout_seconds=RECEIVE_TIMEOUT_SECONDS)
        self._line.setblocking(False)
        self._wanted: frozenset[Destination] = frozenset()
        self._groups: frozenset[int] = frozenset()
        self._held: tuple[Route, ...] = ()
        self._stale = False

    @property
    def unread(self) -> bool:
        """Whether the tables are to be read anew."""
        return self._stale and bool(self._wanted)

    def fileno(self) -> int:
        """For the poll: readable when something was heard."""
        return self._line.fileno()

    def close(self) -> None:
        """Hear no more."""
        self._line.close()

    def follow(self, wanted: Iterable[Destination]) -> None:
        """From now on these, and no others. Raises NetlinkError."""
        asked = frozenset(wanted)
        if asked == self._wanted:
            return
        self._wanted, self._held, self._stale = asked, (), True
        groups = {_ROUTE_GROUPS[one.family] for one in asked} | ({routes.NEXTHOP_GROUP} if asked else set())
        try:
            self._listen(groups)
        except OSError as error:
            raise failure("routes cannot be followed", error.errno or 0) from error

    def _listen(self, groups: Iterable[int]) -> None:
        program = routes.interest(self._wanted)
        buffer = ctypes.create_string_buffer(program, len(program))
        length = len(program) // struct.calcsize("HBBI")
        self._line.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", length, ctypes.addressof(buffer)))
        fresh = frozenset(groups)
        for group in self._groups - fresh:
            self._line.setsockopt(_SOL_NETLINK, _DROP_MEMBERSHIP, group)
        for group in fresh - self._groups:
            with contextlib.suppress(OSError) if group == routes.NEXTHOP_GROUP else contextlib.nullcontext():
                self._line.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)  # next hops: Linux 5.3 and later
        self._groups = fresh

    def read(self) -> bool:
        """Take what was heard; whether a route that is followed may be another now. Raises NetlinkError."""
        for _ in range(READ_LIMIT):
            try:
                data, _, flags, sender = self._line.recvmsg(DATAGRAM_LIMIT)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise failure("netlink cannot be read", error.errno or 0) from error
                self._stale = True
                continue
            if sender[0] == _KERNEL_PORT:  # another process could send us lies
                self._stale |= bool(flags & socket.MSG_TRUNC) or self._is_news(data)
        return self.unread

    def _is_news(self, datagram: bytes) -> bool:
        try:
            return any(routes.concerns(message, self._wanted) for message in messages(datagram))
        except NetlinkError:
            return True

    def shake(self, events: Iterable[RouteEvent]) -> None:
        """What was heard of links and addresses: a route that is held may have gone with one of them."""
        indexes = {hop.index for route in self._held for hop in route.hops}
        sources = {route.source for route in self._held} - {""}
        for event in events:
            match event:
                case LinkChanged(link):
                    self._stale |= link.index in indexes
                case AddressRemoved(address):
                    self._stale |= address.address in sources
                case Overrun():
                    self._stale = True
                case _:
                    pass

    def routes(self) -> tuple[Route, ...]:
        """All routes to what is followed. Raises NetlinkError."""
        if self._stale:
            self._stale = False  # before the reading: what is heard meanwhile counts
            try:
                self._held = tuple(self._dumped()) if self._wanted else ()
            except NetlinkError:
                self._stale = True
                raise
        return self._held

    def _dumped(self) -> Iterable[Route]:
        tables: dict[tuple[Family, int], list[Destination]] = {}
        for one in self._wanted:
            tables.setdefault((one.family, one.table), []).append(one)
        with contextlib.closing(open_line(_NETLINK_ROUTE, timeout_seconds=RECEIVE_TIMEOUT_SECONDS)) as line:
            with contextlib.suppress(OSError):  # before Linux 4.20 every table is dumped
                line.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)
            yield from self._tables(KernelSocket(line), tables.values())

    @staticmethod
    def _tables(kernel: KernelSocket, tables: Iterable[list[Destination]]) -> Iterable[Route]:
        for wanted in tables:
            try:
                bodies = kernel.dump(routes.GET_ROUTE, routes.dump_routes(wanted[0]))
            except NetlinkError as error:
                if error.errno != errno.ENOENT:  # no such table yet
                    raise
                continue
            for body in bodies:
                yield from (route for one in wanted if (route := routes.decode_route(body, one)) is not None)
