"""Destinations read in one go are those read attribute by attribute, and no other layout is taken for the expected."""

from __future__ import annotations

import struct
from socket import inet_pton

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink import ipvs_codec as codec
from netlink.errors import NetlinkError
from netlink.ipvs_decoding import decode_destination, decode_destination_status
from netlink.table import Destination, Family
from netlink.wire import attribute, generic
from tests.unit.netlink.strategies import ANY_DESTINATION


def parts(destination: Destination) -> list[bytes]:
    """The attributes as ip_vs_genl_fill_dest of Linux 6.1 writes them, without the statistics."""
    family = Family.INET6 if ":" in destination.key.address else Family.INET
    number = struct.Struct("=I").pack
    return [
        attribute(codec.DEST_ADDRESS, inet_pton(family, destination.key.address).ljust(16, b"\0")),
        attribute(codec.DEST_PORT, destination.key.port.to_bytes(2)),
        attribute(codec.DEST_FORWARDING, number(destination.forwarding)),
        attribute(codec.DEST_WEIGHT, number(destination.weight)),
        attribute(codec.DEST_TUNNEL_TYPE, bytes([destination.tunnel_type])),
        attribute(codec.DEST_TUNNEL_PORT, destination.tunnel_port.to_bytes(2)),
        attribute(codec.DEST_TUNNEL_FLAGS, struct.pack("=H", destination.tunnel_flags)),
        attribute(codec.DEST_UPPER, number(destination.upper_threshold)),
        attribute(codec.DEST_LOWER, number(destination.lower_threshold)),
        attribute(codec.DEST_ACTIVE, number(3)),
        attribute(codec.DEST_INACTIVE, number(5)),
        attribute(codec.DEST_PERSISTENT, number(7)),
        attribute(codec.DEST_FAMILY, struct.pack("=H", family)),
    ]


def body(attributes: list[bytes], kind: int = codec.ATTR_DESTINATION) -> memoryview:
    return memoryview(generic(codec.NEW_DESTINATION, attribute(kind, b"".join(attributes))))


@given(ANY_DESTINATION)
def test_in_one_go(destination: Destination) -> None:
    found = body(parts(destination))
    assert decode_destination(found, Family.INET) == destination
    assert decode_destination_status(found, Family.INET).destination == destination


@given(ANY_DESTINATION, st.permutations(range(13)))
def test_in_any_order(destination: Destination, order: list[int]) -> None:
    attributes = parts(destination)
    assert decode_destination(body([attributes[place] for place in order]), Family.INET) == destination


@given(ANY_DESTINATION, st.integers(0, 200))
def test_cut_short_it_is_garbled(destination: Destination, length: int) -> None:
    whole = body(parts(destination))
    with pytest.raises(NetlinkError):
        decode_destination(whole[: min(length, len(whole) - 1)], Family.INET)


@given(ANY_DESTINATION)
def test_a_nest_that_is_longer_than_its_message_is_garbled(destination: Destination) -> None:
    whole = bytearray(body(parts(destination)))
    struct.pack_into("=H", whole, 4, len(whole))
    with pytest.raises(NetlinkError):
        decode_destination(memoryview(whole), Family.INET)


@given(ANY_DESTINATION)
def test_a_nest_that_ends_before_the_family_has_none(destination: Destination) -> None:
    attributes = parts(destination)
    early = b"".join(attributes[:-1])
    nest = attribute(codec.ATTR_DESTINATION, early) + attributes[-1]
    other = Family.INET6 if ":" in destination.key.address else Family.INET
    assert decode_destination(memoryview(generic(codec.NEW_DESTINATION, nest)), other) == destination


@given(ANY_DESTINATION)
def test_another_nest_is_no_destination(destination: Destination) -> None:
    with pytest.raises(NetlinkError):
        decode_destination(body(parts(destination), codec.ATTR_SERVICE), Family.INET)


@given(ANY_DESTINATION)
def test_an_unknown_family_is_garbled(destination: Destination) -> None:
    attributes = [*parts(destination)[:-1], attribute(codec.DEST_FAMILY, struct.pack("=H", 3))]
    with pytest.raises(NetlinkError):
        decode_destination(body(attributes), Family.INET)
