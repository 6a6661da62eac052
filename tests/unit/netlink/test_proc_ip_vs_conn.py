"""/proc/net/ip_vs_conn: lines the kernel writes, and lines that a stranger's bytes make of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink.errors import NetlinkError
from netlink.proc_ip_vs_conn import LINE_LIMIT, Connection, Connections, parse

V4 = b"TCP C000020B DAD0 C0000264 0050 C000020C 1F90 FIN_WAIT        116\n"
V6 = (
    b"TCP 2001:0db8:0000:0000:0000:0000:0000:0000 0000 2001:0db8:0000:0000:0000:0000:0000:0100 0050 C000020C 0050 "
    b"ASSURED          73\n"
)
SIP = b"UDP C000020B 0000 C0000264 13C4 C000020C 13C4 NONE             59 sip abcdef@host\n"
FOUND = Connection("TCP", "192.0.2.11", 56016, "192.0.2.100", 80, "192.0.2.12", 8080, "FIN_WAIT", 116)


def test_lines() -> None:
    assert parse(V4) == FOUND
    assert parse(V6) == Connection("TCP", "2001:db8::", 0, "2001:db8::100", 80, "192.0.2.12", 80, "ASSURED", 73)
    assert parse(SIP) == Connection(
        "UDP", "192.0.2.11", 0, "192.0.2.100", 5060, "192.0.2.12", 5060, "NONE", 59, "sip", "abcdef@host"
    )


def test_of_data_with_blanks_the_first_word() -> None:
    assert parse(SIP.replace(b"abcdef@host", b"\xe9 two three")).engine_data == "\xe9"


def test_an_engine_without_data_is_none() -> None:
    assert parse(SIP.replace(b"abcdef@host", b"")).engine == ""


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        (b"TCP", b"\xff"),
        (b"C000020B", b"C000020"),
        (b"C000020B", b"C000020G"),
        (b"C000020B", b"192.0.2.11"),
        (b"C000020B", b"2001:db8:::1"),
        (b"DAD0", b"DAD"),
        (b"DAD0", b"00DAD0"),
        (b"DAD0", b"+AD0"),
        (b"0050", b"0x50"),
        (b"1F90", b"1F9G"),
        (b"FIN_WAIT", b"\x80"),
        (b"116", b"-1"),
        (b"116", b"1.0"),
        (b"116", b"00000000116"),
        (b"116", b""),
        (b"116", b"116" + b" " * LINE_LIMIT),
        (V4, b""),
        (V4, b"\n"),
    ],
)
def test_what_is_no_connection(part: bytes, instead: bytes) -> None:
    garbled = V4.replace(part, instead)
    with pytest.raises(NetlinkError, match="garbled"):
        parse(garbled)
    connections = Connections([b"Pro FromIP\n", V4, garbled, V4])
    assert list(connections) == [FOUND, FOUND]
    assert connections.unreadable == 1


@pytest.mark.parametrize("text", [[], [b""], [b"\n"], [V4]])
def test_a_file_without_its_titles(text: list[bytes]) -> None:
    with pytest.raises(NetlinkError, match="titles"):
        Connections(text)


@given(st.binary(max_size=200) | st.builds(bytes.replace, st.just(SIP), st.sampled_from(SIP.split()), st.binary()))
def test_any_bytes_are_read_or_refused(line: bytes) -> None:
    with contextlib.suppress(NetlinkError):
        found = parse(line)
        assert 0 <= found.client_port <= 65535


def test_no_more_is_read_than_is_asked_for() -> None:
    """A million connections: one line at a time."""

    def endless() -> Iterator[bytes]:
        yield b"Pro"
        while True:
            yield V4

    connections = iter(Connections(endless()))
    assert [next(connections), next(connections)] == [FOUND, FOUND]
