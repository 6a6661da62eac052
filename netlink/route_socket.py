"""Links and addresses of this network namespace over rtnetlink: read, add, delete, and hear of changes.

Built of our own packed messages, since the process that moves virtual addresses has to start fast and stay small.
"""

from __future__ import annotations

import errno
import socket
from types import TracebackType
from typing import Self

from netlink import route_codec as codec
from netlink import route_macvlan as macvlan
from netlink.errors import NetlinkError
from netlink.interfaces import NO_DAD, NO_PREFIX_ROUTE, Address, Link, Overrun, RouteEvent
from netlink.kernel_socket import RECEIVE_TIMEOUT_SECONDS, KernelSocket, failure, open_line
from netlink.wire import CREATE, DATAGRAM_LIMIT, ERROR, EXCLUSIVE, messages

_NETLINK_ROUTE = 0
_KERNEL_PORT = 0
_GONE = frozenset({errno.EADDRNOTAVAIL, errno.ENODEV})
READ_LIMIT = 64  # datagrams of one reading; what is left makes the socket readable again


class RouteSocket:
    """Synchronous; every method may raise NetlinkError with the kernel's errno. Opened anew after an error."""

    def __init__(self) -> None:
        self._socket: KernelSocket | None = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket. Another call opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def links(self) -> dict[str, Link]:
        """All interfaces, by name."""
        found = map(codec.decode_link, self._dump(codec.GET_LINK, codec.dump_links()))
        return {link.name: link for link in found}

    def addresses(self, index: int | None = None) -> tuple[Address, ...]:
        """All addresses of both families, or those of one interface, in the kernel's order."""
        found = map(codec.decode_address, self._dump(codec.GET_ADDRESS, codec.dump_addresses()))
        return tuple(one for one in found if one is not None and index in {None, one.index})

    def add_address(
        self,
        index: int,
        address: str,
        prefix_length: int,
        *,
        label: str = "",
        broadcast: str | None = None,
        scope: int = 0,
        no_dad: bool = False,
        deprecated: bool = False,
        no_prefix_route: bool = False,
    ) -> bool:
        """Add an address to an interface; False if it was there already, which is left as it is.

        `no_dad` makes an IPv6 address usable at once, without duplicate address detection. `deprecated`: nothing that
        leaves this machine gets it as its source by itself. `no_prefix_route`: its network is not reached by it.
        """
        flags = (NO_DAD if no_dad else 0) | (NO_PREFIX_ROUTE if no_prefix_route else 0)
        wanted = Address(index, address, prefix_length, label, flags, scope)
        body = codec.new_address(wanted, broadcast=broadcast, deprecated=deprecated)
        return self._change(codec.NEW_ADDRESS, body, CREATE | EXCLUSIVE, frozenset({errno.EEXIST}))

    def delete_address(self, index: int, address: str, prefix_length: int) -> bool:
        """Delete an address from an interface, and nothing else; False if it was not there.

        A primary IPv4 address would take the secondary ones of its subnet along. Where it has any, the interface's
        promote_secondaries is set first (and stays set), so that the next of them becomes primary instead.
        """
        target = Address(index, address, prefix_length)
        body = codec.delete_address(target)
        if codec.dependents(self.addresses(index), target):
            self._change(codec.SET_LINK, codec.promote_secondaries(index), 0, frozenset())
        return self._change(codec.DELETE_ADDRESS, body, 0, _GONE)

    def add_macvlan(self, name: str, parent: int, mac: bytes) -> None:
        """Make a macvlan in bridge mode on an interface; it is down. EEXIST: that name is taken."""
        self._change(codec.NEW_LINK, macvlan.new_macvlan(name, parent, mac), CREATE | EXCLUSIVE, frozenset())

    def delete_link(self, index: int) -> bool:
        """Remove an interface; False if it was not there."""
        return self._change(codec.DELETE_LINK, macvlan.delete_link(index), 0, _GONE)

    def set_up(self, index: int, *, up: bool) -> bool:
        """Raise or lower an interface; False if it was not there."""
        return self._change(codec.SET_LINK, macvlan.set_up(index, up=up), 0, _GONE)

    def set_alias(self, index: int, alias: str) -> None:
        """Write a text for people on an interface."""
        self._change(codec.SET_LINK, macvlan.set_alias(index, alias), 0, frozenset())

    def _change(self, kind: int, body: bytes, flags: int, expected: frozenset[int]) -> bool:
        try:
            self._connected().ask(kind, body, flags=flags)
        except NetlinkError as error:
            if error.errno in expected:
                return False
            self.close()
            raise
        return True

    def _dump(self, kind: int, body: bytes) -> list[memoryview]:
        try:
            return self._connected().dump(kind, body)
        except NetlinkError:
            self.close()
            raise

    def _connected(self) -> KernelSocket:
        if self._socket is None:
            self._socket = self._open()
        return self._socket

    @staticmethod
    def _open() -> KernelSocket:
        return KernelSocket(open_line(_NETLINK_ROUTE, timeout_seconds=RECEIVE_TIMEOUT_SECONDS))


class RouteMonitor:
    """Hears of changes of links and addresses. Never blocks.

    Open it before reading the state, then nothing is missed between the two.
    """

    def __init__(self) -> None:
        groups = codec.LINK_GROUP | codec.IPV4_ADDRESS_GROUP | codec.IPV6_ADDRESS_GROUP
        self._line = open_line(_NETLINK_ROUTE, timeout_seconds=RECEIVE_TIMEOUT_SECONDS, groups=groups)
        self._line.setblocking(False)

    def fileno(self) -> int:
        """For an event loop: readable when something was heard."""
        return self._line.fileno()

    def close(self) -> None:
        """Hear no more."""
        self._line.close()

    def read(self) -> tuple[RouteEvent, ...]:
        """What was heard since the last reading, in order. Lost or garbled notifications become one Overrun."""
        events: list[RouteEvent] = []
        for _ in range(READ_LIMIT):
            try:
                data, _, flags, sender = self._line.recvmsg(DATAGRAM_LIMIT)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise failure("netlink cannot be read", error.errno or 0) from error
                events.append(Overrun())
                continue
            if sender[0] == _KERNEL_PORT:  # another process could send us lies
                events += [Overrun()] if flags & socket.MSG_TRUNC else decode_events(data)
        return tuple(events)


def decode_events(datagram: bytes) -> list[RouteEvent]:
    """The events of one datagram; an Overrun in place of what cannot be read."""
    events: list[RouteEvent] = []
    try:
        for message in messages(datagram):
            event = None if message.type == ERROR else codec.decode_event(message)
            if event is not None:
                events.append(event)
    except NetlinkError:
        events.append(Overrun())
    return events
