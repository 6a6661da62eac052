"""Reads the recorded frames of this folder (classic pcap, Ethernet, little-endian)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from lvsd.vrrp.ip import VRRP_PROTOCOL, Datagram, open_packet

FOLDER = Path(__file__).parent
ETHERNET_HEADER_BYTES = 14
IPV6_HEADER_BYTES = 40
NEIGHBOUR_ADVERTISEMENT = 136
_FILE_HEADER_BYTES = 24
_RECORD = struct.Struct("<IIII")


def frames(name: str) -> list[bytes]:
    data = (FOLDER / name).read_bytes()
    at, found = _FILE_HEADER_BYTES, []
    while at < len(data):
        kept = _RECORD.unpack_from(data, at)[2]
        at += _RECORD.size
        found.append(data[at : at + kept])
        at += kept
    return found


def packets(name: str) -> list[bytes]:
    """The IPv4 packets among the frames."""
    return [frame[ETHERNET_HEADER_BYTES:] for frame in frames(name) if frame[12:14] == b"\x08\x00"]


def arps(name: str) -> list[bytes]:
    return [frame for frame in frames(name) if frame[12:14] == b"\x08\x06"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An advertisement as it was sent: the IP packet, and what is in it."""

    packet: bytes
    datagram: Datagram
    identification: int = 0  # IPv4 alone


def advertisements(name: str) -> list[Recorded]:
    """All of protocol 112, of both families."""
    found = []
    for frame in frames(name):
        kind, packet = frame[12:14], frame[ETHERNET_HEADER_BYTES:]
        if kind == b"\x08\x00" and packet[9] == VRRP_PROTOCOL:
            found.append(Recorded(packet, open_packet(packet), int.from_bytes(packet[4:6], "big")))
        if kind == b"\x86\xdd" and packet[6] == VRRP_PROTOCOL:
            opened = Datagram(packet[8:24], packet[24:40], packet[7], True, packet[IPV6_HEADER_BYTES:])
            found.append(Recorded(packet, opened))
    return found


def neighbour_advertisements(name: str) -> list[bytes]:
    """The unsolicited ones, to all nodes."""
    return [
        one for one in frames(name) if one[12:14] == b"\x86\xdd" and one[:6] == b"\x33\x33\0\0\0\1" and one[54] == 136
    ]
