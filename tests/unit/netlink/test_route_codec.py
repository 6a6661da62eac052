"""Our rtnetlink messages against pyroute2's, its answers against our decoder, and nonsense."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from netlink import route_codec
from netlink.errors import NetlinkError
from netlink.interfaces import (
    NO_DAD,
    SECONDARY,
    Address,
    AddressAdded,
    AddressRemoved,
    Link,
    LinkChanged,
    Overrun,
    RouteEvent,
)
from netlink.route_socket import decode_events
from netlink.table import Family
from netlink.wire import Message, attribute, frame
from tests.unit.netlink.strategies import U16, addresses

HEADER_BYTES = 16
LABELS = st.text("abcdefgh0123456789:", max_size=15)
INDEXES = st.integers(1, 0x7FFFFFFF)
V4, V6 = Family.INET, Family.INET6


def held(family: Family) -> st.SearchStrategy[Address]:
    prefix_lengths = st.integers(0, 32 if family is V4 else 128)
    flags = st.sampled_from((0, NO_DAD))
    scopes = st.sampled_from((0, 253, 254))
    return st.builds(Address, INDEXES, addresses(family), prefix_lengths, LABELS, flags, scopes)


ADDRESSES = st.sampled_from(tuple(Family)).flatmap(held)


def oracle(address: Address, *, broadcast: str | None, label: bool, deprecated: bool = False) -> bytes:
    message = ifaddrmsg()
    message["family"] = 10 if ":" in address.address else 2
    message["prefixlen"], message["flags"] = address.prefix_length, address.flags
    message["scope"], message["index"] = address.scope, address.index
    attributes: list[tuple[str, object]] = [("IFA_LOCAL", address.address), ("IFA_ADDRESS", address.address)]
    if broadcast is not None:
        attributes.append(("IFA_BROADCAST", broadcast))
    if label and address.label:
        attributes.append(("IFA_LABEL", address.label))
    if deprecated:
        lifetimes = {"ifa_preferred": 0, "ifa_valid": 0xFFFFFFFF, "cstamp": 0, "tstamp": 0}
        attributes.append(("IFA_CACHEINFO", lifetimes))
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data)[HEADER_BYTES:]


@given(ADDRESSES)
def test_adding_is_said_as_pyroute2_says_it(address: Address) -> None:
    assert route_codec.new_address(address) == oracle(address, broadcast=None, label=True)


@given(held(V4), addresses(V4))
def test_adding_with_a_broadcast_address(address: Address, broadcast: str) -> None:
    assert route_codec.new_address(address, broadcast=broadcast) == oracle(address, broadcast=broadcast, label=True)


@given(held(V6))
def test_adding_a_deprecated_address(address: Address) -> None:
    expected = oracle(address, broadcast=None, label=True, deprecated=True)
    assert route_codec.new_address(address, deprecated=True) == expected


@given(ADDRESSES)
def test_deleting_is_said_as_pyroute2_says_it(address: Address) -> None:
    assert route_codec.delete_address(address) == oracle(address, broadcast=None, label=False)


@given(ADDRESSES)
def test_an_address_reads_back(address: Address) -> None:
    assert route_codec.decode_address(memoryview(route_codec.new_address(address))) == address


def test_only_one_flag_is_ours_to_set() -> None:
    body = route_codec.new_address(Address(1, "192.0.2.1", 24, flags=0xFF))
    assert body[2] == NO_DAD


def test_wide_flags_and_the_own_end_of_a_point_to_point_link() -> None:
    header = struct.pack("=BBBBI", 2, 32, 0x80, 0, 5)
    body = header + attribute(1, bytes((192, 0, 2, 9))) + attribute(2, bytes((192, 0, 2, 1)))
    body += attribute(8, struct.pack("=I", 0x281))
    assert route_codec.decode_address(memoryview(body)) == Address(5, "192.0.2.1", 32, flags=0x281)


@pytest.mark.parametrize(("family", "raw", "limit"), [(2, bytes(4), 32), (10, bytes(16), 128)])
def test_an_impossible_prefix_length_is_garbled(family: int, raw: bytes, limit: int) -> None:
    def body(prefix_length: int) -> memoryview:
        return memoryview(struct.pack("=BBBBI", family, prefix_length, 0, 0, 1) + attribute(2, raw))

    assert route_codec.decode_address(body(limit)) is not None
    with pytest.raises(NetlinkError, match="garbled"):
        route_codec.decode_address(body(limit + 1))


def link_message(link: Link, family: int = 0) -> bytes:
    """As pyroute2 packs it."""
    message = ifinfmsg()
    message["family"], message["index"] = family, link.index
    message["flags"] = (0x1 if link.up else 0) | (0x40 if link.running else 0)
    attributes: list[tuple[str, object]] = [("IFLA_IFNAME", link.name), ("IFLA_MTU", link.mtu)]
    attributes.append(("IFLA_ADDRESS", link.mac.hex(":")))
    if link.kind:
        attributes.append(("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", link.kind)]}))
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data)[HEADER_BYTES:]


LINKS = st.builds(
    Link,
    INDEXES,
    st.text("abcdefgh0123456789.-", min_size=1, max_size=15),
    st.binary(min_size=6, max_size=6),
    U16,
    up=st.just(True),
    running=st.booleans(),
    kind=st.sampled_from(("", "veth", "bridge")),
)
ETH0 = Link(2, "eth0", bytes(6), 1500, up=True, running=True)
VIP = Address(2, "192.0.2.100", 24, "eth0")


@given(LINKS)
def test_a_link_reads_as_pyroute2_wrote_it(link: Link) -> None:
    assert route_codec.decode_link(memoryview(link_message(link))) == link


def test_a_link_that_is_down_does_not_run() -> None:
    body = bytearray(link_message(ETH0))
    body[8] = 0x40  # running, said the flags, but not up
    found = route_codec.decode_link(memoryview(bytes(body)))
    assert (found.up, found.running) == (False, False)


@pytest.mark.parametrize(
    ("kind", "body", "event"),
    [
        (16, link_message(ETH0), LinkChanged(ETH0)),
        (17, link_message(ETH0), LinkChanged(ETH0, present=False)),
        (16, link_message(ETH0, family=7), None),  # a bridge about its port
        (17, link_message(ETH0, family=7), None),  # the port left the bridge, it is not gone
        (20, route_codec.new_address(VIP), AddressAdded(VIP)),
        (21, route_codec.new_address(VIP), AddressRemoved(VIP)),
        (20, struct.pack("=BBBBI", 17, 0, 0, 0, 1), None),  # not an IP address
        (24, b"a route", None),
    ],
)
def test_events(kind: int, body: bytes, event: RouteEvent | None) -> None:
    assert route_codec.decode_event(Message(kind, 0, 0, memoryview(body))) == event


def test_what_cannot_be_read_is_as_good_as_lost() -> None:
    good = frame(20, 0, 0, route_codec.new_address(VIP))
    bad = frame(20, 0, 0, b"\x02\x18\0\0\1\0\0\0")
    assert decode_events(good + bad) == [AddressAdded(VIP), Overrun()]


def at(address: str, prefix_length: int = 24, *, index: int = 2, secondary: bool = False) -> Address:
    return Address(index, address, prefix_length, flags=SECONDARY if secondary else 0)


def test_a_primary_would_take_its_secondaries_along() -> None:
    base, vip, other = at("192.0.2.1"), at("192.0.2.100", secondary=True), at("192.0.2.101", secondary=True)
    strangers = (
        at("192.0.2.102", 32),
        at("192.0.2.103", 25, secondary=True),
        at("198.51.100.1", secondary=True),
        at("192.0.2.104", index=3, secondary=True),
        Address(2, "2001:db8::1", 24, flags=SECONDARY),
    )
    everything = (*strangers, base, vip, other)
    assert route_codec.dependents(everything, base) == (vip, other)
    assert route_codec.dependents(everything, vip) == ()
    assert route_codec.dependents(everything, at("192.0.2.99")) == ()
    assert route_codec.dependents(everything, at("2001:db8::1", 24)) == ()


@pytest.mark.parametrize(
    "address",
    [
        Address(1, "192.0.2.1", 33),
        Address(1, "2001:db8::1", 129),
        Address(1, "192.0.2.1", -1),
        Address(1, "192.0.2", 24),
        Address(1, "eth0", 24),
        Address(-1, "192.0.2.1", 24),
        Address(1, "192.0.2.1", 24, scope=256),
    ],
)
def test_what_no_message_can_carry_is_refused(address: Address) -> None:
    for encode in (route_codec.new_address, route_codec.delete_address):
        with pytest.raises(NetlinkError, match="cannot be said"):
            encode(address)


def test_long_labels_and_mixed_broadcasts_are_refused() -> None:
    with pytest.raises(NetlinkError, match="15 characters"):
        route_codec.new_address(Address(1, "192.0.2.1", 24, "a-label-too-long"))
    with pytest.raises(NetlinkError, match="cannot be said"):
        route_codec.new_address(Address(1, "192.0.2.1", 24), broadcast="2001:db8::1")


@given(st.sampled_from((16, 17, 20, 21)), st.binary(max_size=80))
def test_garbage_raises_only_netlink_errors(kind: int, body: bytes) -> None:
    with contextlib.suppress(NetlinkError):
        route_codec.decode_event(Message(kind, 0, 0, memoryview(body)))


@given(
    st.sampled_from((16, 20)),
    st.sampled_from((bytes(16), b"\2\x18" + bytes(6), b"\x0a\x40" + bytes(6))),
    st.dictionaries(st.sampled_from((1, 2, 3, 4, 8, 18)), st.binary(max_size=20)),
)
def test_well_formed_nonsense_raises_only_netlink_errors(kind: int, head: bytes, values: dict[int, bytes]) -> None:
    body = head + b"".join(attribute(*item) for item in values.items())
    with contextlib.suppress(NetlinkError):
        route_codec.decode_event(Message(kind, 0, 0, memoryview(body)))
