"""ICMP errors as the kernel's error queue tells them."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.syn.unreachable import kind, offender

ICMP_4, ICMP_6, LOCAL = 2, 3, 1


def told(origin: int, number: int, code: int, who: bytes = b"") -> bytes:
    """struct sock_extended_err and the offender's address behind it."""
    return struct.pack("=IBBBBII", 113, origin, number, code, 0, 0, 0) + who


@pytest.mark.parametrize(
    ("origin", "number", "code", "words"),
    [
        (ICMP_4, 3, 1, "host unreachable"),
        (ICMP_4, 3, 3, "port unreachable"),
        (ICMP_4, 3, 13, "communication prohibited"),
        (ICMP_4, 11, 0, "too many hops"),
        (ICMP_4, 3, 4, None),  # the path's MTU
        (ICMP_4, 5, 0, None),
        (ICMP_6, 1, 4, "port unreachable"),
        (ICMP_6, 1, 1, "communication prohibited"),
        (ICMP_6, 2, 0, None),
        (ICMP_6, 3, 3, None),
        (LOCAL, 3, 1, None),
    ],
)
def test_kinds(origin: int, number: int, code: int, words: str | None) -> None:
    assert kind(told(origin, number, code)) == words


def test_who_says_so() -> None:
    four = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes((10, 0, 0, 9)))
    six = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, bytes(range(16)), 0)
    assert offender(told(ICMP_4, 3, 1, four)) == bytes((10, 0, 0, 9))
    assert offender(told(ICMP_6, 1, 3, six)) == bytes(range(16))
    assert offender(told(ICMP_4, 3, 1)) == b""


@given(st.binary(max_size=64))
def test_any_bytes_are_taken(octets: bytes) -> None:
    assert kind(octets) is None or len(octets) >= 16
    assert len(offender(octets)) <= 16
