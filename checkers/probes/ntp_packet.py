"""NTP packets (RFC 5905 section 7.3): a client's question as bytes, and the answer to it. Pure."""

from __future__ import annotations

import struct

import msgspec

from checkers.probes.failures import Unfit

PACKET_BYTES = 48  # of the header; extension fields and a MAC may follow
PACKET_LIMIT_BYTES = 2048
VERSION = 4
CLIENT, SERVER = 3, 4
LEAP_UNKNOWN = 3  # the clock is not synchronised
STRATUM_UNSYNCHRONISED = 16
TIMESTAMP_BYTES = 8

_HEADER = struct.Struct("!BBbbII4s8s8s8s8s")
_VERSIONS = range(1, VERSION + 1)


class Answer(msgspec.Struct, frozen=True):
    """What a server says of itself."""

    leap: int
    stratum: int
    reference: bytes  # its source, or with stratum 0 the kiss code
    received: bytes  # timestamps in NTP's 64 bits; nothing but zeros: none
    transmitted: bytes


def question(token: bytes) -> bytes:
    """A client's packet. `token`, 8 random bytes, stands for the transmit timestamp and tells nothing of our clock.

    draft-ietf-ntp-data-minimization: all else is zero.
    """
    return bytes((VERSION << 3 | CLIENT,)) + bytes(PACKET_BYTES - 1 - TIMESTAMP_BYTES) + token


def read(packet: bytes, token: bytes) -> Answer:
    """The answer to the question of that token. Raises Unfit for any other bytes, and nothing else."""
    if not PACKET_BYTES <= len(packet) <= PACKET_LIMIT_BYTES:
        text = f"{len(packet)} bytes"
        raise Unfit(text)
    first, stratum, _, _, _, _, reference, _, origin, received, transmitted = _HEADER.unpack_from(packet)
    leap, version, mode = first >> 6, first >> 3 & 7, first & 7
    if mode != SERVER or version not in _VERSIONS:
        text = f"mode {mode}, version {version}"
        raise Unfit(text)
    if origin != token:
        text = "the answer to another question"
        raise Unfit(text)
    return Answer(leap, stratum, reference, received, transmitted)
