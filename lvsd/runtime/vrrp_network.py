"""The machine's network as the virtual routers use it: rtnetlink, raw sockets, packet socket."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path

from config.model import VirtualAddress
from lvsd.runtime import vrrp_macvlan
from lvsd.runtime.journal import tell
from lvsd.runtime.neighbour_socket import NeighbourSocket
from lvsd.runtime.vrrp_router import Place
from lvsd.runtime.vrrp_socket import VrrpSocket
from lvsd.vrrp.sight import Interface, Sight
from lvsd.vrrp.virtual_mac import Macvlan, is_ours
from netlink.errors import NetlinkError
from netlink.interfaces import DAD_FAILED, MACVLAN, MACVLAN_BRIDGE, TENTATIVE, Link
from netlink.nft_socket import DropTable
from netlink.route_socket import RouteSocket
from netlink.route_watch import RouteWatch
from netlink.routes import Destination, Route

FORWARDING6 = Path("/proc/sys/net/ipv6/conf/all/forwarding")


class SystemNetwork:
    """The network namespace we run in. `opened` and `closed` are told of each VrrpSocket, for the poll."""

    def __init__(self, opened: Callable[[Place, VrrpSocket], None], closed: Callable[[VrrpSocket], None]) -> None:
        """Raises PermissionError without CAP_NET_RAW, NetlinkError where rtnetlink is not to be had."""
        self._opened, self._closed = opened, closed
        self._routes = RouteSocket()
        self.watch = RouteWatch()
        self._lost = False  # routes could not be read, and that was told
        self._neighbours = NeighbourSocket()
        self._drops = DropTable()
        self._sockets: dict[Place, VrrpSocket] = {}
        self._indexes: dict[str, int] = {}
        self._ours: frozenset[str] = frozenset()  # macvlans with a virtual router's MAC
        self._seen: tuple[Route, ...] = ()

    def look(self) -> Sight:
        """All interfaces and addresses as they are. Raises NetlinkError."""
        links = self._routes.links()
        self._indexes = {name: link.index for name, link in links.items()}
        names = {link.index: name for name, link in links.items()}
        addresses: dict[str, list[tuple[str, int]]] = {}
        tentative = set()
        for one in self._routes.addresses():
            if one.index not in names:
                continue
            addresses.setdefault(names[one.index], []).append((one.address, one.prefix_length))
            if one.flags & (TENTATIVE | DAD_FAILED):
                tentative.add((names[one.index], one.address))
        interfaces = {name: _interface(link) for name, link in links.items()}
        self._ours = frozenset(name for name, one in interfaces.items() if is_ours(one))
        return Sight(
            interfaces,
            {name: tuple(found) for name, found in addresses.items()},
            _forwards_ipv6(),
            frozenset(tentative),
            self._followed(),
        )

    def follow(self, destinations: Iterable[Destination]) -> None:
        """From now on see the routes to these, and to no others. Raises NetlinkError."""
        self.watch.follow(destinations)

    def _followed(self) -> tuple[Route, ...]:
        """A table that changes all the time cannot be read at once: until it can, what was seen last stands."""
        try:
            self._seen = self.watch.routes()
        except NetlinkError as error:
            if not self._lost:
                tell("warning", "routes_not_read", error=str(error))
        self._lost = self.watch.unread
        return self._seen

    def listen_on(self, places: Iterable[Place]) -> None:
        """Have a socket at each of these places that exists, and at no other. Raises OSError.

        An interface that went and came again is another one, with another index: its socket is opened anew.
        """
        wanted = {place: self._indexes[place[0]] for place in places if place[0] in self._indexes}
        for place, present in list(self._sockets.items()):
            if wanted.get(place) != present.index:
                self._closed(present)
                present.close()
                del self._sockets[place]
        for place in wanted.keys() - self._sockets.keys():
            self._open(place, wanted[place])

    def _open(self, place: Place, index: int) -> None:
        interface, ipv6 = place
        try:
            opened = self._sockets[place] = VrrpSocket(interface, index, ipv6=ipv6)
        except OSError as error:
            if error.errno != errno.ENODEV:  # deaf, a router would believe itself alone
                raise
            return  # it went at this moment, and its going is heard of, too
        self._opened(place, opened)

    def send(self, place: Place, packet: bytes, source: bytes, destination: bytes) -> None:
        """An advertisement. Raises OSError."""
        if place not in self._sockets:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), place[0])
        self._sockets[place].send(packet, source, destination)

    def announce(self, interface: str, frame: bytes) -> None:
        """An Ethernet frame. Raises OSError."""
        self._neighbours.send(interface, frame)

    def add(self, address: VirtualAddress) -> bool:
        """Add an address; whether it was not there. Raises NetlinkError."""
        index = self._indexes.get(address.interface)
        if index is None:
            text = f"interface {address.interface} does not exist"
            raise NetlinkError(text, errno=errno.ENODEV)
        # Without duplicate address detection: the network was told who it belongs to, and a second is too long.
        # Deprecated: chosen as a source it would be refused by real servers that hold it too (packets of a tunnel).
        ipv6 = ":" in address.address
        return self._routes.add_address(
            index,
            address.address,
            address.prefix_length,
            no_dad=ipv6,
            deprecated=ipv6,
            # A second route to the network would one day be the first. Link-local clients are reached by no other.
            no_prefix_route=address.interface in self._ours and not ip_address(address.address).is_link_local,
        )

    def delete(self, address: VirtualAddress) -> bool:
        """Remove an address; whether it was there. Raises NetlinkError."""
        index = self._indexes.get(address.interface)
        return index is not None and self._routes.delete_address(index, address.address, address.prefix_length)

    def drop(self, addresses: Iterable[str]) -> None:
        """From now on drop what comes for these, and IPVS does not take, and nothing else. Raises NetlinkError."""
        self._drops.set(addresses)

    def make_macvlan(self, needed: Macvlan, noted: tuple[int, int] | None) -> None:
        """Have such an interface. Raises NetlinkError, OSError."""
        vrrp_macvlan.make(self._routes, needed, noted)

    def remove_macvlan(self, name: str, restored: tuple[str, tuple[int, int]] | None) -> None:
        """Remove it, then give the interface below its settings back. Raises NetlinkError, OSError."""
        if name in self._indexes:
            self._routes.delete_link(self._indexes[name])
        if restored is not None:
            vrrp_macvlan.restore(*restored)

    def raise_macvlan(self, name: str, *, up: bool) -> bool:
        """Raise or lower it, if it is ours; whether it is there. Raises NetlinkError."""
        return name in self._ours and self._routes.set_up(self._indexes[name], up=up)


def _interface(link: Link) -> Interface:
    parent = link.parent if link.kind == MACVLAN and link.mode == MACVLAN_BRIDGE else 0
    return Interface(link.index, link.mac, link.up and link.running, link.up, parent, link.alias)


def _forwards_ipv6() -> bool:
    try:
        return FORWARDING6.read_text(encoding="ascii").strip() not in ("", "0")
    except OSError:  # no IPv6 here
        return False
