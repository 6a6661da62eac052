"""Reads the recorded frames of this folder (classic pcap, Ethernet, little-endian)."""

from __future__ import annotations

import struct
from pathlib import Path

FOLDER = Path(__file__).parent
ETHERNET_HEADER_BYTES = 14
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
