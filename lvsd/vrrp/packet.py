"""VRRP version 2 on the wire: an IPv4 packet to an Advertisement and back. Pure. RFC 3768 section 5.

A raw socket gives (and, with IP_HDRINCL, takes) the packet with its IP header. Opening that header says
which virtual router is meant; that router's Wire then judges the rest, rule by rule, in RULES.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from ipaddress import AddressValueError, IPv4Address

from config.model import VrrpInstance

VRRP_PROTOCOL = 112
GROUP = "224.0.0.18"
TTL = 255
PACKET_LIMIT_BYTES = 2048
"""More than the longest advertisement (20 + 8 + 255 * 4 + 8) with all of IP's options."""

_VERSION_2 = 2
_ADVERTISEMENT = 1
_CLASS_CS6 = 0xC0
_IP_HEADER = struct.Struct("!BBHHHBBH4s4s")
_MESSAGE_HEADER = struct.Struct("!BBBBBBH")
_CHECKSUM_AT = 6
_ADDRESS_BYTES = 4
_AUTH_BYTES = 8
_AUTH_NONE, _AUTH_SIMPLE, _AUTH_HEADER = 0, 1, 2


class Drop(Enum):
    """Why an advertisement was not believed. The values are the names of the counters."""

    PROTOCOL = "not_vrrp"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    TTL = "ttl"
    VERSION = "version"
    AUTH_TYPE_UNKNOWN = "authentication_type_unknown"
    AUTH_TYPE_MISMATCH = "authentication_type_mismatch"
    AUTH_FAILURE = "authentication_failure"
    INTERVAL = "advertisement_interval"
    TYPE = "type"
    TOTAL_LENGTH = "ip_total_length"
    CHECKSUM = "checksum"
    DESTINATION = "destination"
    OWN_ADDRESS = "own_address"


class Dropped(Exception):
    """The one error of this codec."""

    def __init__(self, kind: Drop) -> None:
        """Remember why."""
        super().__init__(kind.value)
        self.kind = kind


class Unspeakable(Exception):
    """A configured instance that no message of version 2 can express; the text says why."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """An IPv4 packet, opened; `whole` says that its total length is what arrived."""

    source: bytes
    destination: bytes
    ttl: int
    whole: bool
    message: bytes


@dataclass(frozen=True, slots=True)
class Advertisement:
    """A believed advertisement. `addresses_agree`: its address set is the receiver's own."""

    source: str
    priority: int
    addresses: tuple[str, ...]
    addresses_agree: bool


@dataclass(frozen=True, slots=True)
class Wire:
    """How one virtual router's packets look: what it sends, and what it expects of the others.

    The authentication data are a secret, hence a repr of its own.
    """

    virtual_router_id: int
    interval_seconds: int
    auth_type: int
    auth_data: bytes
    addresses: tuple[bytes, ...]
    source: bytes

    @classmethod
    def of(cls, instance: VrrpInstance, source: str) -> Wire:
        """The wire of a configured instance that speaks from `source`. Raises Unspeakable."""
        _require(instance.version == _VERSION_2, f"version {instance.version} is not spoken")
        _require(1 <= instance.virtual_router_id <= 255, "virtual_router_id is not in 1..255")  # noqa: PLR2004 (one octet)
        _require(1 <= instance.priority <= 255, "priority is not in 1..255")  # noqa: PLR2004 (one octet)
        interval = instance.advertisement_interval
        _require(interval in range(1, 256), "advertisement_interval is not in whole seconds from 1 to 255")
        _require(1 <= len(instance.addresses) <= 255, "there must be 1 to 255 addresses")  # noqa: PLR2004 (one octet)
        password = instance.password
        return cls(
            virtual_router_id=instance.virtual_router_id,
            interval_seconds=int(interval),
            auth_type=_AUTH_NONE if password is None else _AUTH_SIMPLE,
            auth_data=(password.value.encode() if password else b"")[:_AUTH_BYTES].ljust(_AUTH_BYTES, b"\0"),
            addresses=tuple(_packed(address.address) for address in instance.addresses),
            source=_packed(source),
        )

    def __repr__(self) -> str:
        """Hide the password."""
        return f"Wire(virtual_router_id={self.virtual_router_id})"


def _require(kept: bool, text: str) -> None:
    if not kept:
        raise Unspeakable(text)


def _packed(address: str) -> bytes:
    try:
        return IPv4Address(address).packed
    except AddressValueError as error:
        text = f"{address} is not an IPv4 address"
        raise Unspeakable(text) from error


def encode(wire: Wire, priority: int, identification: int) -> bytes:
    """A whole IPv4 packet. `identification` counts an instance's packets, 1 to 65535 and round again."""
    message = encode_message(wire, priority)
    group = IPv4Address(GROUP).packed
    length = _IP_HEADER.size + len(message)
    head = [0x45, _CLASS_CS6, length, identification, 0, TTL, VRRP_PROTOCOL, 0, wire.source, group]
    head[7] = checksum(_IP_HEADER.pack(*head))
    return _IP_HEADER.pack(*head) + message


