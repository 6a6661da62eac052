"""VRRP on the wire, versions 2 and 3: an advertisement to bytes and back. Pure. RFC 3768, RFC 9568 section 5.

Opening an IP packet (lvsd.vrrp.ip) says which virtual router is meant; that router's Wire then judges the rest, rule
by rule, in RULES.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from config.model import VrrpInstance
from lvsd.vrrp.drops import Drop, Dropped
from lvsd.vrrp.ip import TTL, Datagram, address_text, checksum, group_of, ipv4_packet, packed, pseudo_header

_VERSION_2, _VERSION_3 = 2, 3
_HEADER = struct.Struct("!BBBBHH")
_CHECKSUM_AT = 6
_AUTH_BYTES = 8
_AUTH_NONE, _AUTH_SIMPLE, _AUTH_HEADER = 0, 1, 2
_CENTISECONDS = 0xFFF


class Kind(Enum):
    """The type of a message. The RFCs know one; two are whispered, to one router, between those that run lvsd.

    A whisper goes by unicast, where routers in multicast do not listen, and nobody needs it: without, a successor
    waits its skew time.
    """

    ADVERTISEMENT = 1
    STANDBY = 2  # a backup to the active router: I am here, with this priority; echoed by one that understands
    HANDOVER = 3  # the leaving router to its successor: take over now


class Unspeakable(Exception):
    """A configured instance that no message of its version can express; the text says why."""


@dataclass(frozen=True, slots=True)
class Advertisement:
    """A believed advertisement. `addresses_agree`: its address set is the receiver's own; `interval` in seconds."""

    source: str
    priority: int
    addresses: tuple[str, ...]
    addresses_agree: bool
    interval: float = 1.0
    kind: Kind = Kind.ADVERTISEMENT


@dataclass(frozen=True, slots=True)
class Wire:
    """How one virtual router's packets look: what it sends, and what it expects of the others.

    `interval` is in the version's unit: seconds in version 2, hundredths in version 3. `peers` are packed addresses;
    none: multicast. The authentication data are a secret, hence a repr of its own.
    """

    version: int
    virtual_router_id: int
    interval: int
    auth_type: int
    auth_data: bytes
    addresses: tuple[bytes, ...]
    source: bytes
    peers: tuple[bytes, ...] = ()
    plain_checksum: bool = False  # version 3 over IPv4: RFC 9568's, without a pseudo header

    @classmethod
    def of(cls, instance: VrrpInstance, source: str) -> Wire:
        """The wire of a configured instance that speaks from `source`. Raises Unspeakable."""
        _require(instance.version in (_VERSION_2, _VERSION_3), f"version {instance.version} is not spoken")
        _require(1 <= instance.virtual_router_id <= 255, "virtual_router_id is not in 1..255")  # noqa: PLR2004 (one octet)
        _require(1 <= instance.priority <= 255, "priority is not in 1..255")  # noqa: PLR2004 (one octet)
        addresses = tuple(_packed(address.address) for address in instance.addresses if address.advertised)
        _require(1 <= len(addresses) <= 255, "there must be 1 to 255 addresses")  # noqa: PLR2004 (one octet)
        ours = _packed(source)
        peers = tuple(_packed(peer) for peer in instance.unicast_peers)
        _require(len({len(one) for one in (*addresses, *peers, ours)}) == 1, "addresses of two families")
        password = instance.password if instance.version == _VERSION_2 else None
        return cls(
            version=instance.version,
            virtual_router_id=instance.virtual_router_id,
            interval=_interval(instance),
            auth_type=_AUTH_NONE if password is None else _AUTH_SIMPLE,
            auth_data=(password.value.encode() if password else b"")[:_AUTH_BYTES].ljust(_AUTH_BYTES, b"\0"),
            addresses=addresses,
            source=ours,
            peers=peers,
            plain_checksum=instance.rfc_checksum,
        )

    def __repr__(self) -> str:
        """Hide the password."""
        return f"Wire(virtual_router_id={self.virtual_router_id})"

    @property
    def ipv6(self) -> bool:
        """The family it speaks."""
        return len(self.source) == 16  # noqa: PLR2004 (an IPv6 address's bytes)

    @property
    def destinations(self) -> tuple[bytes, ...]:
        """Whom to send to: the group, or each peer."""
        return self.peers or (group_of(self.ipv6),)


