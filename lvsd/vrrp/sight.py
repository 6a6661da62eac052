"""What the machine's interfaces and addresses mean for an instance. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from config.model import VirtualAddress, VrrpInstance
from lvsd.vrrp.events import Link
from lvsd.vrrp.packet import Unspeakable, Wire


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface; `up` says that it is up and running, that is, has a carrier."""

    index: int
    mac: bytes
    up: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """All interfaces by name, and the addresses on them in the kernel's order: (address, prefix length)."""

    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    addresses: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)

    def has(self, address: VirtualAddress) -> bool:
        """Whether the address is where it belongs."""
        return (address.address, address.prefix_length) in self.addresses.get(address.interface, ())


def link_of(config: VrrpInstance, sight: Sight, virtual: Iterable[str]) -> Link:
    """What an instance stands on. `virtual`: every address that VRRP moves, which no router speaks from."""
    try:
        Wire.of(config, "0.0.0.0")  # noqa: S104 (a stand-in: only the rest is judged)
    except Unspeakable as error:
        return Link("", str(error))
    for name in (config.interface, *(address.interface for address in config.addresses)):
        interface = sight.interfaces.get(name)
        if interface is None:
            return Link("", f"interface {name} does not exist")
        if not interface.up:
            return Link("", f"interface {name} is down")
    moved = frozenset(virtual)
    own = [address for address, _ in sight.addresses.get(config.interface, ()) if address not in moved]
    if not own:
        return Link("", f"interface {config.interface} has no IPv4 address of its own")
    return Link(own[0], "")


def lost_addresses(config: VrrpInstance, sight: Sight) -> tuple[VirtualAddress, ...]:
    """Those of the instance's addresses that are not where they belong."""
    return tuple(address for address in config.addresses if not sight.has(address))
