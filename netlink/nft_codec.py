"""One small nf_tables table that drops what comes for some addresses, as netfilter netlink messages. Pure.

Layout and numbers are those of include/uapi/linux/netfilter/nfnetlink.h and nf_tables.h; numbers inside attributes are
in network order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from socket import inet_pton  # text to bytes, no socket

from netlink.errors import NetlinkError
from netlink.family import Family
from netlink.wire import CREATE, EXCLUSIVE, attribute

TABLE, CHAIN = "lvsd", "accept"

PRIORITY = 200
"""After IPVS, whose hooks for local packets are at 98 and 99 (ip_vs_core.c): it has taken what is a service's."""

APPEND = 0x800
BATCH_BEGIN, BATCH_END = 16, 17
_SUBSYSTEM = 10
NEW_TABLE, DELETE_TABLE, NEW_CHAIN, NEW_RULE = (_SUBSYSTEM << 8 | number for number in (0, 2, 3, 6))

_HEADER = struct.Struct("!BBH")  # family, version, resource
_NESTED = 0x8000
_OWNER = 2  # NFT_TABLE_F_OWNER
_INPUT = 1  # NF_INET_LOCAL_IN
_DROP, _ACCEPT = 0, 1
_VERDICT_REGISTER, _REGISTER = 0, 1
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_L4_PROTOCOL = 16  # NFT_META_L4PROTO
_ICMPV6 = 58
_NEIGHBOUR_MESSAGES = (135, 136)  # solicitation, advertisement
_DESTINATION_AT = {Family.INET: (16, 4), Family.INET6: (24, 16)}  # in the header, and its length

Request = tuple[int, int, bytes]
"""Type, flags and body of one message."""


def batch(requests: Sequence[Request]) -> list[Request]:
    """All of them or none: what the kernel takes at once."""
    mark = _HEADER.pack(0, 0, _SUBSYSTEM)
    return [(BATCH_BEGIN, 0, mark), *requests, (BATCH_END, 0, mark)]


def delete_table(family: Family) -> Request:
    """Take the table away with all that is in it."""
    return DELETE_TABLE, 0, _header(family) + _string(1, TABLE)


def new_table(family: Family, addresses: Iterable[str]) -> list[Request]:
    """The table, its chain and a rule for each address of that family. Raises NetlinkError.

    It belongs to the socket that makes it: nobody else can change or flush it, and it goes with the socket.
    """
    table = _header(family) + _string(1, TABLE) + _number(2, _OWNER)
    hook = _nested(4, _number(1, _INPUT) + _number(2, PRIORITY))
    chain = _header(family) + _string(1, TABLE) + _string(3, CHAIN) + hook + _number(5, _ACCEPT) + _string(7, "filter")
    made: list[Request] = [(NEW_TABLE, CREATE | EXCLUSIVE, table), (NEW_CHAIN, CREATE, chain)]
    if family is Family.INET6:
        made += [_rule(family, _is_neighbour_message(kind), _ACCEPT) for kind in _NEIGHBOUR_MESSAGES]
    return made + [_rule(family, _is_for(family, address), _DROP) for address in addresses]


def _rule(family: Family, matches: bytes, verdict: int) -> Request:
    code = _nested(2, _number(1, verdict))
    decision = _number(1, _VERDICT_REGISTER) + _nested(2, code)
    expressions = matches + _expression("counter", b"") + _expression("immediate", decision)
    body = _header(family) + _string(1, TABLE) + _string(2, CHAIN) + _nested(4, expressions)
    return NEW_RULE, CREATE | APPEND, body


def _is_for(family: Family, address: str) -> bytes:
    try:
        packed = inet_pton(family, address)
    except OSError as error:
        message = f"cannot be said to the kernel: {address!r}"
        raise NetlinkError(message) from error
    offset, length = _DESTINATION_AT[family]
    return _payload(_NETWORK_HEADER, offset, length) + _equals(packed)


def _is_neighbour_message(kind: int) -> bytes:
    protocol = _expression("meta", _number(1, _REGISTER) + _number(2, _L4_PROTOCOL))
    return protocol + _equals(bytes((_ICMPV6,))) + _payload(_TRANSPORT_HEADER, 0, 1) + _equals(bytes((kind,)))


def _payload(base: int, offset: int, length: int) -> bytes:
    return _expression("payload", _number(1, _REGISTER) + _number(2, base) + _number(3, offset) + _number(4, length))


def _equals(value: bytes) -> bytes:
    return _expression("cmp", _number(1, _REGISTER) + _number(2, 0) + _nested(3, attribute(1, value)))


def _expression(name: str, data: bytes) -> bytes:
    return _nested(1, _string(1, name) + _nested(2, data))


def _header(family: Family) -> bytes:
    return _HEADER.pack(family, 0, 0)


def _string(kind: int, text: str) -> bytes:
    return attribute(kind, text.encode("ascii") + b"\0")


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!I", value))


def _nested(kind: int, value: bytes) -> bytes:
    return attribute(kind | _NESTED, value)
