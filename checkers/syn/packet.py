"""A SYN as bytes, and what may come back for one: TCP's answers, and the packet that an ICMP error quotes. Pure.

RFC 9293 section 3.1 for TCP, RFC 791 and RFC 8200 for the headers before it. Everything but our port and the sequence
number is the same for all probes of a target, so a form is made once and filled in for each.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

TCP = 6
HOPS = 64
NUMBERS = 1 << 32  # sequence numbers

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

ANSWER_LIMIT_BYTES = STRIDE = 48  # an IPv4 header and a TCP header: nothing behind them is looked at
NAME_BYTES = 28  # struct sockaddr_in6

ACCEPTED, REFUSED = SYN | ACK, RST | ACK
ANSWERS = FIN | SYN | RST | ACK  # RFC 9293 section 3.10.7.3: without ACK nothing tells what it answers

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIHHHHI")  # the last one: the only option, maximum segment size
_PSEUDO = struct.Struct("!HH")  # its end: what the words of the two addresses are added to (RFC 9293 section 3.1)
_RAW_4 = struct.Struct("!B11x4s4xHH4xIxB14x")  # first byte, source, two ports, acknowledgement number, flags
_RAW_6 = struct.Struct("!HH4xIxB34x")
_NAME_6 = struct.Struct("8x20s")
_QUOTE = struct.Struct("!HHI")  # two ports, sequence number: all that an ICMP error must quote (RFC 792)

_PLAIN_4 = 0x45  # version 4, no options
_SHORTEST_IPV4_BYTES = 20
_TCP_BYTES = 20
_LENGTH = (_TCP.size // 4) << 12
_WINDOW = 64240
_SEGMENT_4, _SEGMENT_6 = 1460, 1440  # what every host that speaks over Ethernet says
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


class Form:
    """A SYN from one address to one port of another, as a raw socket with IP_HDRINCL sends it."""

    __slots__ = ("_at", "_port", "_segment", "_sum", "bytes")

    def __init__(self, source: bytes, target: bytes, port: int) -> None:
        """Both addresses packed, of one family."""
        six = len(target) > 4  # noqa: PLR2004 - an IPv4 address has four bytes
        head = _header_6(source, target) if six else _header_4(source, target)
        self.bytes = bytearray(head + bytes(_TCP.size))
        self._at = len(head)
        self._port = port
        self._segment = _SEGMENT_OPTION | (_SEGMENT_6 if six else _SEGMENT_4)
        blank = _TCP.pack(0, port, 0, 0, _LENGTH, _WINDOW, 0, 0, self._segment)
        self._sum = _words(source + target + _PSEUDO.pack(TCP, _TCP.size) + blank)

    def fill(self, our_port: int, number: int, flags: int = SYN) -> bytearray:
        """The packet of one probe, or with RST the one that ends it; the same buffer each time."""
        total = self._sum + our_port + (number >> 16) + (number & 0xFFFF) + flags
        total = (total & 0xFFFF) + (total >> 16)
        checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        _TCP.pack_into(
            self.bytes, self._at, our_port, self._port, number, 0, _LENGTH | flags, _WINDOW, checksum, 0, self._segment
        )
        return self.bytes


def answers_4(slab: bytes | bytearray, lengths: Iterable[int]) -> Iterator[Answer | None]:
    """What raw IPv4 packets say, their IP headers included: one each STRIDE bytes, so long; None for no TCP header."""
    for packet, length in zip(_RAW_4.iter_unpack(slab), lengths, strict=False):
        first, source, port, our_port, number, flags = packet
        if first == _PLAIN_4 and length >= _SHORTEST_IPV4_BYTES + _TCP_BYTES:
            yield source, port, our_port, number, flags
        else:
            yield None  # with IP options, too: nobody answers us so


def answers_6(slab: bytes | bytearray, names: bytes | bytearray, lengths: Iterable[int]) -> Iterator[Answer | None]:
    """What raw IPv6 packets say, which come without their IP headers, and who sends them (struct sockaddr_in6)."""
    for packet, (source,), length in zip(_RAW_6.iter_unpack(slab), _NAME_6.iter_unpack(names), lengths, strict=False):
        port, our_port, number, flags = packet
        yield (source, port, our_port, number, flags) if length >= _TCP_BYTES else None


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


def _words(octets: bytes) -> int:
    """The sum of RFC 1071, not folded yet."""
    return sum(struct.unpack(f"!{len(octets) // 2}H", octets))
