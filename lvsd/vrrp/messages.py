"""What the director and the vrrp process say to each other: levels, not edges. Pure.

One message is one packet of a SOCK_SEQPACKET socket, encoded with MessagePack. Moments are seconds of
CLOCK_MONOTONIC.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from config.model import VrrpInstance

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
    SHUTDOWN = "shutdown"


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """All instances, as they should be. Those that are equal to what runs are not disturbed."""

    generation: int
    instances: tuple[VrrpInstance, ...]


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
    fault: str = ""  # why it cannot run (interface missing ...), empty when well


class VrrpStatus(msgspec.Struct, frozen=True, tag="status"):
    """All instances, on every change and every second."""

    generation: int
    pid: int
    instances: tuple[InstanceStatus, ...]


class Garbled(Exception):
    """A packet that is not one of ours."""


_from_vrrp = msgspec.msgpack.Decoder(VrrpStatus)
_to_vrrp = msgspec.msgpack.Decoder(Configure)


def encode(message: Configure | VrrpStatus) -> bytes:
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


def decode_configure(packet: bytes) -> Configure:
    """What the director says. Raises Garbled and nothing else."""
    try:
        return _to_vrrp.decode(packet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Garbled(str(error)) from error
