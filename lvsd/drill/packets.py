"""The packets a drill's prober sends and reads: TCP SYN and RST, UDP, over IPv4 and IPv6; ARP and neighbours. Pure.

RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 826, RFC 4861 section 7.2.6.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

SYN, RST, ACK = 0x02, 0x04, 0x10
TCP, UDP, ICMPV6 = 6, 17, 58
PACKET_LIMIT_BYTES: Final = 128
TTL: Final = 64
_WINDOW: Final = 64240
_IP = struct.Struct("!BBHHHBBH4s4s")
_IP6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIBBHHH")
_UDP = struct.Struct("!HHHH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_NEIGHBOUR = struct.Struct("!BBHI16sBB6s")  # type, code, checksum, flags, target, one option
_ETHERNET_IPV4 = (1, 0x0800, 6, 4)
_VERSION_6: Final = 0x60000000
_ADVERTISEMENT, _SOLICITED, _LINK_ADDRESS = 136, 0x40000000, 2
_TCP_CHECKSUM, _UDP_CHECKSUM = 16, 6


@dataclass(frozen=True, slots=True)
class Answer:
    """A real server's answer, from our port's view. `taken`: SYN and ACK, or a datagram; else it was refused (RST)."""

    port: int
    acknowledged: int
    taken: bool


def segment(source: str, target: tuple[str, int], port: int, sequence: int, flags: int) -> bytes:
    """A whole TCP packet without data from `source`:`port`."""
    address, target_port = target
    window = _WINDOW if flags == SYN else 0
    head = _TCP.pack(port, target_port, sequence & 0xFFFFFFFF, 0, 5 << 4, flags, window, 0, 0)
    return _packet(source, address, TCP, head, _TCP_CHECKSUM)


def datagram(source: str, target: tuple[str, int], port: int, payload: bytes) -> bytes:
    """A whole UDP packet from `source`:`port`."""
    address, target_port = target
    body = _UDP.pack(port, target_port, _UDP.size + len(payload), 0) + payload
    return _packet(source, address, UDP, body, _UDP_CHECKSUM)


def _packet(source: str, address: str, protocol: int, body: bytes, checksum_at: int) -> bytes:
    ours, theirs = ip_address(source), ip_address(address)
    pseudo = ours.packed + theirs.packed + struct.pack("!II", len(body), protocol)
    checksum = _checksum(pseudo + body) or 0xFFFF  # nought would say that there is none (UDP); TCP takes either
    whole = body[:checksum_at] + struct.pack("!H", checksum) + body[checksum_at + 2 :]
    if isinstance(theirs, IPv6Address):
        return _IP6.pack(_VERSION_6, len(whole), protocol, TTL, ours.packed, theirs.packed) + whole
    length = _IP.size + len(whole)
    head = _IP.pack(0x45, 0, length, 0, 0x4000, TTL, protocol, 0, ours.packed, theirs.packed)
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + whole


def answer_of(packet: bytes) -> Answer | None:
    """What a packet says to one of our SYNs or datagrams; None when it is no such answer."""
    protocol, begin = _transport(packet)
    if protocol == UDP and len(packet) >= begin + _UDP.size:
        _, port, _, _ = _UDP.unpack_from(packet, begin)
        return Answer(port, 0, taken=True)
    if protocol != TCP or len(packet) < begin + _TCP.size:
        return None
    _, port, _, acknowledged, _, flags, _, _, _ = _TCP.unpack_from(packet, begin)
    if not flags & ACK or not flags & (SYN | RST):
        return None
    return Answer(port, acknowledged, taken=bool(flags & SYN))


def _transport(packet: bytes) -> tuple[int, int]:
    """The protocol inside, and where it begins; 0 for what is no whole IP header."""
    if len(packet) < _IP.size:
        return 0, 0
    match packet[0] >> 4:
        case 4:
            begin = (packet[0] & 0xF) * 4
            return (packet[9], begin) if begin >= _IP.size else (0, 0)
        case 6:
            return (packet[6], _IP6.size) if len(packet) >= _IP6.size else (0, 0)
        case _:
            return 0, 0


def announced(packet: bytes) -> tuple[str, str] | None:
    """Address and MAC of a gratuitous ARP or an unsolicited neighbour advertisement; None for anything else."""
    if packet and packet[0] >> 4 == 6:  # noqa: PLR2004 (IPv6; ARP begins with 0)
        return _neighbour(packet)
    if len(packet) < _ARP.size:
        return None
    *kind, _operation, mac, address, _, target = _ARP.unpack_from(packet)
    if tuple(kind) != _ETHERNET_IPV4 or address != target:
        return None
    return str(IPv4Address(address)), mac.hex(":")


def _neighbour(packet: bytes) -> tuple[str, str] | None:
    protocol, begin = _transport(packet)
    if protocol != ICMPV6 or len(packet) < begin + _NEIGHBOUR.size:
        return None
    kind, _, _, flags, target, option, length, mac = _NEIGHBOUR.unpack_from(packet, begin)
    if (kind, option, length) != (_ADVERTISEMENT, _LINK_ADDRESS, 1) or flags & _SOLICITED:
        return None
    return str(IPv6Address(target)), mac.hex(":")


def _checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:  # noqa: PLR2004 (sixteen bits)
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