def encode_message(wire: Wire, priority: int) -> bytes:
    """The VRRP message alone; the authentication data are there even without authentication."""
    head = _MESSAGE_HEADER.pack(
        _VERSION_2 << 4 | _ADVERTISEMENT,
        wire.virtual_router_id,
        priority,
        len(wire.addresses),
        wire.auth_type,
        wire.interval_seconds,
        0,
    )
    message = head + b"".join(wire.addresses) + wire.auth_data
    return message[:_CHECKSUM_AT] + checksum(message).to_bytes(2, "big") + message[_CHECKSUM_AT + 2 :]


def checksum(data: bytes) -> int:
    """The ones' complement of the ones' complement sum of all 16-bit words. RFC 1071."""
    padded = data + b"\0" if len(data) % 2 else data
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:  # noqa: PLR2004 (sixteen bits)
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def open_packet(packet: bytes) -> Datagram:
    """Open the IP header. Raises Dropped when there is none, or none of protocol 112."""
    if len(packet) < _IP_HEADER.size:
        raise Dropped(Drop.PROTOCOL)
    first, _, total, _, _, ttl, protocol, _, source, destination = _IP_HEADER.unpack_from(packet)
    header_bytes = (first & 0xF) * 4
    if first >> 4 != 4 or protocol != VRRP_PROTOCOL or not _IP_HEADER.size <= header_bytes <= len(packet):  # noqa: PLR2004 (IPv4)
        raise Dropped(Drop.PROTOCOL)
    whole = header_bytes <= total <= len(packet)
    message = packet[header_bytes:total] if whole else packet[header_bytes:]  # what follows the total is padding
    return Datagram(source, destination, ttl, whole, message)


def virtual_router_id(datagram: Datagram) -> int | None:
    """Which virtual router is meant; None when the message is too short to say."""
    return datagram.message[1] if len(datagram.message) > 1 else None


def _expected_bytes(message: bytes) -> int:
    """By the sender's own version, so that a version 3 message fails for its version and not its length."""
    if len(message) < _MESSAGE_HEADER.size:
        return _MESSAGE_HEADER.size
    auth_bytes = _AUTH_BYTES if message[0] >> 4 == _VERSION_2 else 0
    return _MESSAGE_HEADER.size + message[3] * _ADDRESS_BYTES + auth_bytes


def _same_secret(theirs: bytes, ours: bytes) -> bool:
    """In a time that does not tell how much of it was right."""
    difference = 0
    for their_byte, our_byte in zip(theirs, ours, strict=True):
        difference |= their_byte ^ our_byte
    return difference == 0


RULES: tuple[tuple[Drop, Callable[[Datagram, Wire], bool]], ...] = (
    (Drop.TOO_SHORT, lambda got, _: len(got.message) >= _expected_bytes(got.message)),
    (Drop.TOO_LONG, lambda got, _: len(got.message) <= _expected_bytes(got.message)),
    (Drop.TTL, lambda got, _: got.ttl == TTL),
    (Drop.VERSION, lambda got, _: got.message[0] >> 4 == _VERSION_2),
    (Drop.AUTH_TYPE_UNKNOWN, lambda got, _: got.message[4] <= _AUTH_HEADER),
    (Drop.AUTH_TYPE_MISMATCH, lambda got, wire: got.message[4] == wire.auth_type),
    (
        Drop.AUTH_FAILURE,
        lambda got, wire: wire.auth_type == _AUTH_NONE or _same_secret(got.message[-_AUTH_BYTES:], wire.auth_data),
    ),
    (Drop.INTERVAL, lambda got, wire: got.message[5] == wire.interval_seconds),
    (Drop.TYPE, lambda got, _: got.message[0] & 0xF == _ADVERTISEMENT),
    (Drop.TOTAL_LENGTH, lambda got, _: got.whole),
    (Drop.CHECKSUM, lambda got, _: checksum(got.message) == 0),
    (Drop.DESTINATION, lambda got, _: got.destination == IPv4Address(GROUP).packed),
    (Drop.OWN_ADDRESS, lambda got, wire: got.source != wire.source),
)
"""What an advertisement must keep, in the order it is judged (RFC 3768 section 7.1, and the interval's equality).

That the address list agrees is not among them: refusing such a packet makes two active routers out of
every roll-out of a new address.
"""


def decode(datagram: Datagram, wire: Wire) -> Advertisement:
    """Judge and read a message. Raises Dropped, naming the first rule it broke, and nothing else."""
    for kind, keeps in RULES:
        if not keeps(datagram, wire):
            raise Dropped(kind)
    message = datagram.message
    listed = message[_MESSAGE_HEADER.size : _MESSAGE_HEADER.size + message[3] * _ADDRESS_BYTES]
    packed = tuple(listed[at : at + _ADDRESS_BYTES] for at in range(0, len(listed), _ADDRESS_BYTES))
    return Advertisement(
        source=str(IPv4Address(datagram.source)),
        priority=message[2],
        addresses=tuple(str(IPv4Address(address)) for address in packed),
        addresses_agree=frozenset(packed) == frozenset(wire.addresses),
    )