def _interval(instance: VrrpInstance) -> int:
    seconds = instance.advertisement_interval
    if instance.version == _VERSION_2:
        _require(seconds in range(1, 256), "advertisement_interval is not in whole seconds from 1 to 255")
        return int(seconds)
    hundredths = round(seconds * 100)
    exact = abs(seconds * 100 - hundredths) < 1e-6  # noqa: PLR2004 (what a float leaves of a decimal fraction)
    _require(
        1 <= hundredths <= _CENTISECONDS and exact, "advertisement_interval is not in hundredths from 10ms to 40.95s"
    )
    return hundredths


def _require(kept: bool, text: str) -> None:
    if not kept:
        raise Unspeakable(text)


def _packed(address: str) -> bytes:
    try:
        return packed(address)
    except ValueError as error:
        text = f"{address} is not an address"
        raise Unspeakable(text) from error


def encode(
    wire: Wire,
    priority: int,
    identification: int,
    destination: bytes | None = None,
    kind: Kind = Kind.ADVERTISEMENT,
) -> bytes:
    """To one of the wire's destinations: a whole IPv4 packet; for IPv6 the message, whose header the kernel makes.

    `identification` counts an instance's IPv4 packets, 1 to 65535 and round again.
    """
    target = wire.destinations[0] if destination is None else destination
    message = encode_message(wire, priority, target, kind)
    return message if wire.ipv6 else ipv4_packet(wire.source, target, identification, message)


def encode_message(wire: Wire, priority: int, destination: bytes, kind: Kind = Kind.ADVERTISEMENT) -> bytes:
    """The VRRP message alone; version 2 has authentication data also without authentication."""
    second = wire.auth_type << 8 | wire.interval if wire.version == _VERSION_2 else wire.interval
    first = wire.version << 4 | kind.value
    head = _HEADER.pack(first, wire.virtual_router_id, priority, len(wire.addresses), second, 0)
    message = head + b"".join(wire.addresses) + (wire.auth_data if wire.version == _VERSION_2 else b"")
    covered = pseudo_header(wire.source, destination, len(message)) if _pseudo(wire) else b""
    total = checksum(covered + message)
    return message[:_CHECKSUM_AT] + total.to_bytes(2, "big") + message[_CHECKSUM_AT + 2 :]


def _pseudo(wire: Wire) -> bool:
    """Whether our checksum covers a pseudo header: version 3 does, over IPv4 as keepalived sends it unless told."""
    return wire.version == _VERSION_3 and (wire.ipv6 or not wire.plain_checksum)


def virtual_router_id(datagram: Datagram) -> int | None:
    """Which virtual router is meant; None when the message is too short to say."""
    return datagram.message[1] if len(datagram.message) > 1 else None


def _expected_bytes(got: Datagram) -> int:
    """By the sender's own version, so that a message of another version fails for its version and not its length."""
    message = got.message
    if len(message) < _HEADER.size:
        return _HEADER.size
    auth_bytes = _AUTH_BYTES if message[0] >> 4 == _VERSION_2 and not got.ipv6 else 0
    return _HEADER.size + message[3] * len(got.source) + auth_bytes


def _same_secret(theirs: bytes, ours: bytes) -> bool:
    """In a time that does not tell how much of it was right."""
    difference = 0
    for their_byte, our_byte in zip(theirs, ours, strict=True):
        difference |= their_byte ^ our_byte
    return difference == 0


