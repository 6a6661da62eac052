"""However long and strange a packet is, judging it is little work: so many calls, not so many milliseconds."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from types import FrameType

from hypothesis import example, given
from hypothesis import strategies as st

from lvsd.vrrp import ip, packet
from lvsd.vrrp.drops import Dropped
from lvsd.vrrp.packet import Wire
from tests.unit.vrrp import samples

CALLS_A_PACKET = 200
CALLS_AN_ADDRESS = 16
"""One is unpacked, compared and written out; of 255 that is what takes longest."""

MOST = tuple(f"198.51.{number // 250}.{1 + number % 250}" for number in range(255))
WIRE = Wire.of(samples.instance(addresses=MOST), samples.OWN_SOURCE)
LONGEST = packet.encode(Wire.of(samples.instance(addresses=MOST), samples.PEER_SOURCE), 200, 1)


def calls_of(work: Callable[[], object]) -> int:
    """How many functions were called, those written in C too."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with contextlib.suppress(Dropped):
            work()
    finally:
        sys.setprofile(before)
    return calls


@given(st.binary(max_size=ip.PACKET_LIMIT_BYTES))
@example(LONGEST)
@example(LONGEST + bytes(ip.PACKET_LIMIT_BYTES - len(LONGEST)))
@example(b"\x4f" + bytes(8) + b"\x70" + bytes(ip.PACKET_LIMIT_BYTES - 10))
def test_a_packet_costs_so_many_calls_at_most(raw: bytes) -> None:
    addresses = min(255, len(raw) // 4)
    assert calls_of(lambda: packet.decode(ip.open_packet(raw), WIRE)) <= CALLS_A_PACKET + CALLS_AN_ADDRESS * addresses


@given(st.binary(max_size=ip.PACKET_LIMIT_BYTES), st.booleans())
def test_so_does_a_message_of_either_family(message: bytes, ipv6: bool) -> None:
    size = 16 if ipv6 else 4
    datagram = ip.Datagram(bytes(size), bytes(size), ip.TTL, True, message)
    limit = CALLS_A_PACKET + CALLS_AN_ADDRESS * 255
    assert calls_of(lambda: packet.decode(datagram, WIRE)) <= limit


def test_the_longest_is_believed() -> None:
    assert packet.decode(ip.open_packet(LONGEST), WIRE).priority == 200
