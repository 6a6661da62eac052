"""Netlink framing: headers, attributes, answers. Pure.

Layout as in include/uapi/linux/netlink.h and genetlink.h: native byte order, everything aligned to 4 bytes.
Whatever is read is checked for its length first; a garbled message is a NetlinkError and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from struct import Struct
from typing import NamedTuple

from netlink.errors import NetlinkError

REQUEST = 0x1
ACK = 0x4
DUMP = 0x300
EXCLUSIVE = 0x200
CREATE = 0x400
DUMP_INTERRUPTED = 0x10

NOOP = 1
ERROR = 2
DONE = 3
OVERRUN = 4
DATA = 16  # NLMSG_MIN_TYPE: from here on it is not netlink itself that speaks

DATAGRAM_LIMIT = 65536  # the kernel fills at most 32 KiB of a dump at once

_HEADER = Struct("=IHHII")  # length, type, flags, sequence, port
_GENERIC = Struct("=BBxx")  # command, version
_ATTRIBUTE = Struct("=HH")  # length, type
_CODE = Struct("=i")
_END = Struct("=IHHIIi")  # a header, and the code of a message of type DONE
_PORT_SIZE = 2
KIND_MASK = 0x3FFF  # without the nested and byte order marks

GENERIC_SIZE = _GENERIC.size

Attributes = Mapping[int, memoryview]


class Message(NamedTuple):
    """One netlink message as it came. A tuple, since a dump makes thousands."""

    type: int
    flags: int
    sequence: int
    body: memoryview


def garbled(what: str) -> NetlinkError:
    """The one error for bytes that are not netlink."""
    return NetlinkError(f"garbled netlink answer: {what}")


def frame(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """One message, ready to be sent to the kernel. `body` is already aligned."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | REQUEST, sequence, 0) + body


def generic(command: int, attributes: bytes = b"") -> bytes:
    """The body of a generic netlink request, version 1."""
    return _GENERIC.pack(command, 1) + attributes


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to 4 bytes. Nested ones are attributes whose value is attributes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def take_data(datagram: bytes, sequence: int, found: list[memoryview]) -> int:
    """Append the bodies of the messages that begin the datagram and are only data of this answer; where that ends.

    This is `messages` for the bulk of a dump. The first message that is anything else is left to it, and so is
    whatever is garbled.
    """
    view = memoryview(datagram)
    unpack, size = _HEADER.unpack_from, _HEADER.size
    offset, last = 0, len(view) - size
    while offset <= last:
        length, kind, flags, number, _ = unpack(view, offset)
        if number != sequence or kind < DATA or flags & DUMP_INTERRUPTED or not size <= length <= last + size - offset:
            break
        found.append(view[offset + size : offset + length])
        offset += (length + 3) & ~3
    return offset


def is_plain_end(datagram: bytes, sequence: int) -> bool:
    """Whether it is the end of this answer and nothing else: no error, nothing that changed meanwhile."""
    if len(datagram) != _END.size:
        return False
    length, kind, flags, number, _, code = _END.unpack(datagram)
    return bool(
        kind == DONE and number == sequence and length == _END.size and not code and not flags & DUMP_INTERRUPTED
    )


def messages(datagram: bytes, start: int = 0) -> Iterator[Message]:
    """The messages of one datagram, from the one at `start` on. Bounded by the datagram's own length."""
    view = memoryview(datagram)
    unpack, size = _HEADER.unpack_from, _HEADER.size
    offset, end = start, len(view)
    while offset < end:
        if end - offset < size:
            raise garbled("truncated header")
        length, kind, flags, sequence, _ = unpack(view, offset)
        if not size <= length <= end - offset:
            raise garbled("message length")
        yield Message(kind, flags, sequence, view[offset + size : offset + length])
        offset += (length + 3) & ~3


def attributes(body: memoryview, skip: int = 0) -> dict[int, memoryview]:
    """The attributes after `skip` bytes of fixed header, by type; of a repeated one the last."""
    found: dict[int, memoryview] = {}
    unpack, size = _ATTRIBUTE.unpack_from, _ATTRIBUTE.size  # looked up once: tables of thousands come through here
    offset, end = skip, len(body)
    if offset > end:
        raise garbled("truncated body")
    while offset <= end - size:
        length, kind = unpack(body, offset)
        after = offset + length
        if length < size or after > end:
            raise garbled("attribute length")
        found[kind & KIND_MASK] = body[offset + size : after]
        offset = (after + 3) & ~3
    if offset < end:
        raise garbled("trailing bytes")
    return found


def number(value: memoryview, size: int) -> int:
    """An unsigned integer of `size` bytes in native order."""
    if len(value) < size:
        raise garbled("short integer")
    return int.from_bytes(value if len(value) == size else value[:size], sys.byteorder)


def port_number(value: memoryview) -> int:
    """An unsigned 16 bit integer in network order."""
    if len(value) < _PORT_SIZE:
        raise garbled("short port")
    return value[0] << 8 | value[1]


def text(value: memoryview) -> str:
    """A NUL-terminated name. Bytes that are not ASCII are escaped, never trusted."""
    return bytes(value).split(b"\0", 1)[0].decode("ascii", "backslashreplace")


def error_code(message: Message) -> int:
    """The errno (positive) of an ERROR or DONE message; 0 is success. What follows the code is not needed."""
    if len(message.body) < _CODE.size:
        if message.type == DONE:
            return 0  # a bare end of dump
        raise garbled("short error")
    code: int = _CODE.unpack_from(message.body)[0]
    return -code
