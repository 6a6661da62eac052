"""The machine's network as the virtual routers use it: rtnetlink, raw sockets, packet socket."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable

from config.model import VirtualAddress
from lvsd.runtime.neighbour_socket import NeighbourSocket
from lvsd.runtime.vrrp_socket import VrrpSocket
from lvsd.vrrp.sight import Interface, Sight
from netlink.errors import NetlinkError
from netlink.route_socket import RouteSocket


class SystemNetwork:
    """The network namespace we run in. `opened` and `closed` are told of each VrrpSocket, for the poll."""

    def __init__(self, opened: Callable[[str, VrrpSocket], None], closed: Callable[[VrrpSocket], None]) -> None:
        """Raises PermissionError without CAP_NET_RAW, NetlinkError where rtnetlink is not to be had."""
        self._opened, self._closed = opened, closed
        self._routes = RouteSocket()
        self._neighbours = NeighbourSocket()
        self._sockets: dict[str, VrrpSocket] = {}
        self._indexes: dict[str, int] = {}

    def look(self) -> Sight:
        """All interfaces and addresses as they are. Raises NetlinkError."""
        links = self._routes.links()
        self._indexes = {name: link.index for name, link in links.items()}
        names = {link.index: name for name, link in links.items()}
        addresses: dict[str, list[tuple[str, int]]] = {}
        for one in self._routes.addresses():
            if one.index in names and ":" not in one.address:
                addresses.setdefault(names[one.index], []).append((one.address, one.prefix_length))
        interfaces = {name: Interface(link.index, link.mac, link.up and link.running) for name, link in links.items()}
        return Sight(interfaces, {name: tuple(found) for name, found in addresses.items()})

    def listen_on(self, interfaces: Iterable[str]) -> None:
        """Have a socket on each of these interfaces that exists, and on no other. Raises OSError.

        An interface that went and came again is another one, with another index: its socket is opened anew.
        """
        wanted = {name: self._indexes[name] for name in interfaces if name in self._indexes}
        for name, present in list(self._sockets.items()):
            if wanted.get(name) != present.index:
                self._closed(present)
                present.close()
                del self._sockets[name]
        for name in wanted.keys() - self._sockets.keys():
            self._open(name, wanted[name])

    def _open(self, name: str, index: int) -> None:
        try:
            opened = self._sockets[name] = VrrpSocket(name, index)
        except OSError as error:
            if error.errno != errno.ENODEV:  # deaf, a router would believe itself alone
                raise
            return  # it went at this moment, and its going is heard of, too
        self._opened(name, opened)

    def send(self, interface: str, packet: bytes) -> None:
        """An advertisement. Raises OSError."""
        if interface not in self._sockets:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), interface)
        self._sockets[interface].send(packet)

    def announce(self, interface: str, frame: bytes) -> None:
        """An Ethernet frame. Raises OSError."""
        self._neighbours.send(interface, frame)

    def add(self, address: VirtualAddress) -> bool:
        """Add an address; whether it was not there. Raises NetlinkError."""
        index = self._indexes.get(address.interface)
        if index is None:
            text = f"interface {address.interface} does not exist"
            raise NetlinkError(text, errno=errno.ENODEV)
        return self._routes.add_address(index, address.address, address.prefix_length)

    def delete(self, address: VirtualAddress) -> bool:
        """Remove an address; whether it was there. Raises NetlinkError."""
        index = self._indexes.get(address.interface)
        return index is not None and self._routes.delete_address(index, address.address, address.prefix_length)
