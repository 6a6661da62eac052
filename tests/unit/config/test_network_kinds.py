"""Addresses, endpoints, prefixes, netmasks."""

from __future__ import annotations

import pytest

from config import codes
from config.network import Address, Endpoint, EndpointKind, Netmask, Prefix, PrefixKind
from config.nodes import Sequence
from config.scalars import Kind
from tests.unit.config.test_scalar_kinds import HERE, code, hint, read

VIRTUAL = EndpointKind(port_needed=True)
REAL = EndpointKind(port_needed=False)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("1.1.1.12:443", Endpoint("1.1.1.12", 443)),
        ("1.1.1.12:0", Endpoint("1.1.1.12", 0)),
        ("1.1.1.12:65535", Endpoint("1.1.1.12", 65535)),
        ("[2001:DB8:0::1]:443", Endpoint("2001:db8::1", 443)),
    ],
)
def test_endpoints(text: str, endpoint: Endpoint) -> None:
    assert read(VIRTUAL, text) == endpoint
    assert read(REAL, text) == endpoint


@pytest.mark.parametrize(
    ("text", "address"), [("1.1.1.15", "1.1.1.15"), ("2001:db8:0::1", "2001:db8::1"), ("[::1]", "::1")]
)
def test_a_port_may_be_missing(text: str, address: str) -> None:
    assert read(REAL, text) == Endpoint(address, None)
    assert code(VIRTUAL, text) == codes.MALFORMED


def test_a_missing_port_is_shown_with_one() -> None:
    assert hint(VIRTUAL, "1.1.1.12") == "write it like 1.1.1.12:443"
    assert hint(VIRTUAL, "2001:db8::1") == 'write it like "[2001:db8::1]:443"'


@pytest.mark.parametrize(
    "text",
    ["", "1.1.1", "1.1.1.256", "01.1.1.1", "1.1.1.12:", "1.1.1.12:x", "1.1.1.12:080", "1.1.1.12:-1", "[::1", "[::1]443",
     "[::1]:", "[]:80", "::1:80:", "www.example.net:80", "443", "1.1.1.12:80:80", "1.1.1.1/24", "[1.1.1.12:80", ":80"],
)  # fmt: skip
def test_what_is_no_endpoint(text: str) -> None:
    assert code(VIRTUAL, text) == codes.MALFORMED
    assert code(REAL, text) == codes.MALFORMED


def test_a_port_out_of_range() -> None:
    assert code(VIRTUAL, "1.1.1.12:65536") == codes.OUT_OF_RANGE
    assert code(VIRTUAL, "1.1.1.12:" + "9" * 1000) == codes.MALFORMED


def test_names_are_not_looked_up() -> None:
    assert "not looked up" in hint(REAL, "db1.example.net")
    assert "not looked up" in hint(REAL, "1.1.1.12:https")
    assert "leading zeros" in hint(REAL, "1.1.1.012")


def test_an_address_in_brackets_without_quotes_is_explained() -> None:
    assert code(VIRTUAL, Sequence((), HERE)) == codes.WRONG_TYPE
    assert "in quotes" in hint(VIRTUAL, Sequence((), HERE))


@pytest.mark.parametrize("address", ["224.0.0.18", "ff02::1", "0.0.0.0", "::", "255.255.255.255", "fe80::1%eth0"])
def test_addresses_that_cannot_serve(address: str) -> None:
    assert code(Address(), address) == codes.ADDRESS_UNFIT


def test_addresses() -> None:
    assert read(Address(), "127.0.0.1") == "127.0.0.1"
    assert read(Address(), "[2001:db8::1]") == "2001:db8::1"


@pytest.mark.parametrize("text", ["1.1.1.15:80", "[::1]:80"])
def test_an_address_with_a_port_is_told_where_the_port_goes(text: str) -> None:
    assert "`port:`" in hint(Address(), text)


@pytest.mark.parametrize("kind", [Address(), VIRTUAL, REAL, PrefixKind(), Netmask()])
def test_a_list_is_no_address(kind: Kind[object]) -> None:
    assert code(kind, Sequence((), HERE)) == codes.WRONG_TYPE


def test_what_is_wanted_is_said() -> None:
    found = [read(kind, Sequence((), HERE)) for kind in (VIRTUAL, REAL)]
    assert [str(one).partition(" expected")[0] for one in found] == ["f:1:1: ADDRESS:PORT", "f:1:1: an address"]


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("1.1.1.12/24", Prefix("1.1.1.12", 24)), ("1.1.1.12", Prefix("1.1.1.12", 32)),
        ("2001:db8::1", Prefix("2001:db8::1", 128)), ("2001:db8::1/64", Prefix("2001:db8::1", 64)),
    ],
)  # fmt: skip
def test_prefixes(text: str, prefix: Prefix) -> None:
    assert read(PrefixKind(), text) == prefix


@pytest.mark.parametrize(
    "text",
    ["1.1.1/24", "1.1.1.12/33", "1.1.1.12/0", "1.1.1.12/", "1.1.1.12/024", "2001:db8::1/129", "1.1.1.12/255.0.0.0"],
)
def test_what_is_no_prefix(text: str) -> None:
    assert code(PrefixKind(), text) == codes.MALFORMED


@pytest.mark.parametrize(
    ("text", "length"), [("24", 24), ("/24", 24), ("255.255.255.0", 24), ("128", 128), ("255.255.255.255", 32)]
)
def test_netmasks(text: str, length: int) -> None:
    assert read(Netmask(), text) == length


@pytest.mark.parametrize("text", ["0", "129", "255.0.255.0", "0.0.0.0", "1.2.3", "wide"])
def test_what_is_no_netmask(text: str) -> None:
    assert code(Netmask(), text) == codes.MALFORMED
