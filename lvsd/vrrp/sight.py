"""What the machine's interfaces and addresses mean for an instance. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from config.model import VirtualAddress, VrrpInstance
from lvsd.vrrp.link import Link
from lvsd.vrrp.packet import Unspeakable, Wire
from netlink.routes import Route


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface; `up` says that it is up and running, that is, has a carrier; `raised` that it should be.

    `parent` is the index of the interface that a macvlan in bridge mode lives on; 0: it is something else.
    """

    index: int
    mac: bytes
    up: bool
    raised: bool = True
    parent: int = 0
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """All interfaces by name, and the addresses on them in the kernel's order: (address, prefix length)."""

    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    addresses: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    forwards_ipv6: bool = False
    tentative: frozenset[tuple[str, str]] = frozenset()  # (interface, address) that cannot be spoken from yet
    routes: tuple[Route, ...] = ()  # to the destinations that are tracked

    def has(self, address: VirtualAddress) -> bool:
        """Whether the address is where it belongs; on a macvlan that is down it is nowhere."""
        place = self.interfaces.get(address.interface)
        if place is not None and place.parent and not place.raised:
            return False
        return (address.address, address.prefix_length) in self.addresses.get(address.interface, ())


def link_of(config: VrrpInstance, sight: Sight, virtual: Iterable[str]) -> Link:
    """What an instance stands on. `virtual`: every address that VRRP moves, which no router speaks from."""
    try:
        Wire.of(config, "::" if config.ipv6 else "0.0.0.0")  # noqa: S104 (a stand-in: only the rest is judged)
    except Unspeakable as error:
        return Link("", str(error))
    needed = {config.interface, *(address.interface for address in config.addresses)} - {config.virtual_mac}
    for name in sorted(needed, key=lambda one: one != config.interface):
        interface = sight.interfaces.get(name)
        if interface is None:
            return Link("", f"interface {name} does not exist")
        if not interface.up and (config.track_interface or name != config.interface):
            return Link("", f"interface {name} is down")
    moved = frozenset(virtual)
    own = [
        address
        for address, _ in sight.addresses.get(config.interface, ())
        if address not in moved and (config.interface, address) not in sight.tentative
    ]
    return _source(config, own)


def _source(config: VrrpInstance, own: list[str]) -> Link:
    """Whose address the advertisements carry: what is configured, else the interface's first that fits.

    IPv6 speaks from the link-local address (RFC 9568 section 5.1.2), to peers of wider scope from one of theirs.
    """
    if config.source:
        missing = f"interface {config.interface} does not have the address {config.source}"
        return Link(config.source, "") if config.source in own else Link("", missing)
    fitting = [address for address in own if (":" in address) is config.ipv6]
    if config.ipv6:
        wide = any(not _link_local(peer) for peer in config.unicast_peers)
        fitting = [address for address in fitting if _link_local(address) is not wide]
    if not fitting:
        kind = "IPv6 link-local" if config.ipv6 and not config.unicast_peers else "IPv6" if config.ipv6 else "IPv4"
        return Link("", f"interface {config.interface} has no {kind} address of its own")
    return Link(fitting[0], "")


def _link_local(address: str) -> bool:
    return IPv6Address(address).is_link_local


def lost_addresses(config: VrrpInstance, sight: Sight) -> tuple[VirtualAddress, ...]:
    """Those of the instance's addresses that are not where they belong."""
    return tuple(address for address in config.addresses if not sight.has(address))
