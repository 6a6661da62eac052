"""The Basic Encoding Rules as far as LDAP uses them (X.690; RFC 4511 section 5.1). Pure.

Lengths are definite and tags below 31, as LDAP has it; whatever else comes is Malformed.
"""

from __future__ import annotations

BOOLEAN = 0x01
INTEGER = 0x02
OCTET_STRING = 0x04
ENUMERATED = 0x0A
SEQUENCE = 0x30

LONG_FORM = 0x80
LENGTH_OCTETS_LIMIT = 4  # X.690 allows 126; no message of ours needs more than four
INTEGER_OCTETS_LIMIT = 4  # RFC 4511 section 4.1.1: up to 2^31 - 1
HIGH_TAG = 0x1F


class Malformed(Exception):
    """Bytes that are no element."""


def element(tag: int, *contents: bytes) -> bytes:
    """One element around its contents."""
    body = b"".join(contents)
    return bytes((tag,)) + _length(len(body)) + body


def integer(value: int, tag: int = INTEGER) -> bytes:
    """A number that is not negative."""
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1))


def text(words: str, tag: int = OCTET_STRING) -> bytes:
    """A text in UTF-8."""
    return element(tag, words.encode())


def boolean(value: bool) -> bytes:
    """True is all ones (RFC 4511 section 5.1)."""
    return element(BOOLEAN, b"\xff" if value else b"\0")


def more_length(first: int) -> int:
    """How many octets of length follow the first one. Raises Malformed."""
    if first < LONG_FORM:
        return 0
    count = first - LONG_FORM
    if not 0 < count <= LENGTH_OCTETS_LIMIT:
        words = f"a length of {count} octets"
        raise Malformed(words)
    return count


def take(data: bytes) -> tuple[int, bytes, bytes]:
    """The first element's tag and contents, and what follows it. Raises Malformed."""
    if len(data) < 2:  # noqa: PLR2004 - a tag and a length
        words = "an element is cut off"
        raise Malformed(words)
    tag, first = data[0], data[1]
    if tag & HIGH_TAG == HIGH_TAG:
        words = "a tag of more than one octet"
        raise Malformed(words)
    begin = 2 + more_length(first)
    size = first if first < LONG_FORM else int.from_bytes(data[2:begin])
    if len(data) < begin or len(data) - begin < size:
        words = "an element is cut off"
        raise Malformed(words)
    return tag, data[begin : begin + size], data[begin + size :]


def expect(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The contents of the first element, which must have this tag, and what follows it. Raises Malformed."""
    found, contents, rest = take(data)
    if found != tag:
        words = f"tag {found:#04x} where {tag:#04x} belongs"
        raise Malformed(words)
    return contents, rest


def number(data: bytes, tag: int = INTEGER) -> tuple[int, bytes]:
    """The first element, a number, and what follows it. Raises Malformed."""
    contents, rest = expect(data, tag)
    if not 0 < len(contents) <= INTEGER_OCTETS_LIMIT:
        words = f"a number of {len(contents)} octets"
        raise Malformed(words)
    return int.from_bytes(contents, signed=True), rest


def _length(size: int) -> bytes:
    if size < LONG_FORM:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((LONG_FORM + len(octets),)) + octets
