"""Routes as rtnetlink messages: a table's dump, and which notifications are about a prefix. Pure.

Layout and numbers are those of include/uapi/linux/rtnetlink.h and nexthop.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from socket import inet_ntop, inet_pton  # bytes to text and back, no socket

from netlink.family import Family
from netlink.wire import Attributes, Message, attribute, attributes, garbled, number

NEW_ROUTE, DELETE_ROUTE, GET_ROUTE = 24, 25, 26
DELETE_NEXTHOP = 105
IPV4_ROUTE_GROUP, IPV6_ROUTE_GROUP, NEXTHOP_GROUP = 7, 11, 32
MAIN_TABLE = 254
HEADER_BYTES = 16  # of a netlink message, before its body

_HEADER = struct.Struct("=BBBBBBBBI")  # family, lengths of destination and source, tos, table, protocol, scope, type
_HOP = struct.Struct("=HBBi")  # length, flags, hops, interface
_DST, _OIF, _GATEWAY, _PREFERRED, _MULTIPATH, _TABLE, _VIA = 1, 4, 5, 7, 9, 15, 18
_UNICAST = 1
_UNUSABLE = 0x01 | 0x10  # RTNH_F_DEAD, RTNH_F_LINKDOWN
_NARROW_TABLES = 256
_SIZES = {Family.INET: 4, Family.INET6: 16}
_FAMILY_BYTES = 2

_LOAD_HALF, _LOAD_BYTE, _JUMP_EQUAL, _RETURN = 0x28, 0x30, 0x15, 0x06
_WHOLE = 0xFFFFFFFF


@cache
def _parsed(prefix: str) -> tuple[bytes, int]:
    """Address and length, once: a table's dump asks for them thousands of times."""
    address, _, length = prefix.partition("/")
    return inet_pton(Family.INET6 if ":" in address else Family.INET, address), int(length)


@dataclass(frozen=True, slots=True)
class Destination:
    """What a route leads to: `prefix` in canonical form, as `192.0.2.0/24`, in table `table`."""

    prefix: str
    table: int = MAIN_TABLE

    @property
    def family(self) -> Family:
        """The prefix's family."""
        return Family.INET6 if ":" in self.prefix else Family.INET

    @property
    def length(self) -> int:
        """The prefix's length."""
        return _parsed(self.prefix)[1]

    @property
    def packed(self) -> bytes:
        """The prefix's address."""
        return _parsed(self.prefix)[0]


@dataclass(frozen=True, slots=True)
class Hop:
    """One way a route goes. `usable`: the kernel does not mark it dead; empty `gateway`: on the link itself."""

    index: int
    gateway: str
    usable: bool


@dataclass(frozen=True, slots=True)
class Route:
    """A route that carries packets on. `source`: the address it prefers as theirs, with which it goes."""

    destination: Destination
    hops: tuple[Hop, ...]
    source: str = ""


def dump_routes(destination: Destination) -> bytes:
    """Ask for all routes of the destination's family and table (which only a strict socket takes into account)."""
    table = destination.table if destination.table < _NARROW_TABLES else 0
    header = _HEADER.pack(destination.family, 0, 0, 0, table, 0, 0, 0, 0)
    return header + attribute(_TABLE, struct.pack("=I", destination.table))


def decode_route(body: memoryview, wanted: Destination) -> Route | None:
    """The route, if it leads to exactly what is wanted; None for any other, and for one that refuses packets."""
    if len(body) < _HEADER.size:
        raise garbled("truncated route")
    if not _is_about(body, wanted):
        return None
    found = attributes(body, _HEADER.size)
    table = number(found[_TABLE], 4) if _TABLE in found else body[4]
    kind, flags = body[7], _HEADER.unpack_from(body)[-1]
    if table != wanted.table or kind != _UNICAST or _raw(found.get(_DST), wanted) != wanted.packed:
        return None
    source = found.get(_PREFERRED)
    return Route(wanted, tuple(_hops(found, flags, wanted.family)), _address(source, wanted.family) if source else "")


def concerns(message: Message, wanted: Iterable[Destination]) -> bool:
    """Whether a notification may have changed a route to one of these. Raises NetlinkError when it is garbled."""
    if message.type == DELETE_NEXTHOP:  # takes routes along of which nothing is said
        return True
    if message.type not in {NEW_ROUTE, DELETE_ROUTE}:
        return False
    if len(message.body) < _HEADER.size:
        raise garbled("truncated route")
    near = [one for one in wanted if _is_about(message.body, one)]
    if not near:
        return False
    raw = attributes(message.body, _HEADER.size).get(_DST)
    return any(_raw(raw, one) == one.packed for one in near)


def interest(wanted: Iterable[Destination]) -> bytes:
    """A filter (bpf(4), array of struct sock_filter) that passes little but notifications about these.

    A machine with all the internet's routes hears of thousands in a second, none of which may hold up who listens.
    """
    lengths = sorted({(int(one.family), one.length) for one in wanted})
    checks: list[tuple[int, int, int, int]] = []
    for family, length in lengths:
        checks += [
            (_LOAD_BYTE, 0, 0, HEADER_BYTES),
            (_JUMP_EQUAL, 0, 3, family),
            (_LOAD_BYTE, 0, 0, HEADER_BYTES + 1),
            (_JUMP_EQUAL, 0, 1, length),
            (_RETURN, 0, 0, _WHOLE),
        ]
    hop = int.from_bytes(struct.pack("=H", DELETE_NEXTHOP))  # the filter reads network order, netlink is in the host's
    program = [
        (_LOAD_HALF, 0, 0, 4),
        (_JUMP_EQUAL, 0, 1, hop),
        (_RETURN, 0, 0, _WHOLE),
        *checks,
        (_RETURN, 0, 0, 0),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _is_about(body: memoryview, wanted: Destination) -> bool:
    """By family and length of the prefix alone."""
    return body[0] == wanted.family and body[1] == wanted.length


def _raw(value: memoryview | None, wanted: Destination) -> bytes:
    """A destination's bytes; a default route has none."""
    size = _SIZES[wanted.family]
    return bytes(size) if value is None else bytes(value[:size])


def _hops(found: Attributes, flags: int, family: Family) -> Iterable[Hop]:
    if _MULTIPATH not in found:
        index = number(found[_OIF], 4) if _OIF in found else 0
        yield Hop(index, _gateway(found, family), not flags & _UNUSABLE)
        return
    ways, offset = found[_MULTIPATH], 0
    while offset < len(ways):
        if len(ways) - offset < _HOP.size:
            raise garbled("truncated next hop")
        length, marks, _, index = _HOP.unpack_from(ways, offset)
        if not _HOP.size <= length <= len(ways) - offset:
            raise garbled("next hop's length")
        inside = attributes(ways[offset + _HOP.size : offset + length])
        yield Hop(index, _gateway(inside, family), not marks & _UNUSABLE)
        offset += (length + 3) & ~3


def _gateway(found: Attributes, family: Family) -> str:
    if _GATEWAY in found:
        return _address(found[_GATEWAY], family)
    if _VIA in found:  # of another family than the route's
        other = number(found[_VIA], _FAMILY_BYTES)
        if other not in set(Family):
            raise garbled("gateway")
        return _address(found[_VIA][_FAMILY_BYTES:], Family(other))
    return ""


def _address(value: memoryview, family: Family) -> str:
    if len(value) < _SIZES[family]:
        raise garbled("address of a route")
    return inet_ntop(family, value[: _SIZES[family]])
