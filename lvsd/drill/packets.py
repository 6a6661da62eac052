"""The packets a drill's prober sends and reads: TCP SYN and RST over IPv4 (RFC 791, RFC 9293), ARP (RFC 826). Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

SYN, RST, ACK = 0x02, 0x04, 0x10
PACKET_LIMIT_BYTES: Final = 96
TTL: Final = 64
_PROTOCOL_TCP: Final = 6
_WINDOW: Final = 64240
_IP = struct.Struct("!BBHHHBBH4s4s")
_TCP = struct.Struct("!HHIIBBHHH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET_IPV4 = (1, 0x0800, 6, 4)


@dataclass(frozen=True, slots=True)
class Answer:
    """A real server's answer to a SYN: from our port's view. `taken`: SYN and ACK; else it was refused (RST)."""

    port: int
    acknowledged: int
    taken: bool


def segment(source: str, target: tuple[str, int], port: int, sequence: int, flags: int) -> bytes:
    """A whole packet without data from `source`:`port`."""
    address, target_port = target
    ours, theirs = IPv4Address(source).packed, IPv4Address(address).packed
    head = [port, target_port, sequence & 0xFFFFFFFF, 0, 5 << 4, flags, _WINDOW if flags == SYN else 0, 0, 0]
    pseudo = ours + theirs + struct.pack("!BBH", 0, _PROTOCOL_TCP, _TCP.size)
    head[7] = _checksum(pseudo + _TCP.pack(*head))
    total = _IP.size + _TCP.size
    # the kernel fills in identification and checksum (raw(7))
    return _IP.pack(0x45, 0, total, 0, 0x4000, TTL, _PROTOCOL_TCP, 0, ours, theirs) + _TCP.pack(*head)


def answer_of(packet: bytes) -> Answer | None:
    """What a packet says to one of our SYNs; None when it is no such answer."""
    if len(packet) < _IP.size or packet[0] >> 4 != 4 or packet[9] != _PROTOCOL_TCP:  # noqa: PLR2004 (IPv4)
        return None
    begin = (packet[0] & 0xF) * 4
    if begin < _IP.size or len(packet) < begin + _TCP.size:
        return None
    _, port, _, acknowledged, _, flags, _, _, _ = _TCP.unpack_from(packet, begin)
    if not flags & ACK or not flags & (SYN | RST):
        return None
    return Answer(port, acknowledged, taken=bool(flags & SYN))


def announced(packet: bytes) -> tuple[str, str] | None:
    """Address and MAC of a gratuitous ARP; None for anything else."""
    if len(packet) < _ARP.size:
        return None
    *kind, _operation, mac, address, _, target = _ARP.unpack_from(packet)
    if tuple(kind) != _ETHERNET_IPV4 or address != target:
        return None
    return str(IPv4Address(address)), mac.hex(":")


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:  # noqa: PLR2004 (sixteen bits)
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
