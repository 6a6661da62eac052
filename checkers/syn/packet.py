"""A SYN as bytes, and what may come back for one: TCP's answers, and the packet that an ICMP error quotes. Pure.

RFC 9293 section 3.1 for TCP, RFC 791 and RFC 8200 for the headers before it. Everything but our port and the sequence
number is the same for all probes of a target, so a form is made once and filled in for each.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

TCP = 6
HOPS = 64
NUMBERS = 1 << 32  # sequence numbers

SYN, RST, ACK = 0x02, 0x04, 0x10

MODULUS = 0xFFFF  # of checksums

ANSWER_LIMIT_BYTES = STRIDE = 48  # an IPv4 header and a TCP header: nothing behind them is looked at
NAME_BYTES = 28  # struct sockaddr_in6

ACCEPTED, REFUSED = SYN | ACK, RST | ACK
ANSWERS = SYN | RST | ACK
"""What tells answers apart (RFC 9293 section 3.10.7.3): without ACK nothing tells what it answers; a FIN beside SYN and
ACK changes nothing, the connection would be accepted and ended."""

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIHHHHI")  # the last one: the only option, maximum segment size
_PSEUDO = struct.Struct("!HH")  # its end: what the words of the two addresses are added to (RFC 9293 section 3.1)
_RAW_4 = struct.Struct("!12x4s4xHH4xIxB14x")  # source, two ports, acknowledgement number, flags
_RAW_6 = struct.Struct("!HH4xIxB34x")
_NAME_6 = struct.Struct("8x20s")
_TO_4, _TO_6 = struct.Struct("=HH4s8x"), struct.Struct("=HHI16s4s")  # struct sockaddr_in, sockaddr_in6
_QUOTE = struct.Struct("!HHI")  # two ports, sequence number: all that an ICMP error must quote (RFC 792)

_PLAIN_4 = 0x45  # version 4, no options
_IPV4_BYTES = 20
_TCP_BYTES = 20
_LENGTH = (_TCP.size // 4) << 12
_WINDOW = 64240
_SEGMENT_OPTION = 0x0204 << 16  # kind 2, 4 bytes
_DONT_FRAGMENT = 0x4000


class Malformed(Exception):
    """Bytes that are no TCP header where one has to be."""


Answer = tuple[bytes, int, int, int, int]
"""What counts of an answer: from whom (packed, with the scope's four bytes for IPv6), the ports as the sender sees
them, the number it acknowledges, its flags. Plain, as ten thousand a second are made.
"""


class Quote(NamedTuple):
    """The SYN that an ICMP error is about: ports as we see them."""

    our_port: int
    port: int
    number: int


class Shape(NamedTuple):
    """How a SYN of one family lies in a buffer of many: where it goes (struct sockaddr_in or _in6), then the packet."""

    name_bytes: int
    head_bytes: int  # of both before the TCP header
    slot_bytes: int  # from one to the next
    segment: int  # the longest that we say we take

    @property
    def end(self) -> int:
        """Of the packet; what follows fills the slot."""
        return self.head_bytes + _TCP.size


SHAPE_4 = Shape(16, 36, 64, 1460)  # what every host that speaks over Ethernet says
SHAPE_6 = Shape(28, 68, 96, 1440)
OUR_PORT_AT, NUMBER_AT, SUM_AT = 0, 4, 16  # in a TCP header: all that differs between probes of one target


class Form:
    """A SYN from one address to one port of another, as a raw socket with IP_HDRINCL sends it."""

    __slots__ = ("_port", "_shape", "slot", "sum")

    def __init__(self, source: bytes, target: bytes, port: int, scope: bytes = bytes(4)) -> None:
        """Both addresses packed, of one family; an IPv6 target's scope as sockaddr_in6 has it."""
        six = len(target) > 4  # noqa: PLR2004 - an IPv4 address has four bytes
        shape = self._shape = SHAPE_6 if six else SHAPE_4
        name = _TO_6.pack(socket.AF_INET6, 0, 0, target, scope) if six else _TO_4.pack(socket.AF_INET, 0, target)
        head = _header_6(source, target) if six else _header_4(source, target)
        segment = _segment(0, port, 0, SYN, 0, shape)
        self._port = port
        self.slot = (name + head + segment).ljust(shape.slot_bytes, b"\0")
        """With zeros for our port, number and checksum."""
        self.sum = _words(source + target + _PSEUDO.pack(TCP, _TCP.size) + segment)
        """Of all that the checksum covers: `checksum` of this, our port and the number together is the packet's."""

    def fill(self, our_port: int, number: int, flags: int = SYN) -> bytes:
        """The packet of one probe, or with RST the one that ends it."""
        shape = self._shape
        right = checksum(self.sum + our_port + number + flags - SYN)
        return self.slot[shape.name_bytes : shape.head_bytes] + _segment(
            our_port, self._port, number, flags, right, shape
        )


def checksum(total: int) -> int:
    """Of bytes whose 16-bit words have this sum, none of them all zeros (RFC 1071).

    Adding with the carry brought around is adding modulo 65535, where 65536 is 1: so whole 32-bit numbers may be added,
    too, and carries need no thought.
    """
    return -total % MODULUS


def answers_4(slab: bytes | bytearray, lengths: Sequence[int]) -> list[Answer | None]:
    """What raw IPv4 packets say, their IP headers included: one each STRIDE bytes, so long; None for no TCP header."""
    if slab[::STRIDE].count(_PLAIN_4) == len(lengths) and min(lengths, default=0) >= _IPV4_BYTES + _TCP_BYTES:
        return list(_RAW_4.iter_unpack(slab))
    return [
        # with IP options, too: nobody answers us so
        answer if first == _PLAIN_4 and length >= _IPV4_BYTES + _TCP_BYTES else None
        for answer, first, length in zip(_RAW_4.iter_unpack(slab), slab[::STRIDE], lengths, strict=True)
    ]


def answers_6(slab: bytes | bytearray, names: bytes | bytearray, lengths: Sequence[int]) -> list[Answer | None]:
    """What raw IPv6 packets say, which come without their IP headers, and who sends them (struct sockaddr_in6)."""
    packets = zip(_NAME_6.iter_unpack(names), _RAW_6.iter_unpack(slab), lengths, strict=True)
    return [source + rest if length >= _TCP_BYTES else None for source, rest, length in packets]


def quote(packet: bytes, length: int) -> Quote:
    """The SYN that an ICMP error quotes, from its TCP header on. Raises Malformed."""
    if length < _QUOTE.size:
        text = f"an ICMP error that quotes {length} bytes"
        raise Malformed(text)
    return Quote(*_QUOTE.unpack_from(packet))


def _header_4(source: bytes, target: bytes) -> bytes:
    """The kernel fills in total length, identification and checksum (raw(7))."""
    return _IPV4.pack(0x45, 0, 0, 0, _DONT_FRAGMENT, HOPS, TCP, 0, source, target)


def _header_6(source: bytes, target: bytes) -> bytes:
    return _IPV6.pack(6 << 28, _TCP.size, TCP, HOPS, source, target)


def _segment(our_port: int, port: int, number: int, flags: int, right: int, shape: Shape) -> bytes:
    return _TCP.pack(our_port, port, number, 0, _LENGTH | flags, _WINDOW, right, 0, _SEGMENT_OPTION | shape.segment)


def _words(octets: bytes) -> int:
    """The sum of RFC 1071, not folded yet."""
    return sum(struct.unpack(f"!{len(octets) // 2}H", octets))
