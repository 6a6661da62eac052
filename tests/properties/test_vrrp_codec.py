"""Whatever comes from the network, the codec answers or raises its one error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lvsd.vrrp import ip, packet
from lvsd.vrrp.drops import Dropped
from lvsd.vrrp.packet import Wire
from tests.unit.vrrp import samples

OURS = Wire.of(samples.instance(), samples.OWN_SOURCE)
THEIRS = Wire.of(samples.instance(), samples.PEER_SOURCE)

addresses = st.lists(
    st.ip_addresses(v=4).map(str),
    min_size=1,
    max_size=255,
)


def _judge(raw: bytes) -> packet.Advertisement | None:
    try:
        return packet.decode(ip.open_packet(raw), OURS)
    except Dropped:
        return None


@given(st.binary(max_size=ip.PACKET_LIMIT_BYTES))
def test_noise_raises_nothing_but_dropped(raw: bytes) -> None:
    _judge(raw)


@given(
    st.integers(0, 255),
    st.lists(st.tuples(st.integers(0, 43), st.integers(0, 255)), max_size=4),
    st.integers(-30, 8),
)
def test_a_damaged_advertisement_is_dropped_or_read_whole(
    priority: int, damage: list[tuple[int, int]], longer: int
) -> None:
    raw = bytearray(packet.encode(THEIRS, priority, 1))
    for at, value in damage:
        raw[at] = value
    raw = raw[:longer] if longer < 0 else raw + bytes(longer)
    heard = _judge(bytes(raw))
    if heard is not None:
        assert len(heard.addresses) == raw[23]


@given(st.integers(0, 255), addresses, st.none() | st.text(max_size=12), st.integers(1, 255), st.integers(1, 255))
def test_what_is_sent_is_what_is_heard(
    priority: int, listed: list[str], password: str | None, router: int, interval: int
) -> None:
    config = samples.instance(
        addresses=tuple(listed), password=password, virtual_router_id=router, interval=float(interval)
    )
    raw = packet.encode(Wire.of(config, "198.51.100.1"), priority, 65535)
    opened = ip.open_packet(raw)
    assert packet.virtual_router_id(opened) == router
    heard = packet.decode(opened, Wire.of(config, "198.51.100.2"))
    assert heard == packet.Advertisement("198.51.100.1", priority, tuple(listed), True, float(interval))
