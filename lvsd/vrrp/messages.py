"""What the director and the vrrp process say to each other: levels, not edges. Pure.

One message is one packet of a SOCK_SEQPACKET socket, encoded with MessagePack. Moments are seconds of
CLOCK_MONOTONIC.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import msgspec

from config.model import TrackedInterface, TrackedRoute, VrrpHooks, VrrpInstance

PACKET_LIMIT_BYTES = 65536


class Role(Enum):
    """RFC 9568's words for what RFC 3768 calls Initialize, Backup and Master."""

    INITIALIZE = "initialize"
    BACKUP = "backup"
    ACTIVE = "active"


class Cause(Enum):
    """Why an instance changed its role."""

    START = "start"
    RESUMED = "resumed"  # the process came back and found itself active
    ACTIVE_ROUTER_SILENT = "active_router_silent"  # the active-down timer ran out
    ACTIVE_ROUTER_LEFT = "active_router_left"  # it advertised priority 0
    HIGHER_PRIORITY = "higher_priority"  # another router outranks this one
    ADDRESS_LOST = "address_lost"  # somebody removed a virtual address
    LINK_DOWN = "link_down"
    LINK_UP = "link_up"
    RELOAD = "reload"
    FAILOVER = "failover"  # a person asked to hand over
    HANDED_OVER = "handed_over"  # the active router left, and chose this one
    PRIORITY_LOWERED = "priority_lowered"  # tracking took so much off that another one is better
    OVERSLEPT = "overslept"  # it was held up while others took over
    GROUP = "sync_group"  # the other members of the sync group did
    SHUTDOWN = "shutdown"


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """All instances, as they should be. Those that are equal to what runs are not disturbed."""

    generation: int
    instances: tuple[VrrpInstance, ...]


class Weight(msgspec.Struct, frozen=True):
    """What tracking means for one instance: added to its priority, and why it cannot run (empty: it can)."""

    name: str
    delta: int = 0
    fault: str = ""


class Weights(msgspec.Struct, frozen=True, tag="weights"):
    """What the director tracks, of all instances; one that is not named has no weight and no fault."""

    weights: tuple[Weight, ...]


class Failover(msgspec.Struct, frozen=True, tag="failover"):
    """A person asks: hand these instances over (none named: all), or with `back` let them preempt again."""

    instances: tuple[str, ...] = ()
    back: bool = False


ToVrrp = Configure | Weights | Failover


class NearTrack(msgspec.Struct, frozen=True):
    """An interface or a route that an instance depends on, as it stands, and what it adds to the priority.

    `words`: how it is; `bad`: the instance cannot run because of it.
    """

    kind: str
    name: str
    good: bool
    delta: int
    words: str
    bad: bool = False


class InstanceStatus(msgspec.Struct, frozen=True):
    """One instance as it is."""

    name: str
    role: Role
    priority: int
    active_router: str  # address of the router heard or ours; empty: none known
    active_priority: int
    since: float
    cause: Cause
    addresses_held: tuple[str, ...]
    adverts_sent: int
    adverts_received: int
    dropped: dict[str, int]  # counter of dropped advertisements by kind
    transitions: int
    yielded: bool = False  # it was told to hand over, and does not preempt
    standbys: tuple[str, ...] = ()  # routers that told us they stand by
    fault: str = ""  # why it cannot run (interface missing ...), empty when well
    near: tuple[NearTrack, ...] = ()  # interfaces and routes it tracks


LATENESS_BOUNDS_SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)


class Lateness(msgspec.Struct, frozen=True):
    """How late timers were served since the process began, seconds.

    `counts`: how many were at most so late as each of LATENESS_BOUNDS_SECONDS (and later than the one before), and
    last how many were later than all.
    """

    last: float = 0.0
    maximum: float = 0.0
    counts: tuple[int, ...] = ()


class VrrpStatus(msgspec.Struct, frozen=True, tag="status"):
    """All instances, on every change and every second. `version`: of the lvsd that speaks; old ones do not say.

    `ending`: these are its last words, as it was told to end.
    """

    generation: int
    pid: int
    instances: tuple[InstanceStatus, ...]
    lateness: Lateness = Lateness()
    version: str = ""
    ending: bool = False


class Garbled(Exception):
    """A packet that is not one of ours."""


_from_vrrp = msgspec.msgpack.Decoder(VrrpStatus)
_to_vrrp: msgspec.msgpack.Decoder[ToVrrp] = msgspec.msgpack.Decoder(ToVrrp)


def configuration(generation: int, instances: Iterable[VrrpInstance]) -> Configure:
    """What the vrrp process has to know of the instances: hooks, and other tracks, are the director's matter."""
    return Configure(generation, tuple(_spoken(instance) for instance in instances))


def _spoken(instance: VrrpInstance) -> VrrpInstance:
    near = tuple(track for track in instance.tracks if isinstance(track, TrackedInterface | TrackedRoute))
    return msgspec.structs.replace(instance, tracks=near, hooks=VrrpHooks())


def encode(message: ToVrrp | VrrpStatus) -> bytes:
    """One packet. Raises Garbled when it would exceed the limit."""
    packet = msgspec.msgpack.encode(message)
    if len(packet) > PACKET_LIMIT_BYTES:
        text = f"a packet of {len(packet)} bytes"
        raise Garbled(text)
    return packet


def decode_status(packet: bytes) -> VrrpStatus:
    """What the vrrp process says. Raises Garbled and nothing else."""
    try:
        return _from_vrrp.decode(packet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Garbled(str(error)) from error


def decode_order(packet: bytes) -> ToVrrp:
    """What the director says. Raises Garbled and nothing else."""
    try:
        return _to_vrrp.decode(packet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Garbled(str(error)) from error