def _interval_fits(got: Datagram, wire: Wire) -> bool:
    """Version 2 asks for our own; version 3 teaches it, and 0 would be no interval at all."""
    if wire.version == _VERSION_2:
        return got.message[5] == wire.interval
    return int.from_bytes(got.message[4:6], "big") & _CENTISECONDS != 0


def _sums_up(got: Datagram, wire: Wire) -> bool:
    """Version 3 over IPv4 has two readings of its RFC in the field, and both are believed."""
    plain = checksum(got.message) == 0
    if wire.version == _VERSION_2:
        return plain
    covered = checksum(pseudo_header(got.source, got.destination, len(got.message)) + got.message) == 0
    return covered or (plain and not wire.ipv6)


def _meant_for(got: Datagram, wire: Wire) -> bytes:
    """Whom the message must be addressed to: the group, unless it is whispered or unicast is configured."""
    whispered = got.message[0] & 0xF != Kind.ADVERTISEMENT.value
    return wire.source if wire.peers or whispered else wire.destinations[0]


_KINDS = frozenset(kind.value for kind in Kind)

RULES: tuple[tuple[Drop, Callable[[Datagram, Wire], bool]], ...] = (
    (Drop.TOO_SHORT, lambda got, _: len(got.message) >= _expected_bytes(got)),
    (Drop.TOO_LONG, lambda got, _: len(got.message) <= _expected_bytes(got)),
    # keepalived sends unicast over IPv6 with the system's hop limit; there the peer list is what guards.
    (Drop.TTL, lambda got, wire: got.ttl == TTL or bool(wire.peers)),
    (Drop.VERSION, lambda got, wire: got.message[0] >> 4 == wire.version),
    (Drop.AUTH_TYPE_UNKNOWN, lambda got, wire: wire.version != _VERSION_2 or got.message[4] <= _AUTH_HEADER),
    (Drop.AUTH_TYPE_MISMATCH, lambda got, wire: wire.version != _VERSION_2 or got.message[4] == wire.auth_type),
    (
        Drop.AUTH_FAILURE,
        lambda got, wire: wire.auth_type == _AUTH_NONE or _same_secret(got.message[-_AUTH_BYTES:], wire.auth_data),
    ),
    (Drop.INTERVAL, _interval_fits),
    (Drop.TYPE, lambda got, _: got.message[0] & 0xF in _KINDS),
    (Drop.TOTAL_LENGTH, lambda got, _: got.whole),
    (Drop.CHECKSUM, _sums_up),
    (Drop.DESTINATION, lambda got, wire: got.destination == _meant_for(got, wire)),
    (Drop.PEER, lambda got, wire: not wire.peers or got.source in wire.peers or got.source == wire.source),
    (Drop.OWN_ADDRESS, lambda got, wire: got.source != wire.source),
)
"""What an advertisement must keep, in the order it is judged (RFC 3768 section 7.1, RFC 9568 section 7.1).

That the address list agrees is not among them: refusing such a packet makes two active routers out of
every roll-out of a new address.
"""


def decode(datagram: Datagram, wire: Wire) -> Advertisement:
    """Judge and read a message. Raises Dropped, naming the first rule it broke, and nothing else."""
    if datagram.ipv6 is not wire.ipv6:
        raise Dropped(Drop.PROTOCOL)
    for kind, keeps in RULES:
        if not keeps(datagram, wire):
            raise Dropped(kind)
    message, size = datagram.message, len(datagram.source)
    listed = message[_HEADER.size : _HEADER.size + message[3] * size]
    addresses = tuple(listed[at : at + size] for at in range(0, len(listed), size))
    if wire.version == _VERSION_2:
        interval = float(message[5])
    else:
        interval = (int.from_bytes(message[4:6], "big") & _CENTISECONDS) / 100
    return Advertisement(
        source=address_text(datagram.source),
        priority=message[2],
        addresses=tuple(address_text(address) for address in addresses),
        addresses_agree=frozenset(addresses) == frozenset(wire.addresses),
        interval=interval,
        kind=Kind(message[0] & 0xF),
    )
