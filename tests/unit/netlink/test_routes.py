"""Our route messages against pyroute2's, its answers against our decoder, the filter against messages, and nonsense."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from netlink.errors import NetlinkError
from netlink.routes import Destination, Hop, Route, concerns, decode_route, dump_routes, interest
from netlink.wire import Message, frame

HEADER_BYTES = 16
NEW, GONE, NEW_LINK, NEXTHOP_GONE = 24, 25, 16, 105
LAN, SIX, DEFAULT = Destination("198.51.100.0/24"), Destination("2001:db8::/32"), Destination("0.0.0.0/0")
DEAD, LINK_DOWN, ON_LINK = 1, 16, 4


def route_message(
    prefix: str, *attributes: tuple[str, object], kind: int = 1, flags: int = 0, table: int = 254
) -> bytes:
    """As pyroute2 packs it."""
    address, _, length = prefix.partition("/")
    message = rtmsg()
    message["family"], message["dst_len"] = 10 if ":" in prefix else 2, int(length)
    message["table"], message["type"], message["flags"] = min(table, 252), kind, flags
    listed: list[tuple[str, object]] = [("RTA_TABLE", table)]
    if int(length):
        listed.append(("RTA_DST", address))
    message["attrs"] = [*listed, *attributes]
    message.encode()
    return bytes(message.data)[HEADER_BYTES:]


def read(wanted: Destination, body: bytes) -> Route | None:
    return decode_route(memoryview(body), wanted)


@pytest.mark.parametrize("wanted", [LAN, SIX, DEFAULT, Destination("10.0.0.0/8", 1000)])
def test_asking_for_a_table_is_said_as_pyroute2_says_it(wanted: Destination) -> None:
    message = rtmsg()
    message["family"], message["table"] = wanted.family, wanted.table if wanted.table < 256 else 0
    message["attrs"] = [("RTA_TABLE", wanted.table)]
    message.encode()
    assert dump_routes(wanted) == bytes(message.data)[HEADER_BYTES:]


@pytest.mark.parametrize(
    ("wanted", "attributes", "flags", "hop"),
    [
        (LAN, [("RTA_OIF", 3)], 0, Hop(3, "", usable=True)),
        (LAN, [("RTA_OIF", 3), ("RTA_GATEWAY", "192.0.2.9")], ON_LINK, Hop(3, "192.0.2.9", usable=True)),
        (DEFAULT, [("RTA_OIF", 3), ("RTA_GATEWAY", "192.0.2.9")], 0, Hop(3, "192.0.2.9", usable=True)),
        (SIX, [("RTA_OIF", 3), ("RTA_GATEWAY", "fe80::1")], 0, Hop(3, "fe80::1", usable=True)),
        (LAN, [("RTA_OIF", 3)], DEAD, Hop(3, "", usable=False)),
        (LAN, [("RTA_OIF", 3)], LINK_DOWN, Hop(3, "", usable=False)),
        (LAN, [], 0, Hop(0, "", usable=True)),
    ],
)
def test_a_route_of_one_way(wanted: Destination, attributes: list[tuple[str, object]], flags: int, hop: Hop) -> None:
    assert read(wanted, route_message(wanted.prefix, *attributes, flags=flags)) == Route(wanted, (hop,))


def test_a_route_of_several_ways_and_the_address_it_prefers() -> None:
    ways = [
        {"oif": 3, "flags": 0, "attrs": [("RTA_GATEWAY", "192.0.2.9")]},
        {"oif": 4, "flags": DEAD, "attrs": [("RTA_GATEWAY", "192.0.2.10")]},
    ]
    body = route_message(LAN.prefix, ("RTA_PREFSRC", "192.0.2.1"), ("RTA_MULTIPATH", ways))
    hops = (Hop(3, "192.0.2.9", usable=True), Hop(4, "192.0.2.10", usable=False))
    assert read(LAN, body) == Route(LAN, hops, "192.0.2.1")


def test_a_gateway_of_the_other_family() -> None:
    via = (
        struct.pack("=HH", 4 + 2 + 16, 18) + struct.pack("=H", 10) + bytes.fromhex("fe80" + "00" * 13 + "01") + bytes(2)
    )
    body = route_message(LAN.prefix, ("RTA_OIF", 3)) + via
    assert read(LAN, body) == Route(LAN, (Hop(3, "fe80::1", usable=True),))


@pytest.mark.parametrize(
    "body",
    [
        route_message("198.51.100.0/25", ("RTA_OIF", 3)),
        route_message("198.51.101.0/24", ("RTA_OIF", 3)),
        route_message("198.51.100.0/24", ("RTA_OIF", 3), table=100),
        route_message("198.51.100.0/24", ("RTA_OIF", 3), table=1000),
        route_message("198.51.100.0/24", kind=7),  # unreachable
        route_message("198.51.100.0/24", kind=6),  # blackhole
        route_message("2001:db8::/24", ("RTA_OIF", 3)),
    ],
)
def test_other_routes_and_those_that_refuse_packets_do_not_count(body: bytes) -> None:
    assert read(LAN, body) is None


def test_a_wide_table_number() -> None:
    wanted = Destination("10.0.0.0/8", 1000)
    assert read(wanted, route_message("10.0.0.0/8", ("RTA_OIF", 3), table=1000)) is not None
    assert read(wanted, route_message("10.0.0.0/8", ("RTA_OIF", 3))) is None


@given(st.binary(max_size=80))
def test_nonsense_is_refused_with_one_error(tail: bytes) -> None:
    head = struct.pack("=BBBBBBBBI", 2, 24, 0, 0, 254, 0, 0, 1, 0)
    for body in (tail, head + tail):
        try:
            decode_route(memoryview(body), LAN)
            concerns(Message(NEW, 0, 0, memoryview(body)), [LAN])
        except NetlinkError:
            pass


EVENTS = [
    (NEW, route_message("198.51.100.0/24"), True),
    (GONE, route_message("198.51.100.0/24"), True),
    (GONE, route_message("198.51.100.0/24", table=100), True),  # of whichever table: read anew, it is told apart
    (NEW, route_message("2001:db8::/32"), True),
    (NEW, route_message("198.51.100.0/25"), False),
    (NEW, route_message("2001:db8::/24"), False),
    (NEXTHOP_GONE, bytes(8), True),
    (104, bytes(8), False),
    (NEW_LINK, route_message("198.51.100.0/25"), False),
]


@pytest.mark.parametrize(("kind", "body", "news"), [*EVENTS, (NEW, route_message("198.51.99.0/24"), False)])
def test_what_is_news(kind: int, body: bytes, news: bool) -> None:
    assert concerns(Message(kind, 0, 0, memoryview(body)), [LAN, SIX]) is news


@pytest.mark.parametrize(("kind", "body", "news"), EVENTS)
def test_the_filter_lets_news_pass_and_little_else(kind: int, body: bytes, news: bool) -> None:
    assert passes(interest([LAN, SIX]), frame(kind, 0, 0, body)) is news


def test_the_filter_of_no_interest_lets_nothing_pass_but_next_hops() -> None:
    assert not passes(interest([]), frame(NEW, 0, 0, route_message("198.51.100.0/24")))


def passes(program: bytes, packet: bytes) -> bool:
    """What the kernel does (bpf(4)), for the few instructions there are."""
    code, at, accumulator = list(struct.iter_unpack("=HBBI", program)), 0, 0
    while True:
        operation, yes, no, operand = code[at]
        at += 1
        match operation:
            case 0x28:
                accumulator = int.from_bytes(packet[operand : operand + 2])
            case 0x30:
                accumulator = packet[operand]
            case 0x15:
                at += yes if accumulator == operand else no
            case _:
                return bool(operand)
