"""What belongs to one virtual router beside its state machine, and what all of them ask of the machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from config.model import VirtualAddress, VrrpInstance
from lvsd.vrrp.messages import InstanceStatus
from lvsd.vrrp.packet import Wire
from lvsd.vrrp.sight import Sight
from lvsd.vrrp.state import Instance
from lvsd.vrrp.tracks import standings
from lvsd.vrrp.virtual_mac import Macvlan
from lvsd.vrrp.whispers import fresh
from netlink.routes import Destination

Place = tuple[str, bool]
"""Where advertisements are heard: an interface, and whether they are IPv6."""


class Network(Protocol):
    """What the routers ask of the machine."""

    def look(self) -> Sight:
        """All interfaces and addresses as they are. Raises NetlinkError."""

    def follow(self, destinations: Iterable[Destination]) -> None:
        """From now on see the routes to these, and to no others. Raises NetlinkError."""

    def listen_on(self, places: Iterable[Place]) -> None:
        """Hear advertisements at each of these that was seen last, and at no other. Raises OSError."""

    def send(self, place: Place, packet: bytes, source: bytes, destination: bytes) -> None:
        """An advertisement. Raises OSError."""

    def announce(self, interface: str, frame: bytes) -> None:
        """An Ethernet frame. Raises OSError."""

    def add(self, address: VirtualAddress) -> bool:
        """Add an address; whether it was not there. Raises NetlinkError."""

    def delete(self, address: VirtualAddress) -> bool:
        """Remove an address; whether it was there. Raises NetlinkError."""

    def drop(self, addresses: Iterable[str]) -> None:
        """From now on drop what comes for these, and IPVS does not take, and nothing else. Raises NetlinkError."""

    def make_macvlan(self, needed: Macvlan, noted: tuple[int, int] | None) -> None:
        """Have such an interface, marked as ours; see lvsd.runtime.vrrp_macvlan. Raises NetlinkError, OSError."""

    def remove_macvlan(self, name: str, restored: tuple[str, tuple[int, int]] | None) -> None:
        """Remove it; and give the interface below its settings back. Raises NetlinkError, OSError."""

    def raise_macvlan(self, name: str, *, up: bool) -> bool:
        """Raise or lower it, if it is ours; whether it is there. Raises NetlinkError."""


@dataclass(slots=True)
class Router:
    """One virtual router: the state of its machine, and what only the hands need to know."""

    instance: Instance
    wire: Wire | None = None
    identification: int = 0
    sent: int = 0
    received: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    mute: bool = False  # the last advertisement could not be sent, and that was told
    held: set[VirtualAddress] = field(default_factory=set)


Key = tuple[str, bool, int]


def place_of(config: VrrpInstance) -> Place:
    """Where the virtual router speaks."""
    return config.interface, config.ipv6


def key_of(config: VrrpInstance) -> Key:
    """What makes a virtual router the same one under another configuration: where it is, and its number."""
    return *place_of(config), config.virtual_router_id


def bare(address: VirtualAddress) -> VirtualAddress:
    """The address as an interface knows it, whoever advertises it."""
    return msgspec.structs.replace(address, advertised=True)


def status_of(router: Router, now: float, sight: Sight) -> InstanceStatus:
    """The instance as it is, for the director."""
    instance = router.instance
    held = sorted(router.held, key=lambda address: address.address)
    return InstanceStatus(
        name=instance.config.name,
        role=instance.role,
        priority=instance.priority,
        active_router=instance.active_router,
        active_priority=instance.active_priority,
        since=instance.since,
        cause=instance.cause,
        addresses_held=tuple(f"{address.address}/{address.prefix_length}" for address in held),
        adverts_sent=router.sent,
        adverts_received=router.received,
        dropped=dict(router.dropped),
        transitions=instance.transitions,
        yielded=instance.yielded,
        standbys=tuple(one.source for one in fresh(instance, now)),
        fault=instance.link.fault,
        near=standings(instance.config, sight),
    )
