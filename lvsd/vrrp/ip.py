"""The IP around an advertisement: headers, checksums, groups. Pure. RFC 791, RFC 1071, RFC 8200 section 8.1."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from lvsd.vrrp.drops import Drop, Dropped

VRRP_PROTOCOL = 112
GROUP = "224.0.0.18"
GROUP6 = "ff02::12"
TTL = 255
PACKET_LIMIT_BYTES = 8192
"""More than the longest advertisement (8 + 255 * 16) with all of IP's options."""

CLASS_CS6 = 0xC0
_HEADER = struct.Struct("!BBHHHBBH4s4s")
_HEADER6 = struct.Struct("!IHBB16s16s")
_PSEUDO4 = struct.Struct("!4s4sBBH")
_PSEUDO6 = struct.Struct("!16s16sI3xB")


@dataclass(frozen=True, slots=True)
class Datagram:
    """A packet, opened; addresses are packed. `whole` says that its total length is what arrived."""

    source: bytes
    destination: bytes
    ttl: int
    whole: bool
    message: bytes

    @property
    def ipv6(self) -> bool:
        """Which family it came by."""
        return len(self.source) == 16  # noqa: PLR2004 (an IPv6 address's bytes)


def address_text(packed: bytes) -> str:
    """An address of either family as people write it."""
    return str(ip_address(packed))


def packed(address: str) -> bytes:
    """Raises ValueError for what is no address."""
    return ip_address(address).packed


def group_of(ipv6: bool) -> bytes:
    """The multicast group of a family (RFC 9568 section 5.1)."""
    return IPv6Address(GROUP6).packed if ipv6 else IPv4Address(GROUP).packed


def checksum(data: bytes) -> int:
    """The ones' complement of the ones' complement sum of all 16-bit words. RFC 1071."""
    padded = data + b"\0" if len(data) % 2 else data
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:  # noqa: PLR2004 (sixteen bits)
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def pseudo_header(source: bytes, destination: bytes, length: int) -> bytes:
    """What goes before a message in its checksum, where it does."""
    if len(source) == 4:  # noqa: PLR2004 (an IPv4 address's bytes)
        return _PSEUDO4.pack(source, destination, 0, VRRP_PROTOCOL, length)
    return _PSEUDO6.pack(source, destination, length, VRRP_PROTOCOL)


def ipv4_packet(source: bytes, destination: bytes, identification: int, message: bytes) -> bytes:
    """A whole packet of protocol 112."""
    length = _HEADER.size + len(message)
    head = [0x45, CLASS_CS6, length, identification, 0, TTL, VRRP_PROTOCOL, 0, source, destination]
    head[7] = checksum(_HEADER.pack(*head))
    return _HEADER.pack(*head) + message


def ipv6_packet(source: bytes, destination: bytes, message: bytes) -> bytes:
    """A whole packet of protocol 112, where the kernel is not to make the header."""
    first = 6 << 28 | CLASS_CS6 << 20
    return _HEADER6.pack(first, len(message), VRRP_PROTOCOL, TTL, source, destination) + message


def open_packet(packet: bytes) -> Datagram:
    """Open an IPv4 header. Raises Dropped when there is none, or none of protocol 112."""
    if len(packet) < _HEADER.size:
        raise Dropped(Drop.PROTOCOL)
    first, _, total, _, _, ttl, protocol, _, source, destination = _HEADER.unpack_from(packet)
    header_bytes = (first & 0xF) * 4
    if first >> 4 != 4 or protocol != VRRP_PROTOCOL or not _HEADER.size <= header_bytes <= len(packet):  # noqa: PLR2004 (IPv4)
        raise Dropped(Drop.PROTOCOL)
    whole = header_bytes <= total <= len(packet)
    message = packet[header_bytes:total] if whole else packet[header_bytes:]  # what follows the total is padding
    return Datagram(source, destination, ttl, whole, message)
