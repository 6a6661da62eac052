"""Our messages about macvlan interfaces against pyroute2's."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from netlink import route_codec, route_macvlan
from netlink.errors import NetlinkError
from netlink.interfaces import MACVLAN_BRIDGE, NO_DAD, NO_PREFIX_ROUTE, Address
from netlink.wire import attribute, attributes

HEADER_BYTES = 16
INDEXES = st.integers(1, 0x7FFFFFFF)
NAMES = st.text("abcdefgh0123456789.-", min_size=1, max_size=15)
MAC = bytes.fromhex("00005e000133")


def packed(message: ifinfmsg) -> bytes:
    message.encode()
    return bytes(message.data)[HEADER_BYTES:]


@given(NAMES, INDEXES, st.binary(min_size=6, max_size=6))
def test_making_is_said_as_pyroute2_says_it(name: str, parent: int, mac: bytes) -> None:
    message = ifinfmsg()
    data = ("IFLA_INFO_DATA", {"attrs": [("IFLA_MACVLAN_MODE", "bridge")]})
    message["attrs"] = [
        ("IFLA_IFNAME", name),
        ("IFLA_LINK", parent),
        ("IFLA_ADDRESS", mac.hex(":")),
        ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "macvlan"), data]}),
    ]
    ours, theirs = (
        attributes(memoryview(one), 16) for one in (route_macvlan.new_macvlan(name, parent, mac), packed(message))
    )
    assert {kind: bytes(value) for kind, value in ours.items() if kind != 18} == {
        kind: bytes(value) for kind, value in theirs.items() if kind != 18
    }
    our_info, their_info = attributes(ours[18]), attributes(theirs[18])
    assert bytes(our_info[1]) == bytes(their_info[1])
    assert bytes(our_info[2]) == bytes(their_info[2])


@given(INDEXES, st.booleans())
def test_raising_and_lowering_are_said_as_pyroute2_says_them(index: int, up: bool) -> None:
    message = ifinfmsg()
    message["index"], message["flags"], message["change"] = index, int(up), 1
    assert route_macvlan.set_up(index, up=up) == packed(message)


@given(INDEXES, st.text("abc =_12", min_size=1, max_size=255))
def test_an_alias_is_said_as_pyroute2_says_it(index: int, alias: str) -> None:
    message = ifinfmsg()
    message["index"] = index
    message["attrs"] = [("IFLA_IFALIAS", alias)]
    ours, theirs = (attributes(memoryview(one), 16) for one in (route_macvlan.set_alias(index, alias), packed(message)))
    assert bytes(ours[20]) == bytes(theirs[20])


@given(INDEXES)
def test_deleting_names_the_interface_alone(index: int) -> None:
    message = ifinfmsg()
    message["index"] = index
    assert route_macvlan.delete_link(index) == packed(message)


@given(NAMES, INDEXES)
def test_what_was_made_reads_as_it_was_said(name: str, parent: int) -> None:
    link = route_codec.decode_link(memoryview(route_macvlan.new_macvlan(name, parent, MAC)))
    assert (link.name, link.parent, link.mac, link.kind, link.mode) == (name, parent, MAC, "macvlan", MACVLAN_BRIDGE)
    assert (
        route_codec.decode_link(memoryview(route_macvlan.set_alias(1, "lvsd") + attribute(3, b"x\0"))).alias == "lvsd"
    )


@pytest.mark.parametrize("name", ["", "sixteen.letters.", "tab\t", "ümlaut"])
def test_an_impossible_name_is_refused(name: str) -> None:
    with pytest.raises(NetlinkError, match="cannot be said"):
        route_macvlan.new_macvlan(name, 2, MAC)


def test_an_impossible_mac_is_refused() -> None:
    with pytest.raises(NetlinkError, match="not the MAC"):
        route_macvlan.new_macvlan("x", 2, b"")


def test_flags_beyond_eight_bits_have_an_attribute_of_their_own() -> None:
    address = Address(2, "2001:db8::1", 64, flags=NO_DAD | NO_PREFIX_ROUTE)
    body = memoryview(route_codec.new_address(address))
    assert struct.unpack("=I", attributes(body, 8)[8]) == (0x202,)
    assert body[2] == NO_DAD
    assert route_codec.decode_address(body) == address
