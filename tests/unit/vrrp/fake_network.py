"""Stands in for the machine's network: remembers what was asked of it, in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from config.model import VirtualAddress
from lvsd.runtime.vrrp_router import Place
from lvsd.vrrp.sight import Interface, Sight
from lvsd.vrrp.virtual_mac import Macvlan, alias_of, is_ours
from netlink.errors import NetlinkError
from netlink.routes import Destination, Route

MAC = bytes.fromhex("020000000012")


class FakeNetwork:
    """One interface, eth0, unless a test says otherwise."""

    def __init__(self) -> None:
        self.interfaces = {"eth0": Interface(2, MAC, up=True)}
        self.addresses: dict[str, list[tuple[str, int]]] = {"eth0": [("192.0.2.12", 24)]}
        self.done: list[tuple[str, object]] = []
        self.listening: frozenset[Place] = frozenset()
        self.broken = False  # nothing can be sent
        self.sent_to: list[tuple[bytes, bytes]] = []
        self.refusing = False  # no address can be added
        self.dropping = True
        self.dropped: frozenset[str] = frozenset()
        self.followed: frozenset[Destination] = frozenset()
        self.routes: tuple[Route, ...] = ()

    def put(self, *addresses: VirtualAddress) -> None:
        """Addresses that are there before anybody asks."""
        for one in addresses:
            self.addresses.setdefault(one.interface, []).append((one.address, one.prefix_length))

    def steal(self, *addresses: VirtualAddress) -> None:
        """Somebody removes addresses."""
        for one in addresses:
            self.addresses[one.interface].remove((one.address, one.prefix_length))

    def holds(self, address: VirtualAddress) -> bool:
        return (address.address, address.prefix_length) in self.addresses.get(address.interface, [])

    def words(self) -> list[str]:
        """The kinds of what was done since the last call, without repetitions."""
        kinds: list[str] = []
        for kind, _ in self.done:
            if not kinds or kinds[-1] != kind:
                kinds.append(kind)
        self.done.clear()
        return kinds

    def look(self) -> Sight:
        addresses = {name: tuple(found) for name, found in self.addresses.items()}
        return Sight(dict(self.interfaces), addresses, routes=self.routes)

    def follow(self, destinations: Iterable[Destination]) -> None:
        self.followed = frozenset(destinations)

    def listen_on(self, places: Iterable[Place]) -> None:
        self.listening = frozenset(place for place in places if place[0] in self.interfaces)

    def send(self, place: Place, packet: bytes, source: bytes, destination: bytes) -> None:
        if self.broken:
            raise OSError(1, "Operation not permitted", place[0])
        self.sent_to.append((source, destination))
        self.done.append(("send", packet))

    def announce(self, interface: str, frame: bytes) -> None:
        if self.broken:
            raise OSError(1, "Operation not permitted", interface)
        self.done.append(("announce", frame))

    def add(self, address: VirtualAddress) -> bool:
        if self.refusing:
            raise NetlinkError("refused", errno=1)
        self.done.append(("add", address))
        if self.holds(address):
            return False
        self.put(address)
        return True

    def drop(self, addresses: Iterable[str]) -> None:
        self.done.append(("drop", frozenset(addresses)))
        if not self.dropping:
            raise NetlinkError("no nf_tables", errno=95)
        self.dropped = frozenset(addresses)

    def make_macvlan(self, needed: Macvlan, noted: tuple[int, int] | None) -> None:
        if self.refusing:
            raise NetlinkError("refused", errno=1)
        self.done.append(("make", needed.name))
        there = self.interfaces.get(needed.name)
        raised = there is not None and there.raised
        alias = alias_of((noted or (0, 0)) if needed.quiet else None)
        below = self.interfaces[needed.parent]
        self.interfaces[needed.name] = Interface(9, needed.mac, raised and below.up, raised, below.index, alias)

    def remove_macvlan(self, name: str, restored: tuple[str, tuple[int, int]] | None) -> None:
        self.done.append(("remove", (name, restored)))
        del self.interfaces[name]
        self.addresses.pop(name, None)

    def raise_macvlan(self, name: str, *, up: bool) -> bool:
        self.done.append(("raise" if up else "lower", name))
        there = self.interfaces.get(name)
        if there is not None and is_ours(there):
            self.interfaces[name] = dataclasses.replace(there, up=up, raised=up)
        return there is not None and is_ours(there)

    def delete(self, address: VirtualAddress) -> bool:
        self.done.append(("delete", address))
        if not self.holds(address):
            return False
        self.steal(address)
        return True
