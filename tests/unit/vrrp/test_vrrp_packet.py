"""Every rule by which an advertisement is judged, one wrong packet each, and their order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lvsd.vrrp import ip, packet
from lvsd.vrrp.drops import Drop, Dropped
from lvsd.vrrp.packet import Unspeakable, Wire
from tests.unit.vrrp import samples

OURS = Wire.of(samples.instance(), samples.OWN_SOURCE)
THEIRS = Wire.of(samples.instance(), samples.PEER_SOURCE)
GOOD = packet.encode(THEIRS, 100, 7)


def _resum(raw: bytes) -> bytes:
    """Repair the VRRP checksum after a change, so that only the change is wrong."""
    blank = raw[:26] + b"\0\0" + raw[28:]
    return blank[:26] + ip.checksum(blank[20:]).to_bytes(2, "big") + blank[28:]


def _with(at: int, value: int) -> bytes:
    changed = GOOD[:at] + bytes([value]) + GOOD[at + 1 :]
    return changed if at < 20 else _resum(changed)


def _length(raw: bytes) -> bytes:
    """Make IP's total length fit again."""
    return raw[:2] + len(raw).to_bytes(2, "big") + raw[4:]


def _judge(raw: bytes) -> Drop | packet.Advertisement:
    try:
        return packet.decode(ip.open_packet(raw), OURS)
    except Dropped as dropped:
        return dropped.kind


WRONG = {
    Drop.PROTOCOL: _with(9, 51),
    Drop.TOO_SHORT: _length(GOOD[:-4]),
    Drop.TOO_LONG: _length(GOOD + b"\0\0"),
    Drop.TTL: _with(8, 254),
    Drop.VERSION: _length(packet.encode(THEIRS, 100, 7)[:20] + b"\x31" + GOOD[21:-8]),
    Drop.AUTH_TYPE_UNKNOWN: _with(24, 3),
    Drop.AUTH_TYPE_MISMATCH: _with(24, 0),
    Drop.AUTH_FAILURE: _with(37, 0x53),
    Drop.INTERVAL: _with(25, 2),
    Drop.TYPE: _with(20, 0x24),
    Drop.TOTAL_LENGTH: GOOD[:2] + (len(GOOD) + 1).to_bytes(2, "big") + GOOD[4:],
    Drop.CHECKSUM: GOOD[:26] + b"\0\0" + GOOD[28:],
    Drop.DESTINATION: _with(19, 19),
    Drop.OWN_ADDRESS: _with(15, 12),
}


def test_a_good_advertisement_is_believed() -> None:
    assert _judge(GOOD) == packet.Advertisement("192.0.2.13", 100, ("192.0.2.100", "192.0.2.101"), True)


def test_every_rule_is_broken_here() -> None:
    """A peer's address counts with unicast alone: see below."""
    assert set(Drop) - set(WRONG) == {Drop.PEER}


@pytest.mark.parametrize("kind", WRONG)
def test_a_broken_rule_is_named(kind: Drop) -> None:
    assert _judge(WRONG[kind]) is kind


def test_the_rules_are_judged_in_the_order_of_the_field() -> None:
    assert [kind for kind, _ in packet.RULES] == [kind for kind in Drop if kind is not Drop.PROTOCOL]


def test_the_first_broken_rule_is_named_when_many_are() -> None:
    assert _judge(_length(GOOD[:8] + b"\x01" + GOOD[9:-4])) is Drop.TOO_SHORT
    assert _judge(GOOD[:8] + b"\x01" + GOOD[9:26] + b"\0\0" + GOOD[28:]) is Drop.TTL


@pytest.mark.parametrize("cut", range(len(GOOD)))
def test_a_truncated_packet_is_dropped(cut: int) -> None:
    assert _judge(GOOD[:cut]) in {Drop.PROTOCOL, Drop.TOO_SHORT}
    assert _judge(_length(GOOD[:cut]) if cut >= 4 else GOOD[:cut]) in {Drop.PROTOCOL, Drop.TOO_SHORT}


@pytest.mark.parametrize("at", range(8))
def test_each_byte_of_the_password_counts(at: int) -> None:
    raw = bytearray(GOOD)
    raw[36 + at] ^= 0x20
    assert _judge(_resum(bytes(raw))) is Drop.AUTH_FAILURE


def test_a_header_length_that_lies_is_refused() -> None:
    assert _judge(b"\x44" + GOOD[1:]) is Drop.PROTOCOL
    assert _judge(b"\x4f" + GOOD[1:40]) is Drop.PROTOCOL
    assert _judge(b"\x65" + GOOD[1:]) is Drop.PROTOCOL


def test_ip_options_are_stepped_over() -> None:
    with_options = b"\x46" + GOOD[1:20] + b"\x01\x01\x01\x00" + GOOD[20:]
    assert _judge(_length(with_options)) == _judge(GOOD)


def test_another_address_list_is_believed_and_told_apart() -> None:
    other = Wire.of(samples.instance(addresses=("192.0.2.100",)), samples.PEER_SOURCE)
    assert _judge(packet.encode(other, 100, 1)) == packet.Advertisement("192.0.2.13", 100, ("192.0.2.100",), False)
    turned = Wire.of(samples.instance(addresses=("192.0.2.101", "192.0.2.100")), samples.PEER_SOURCE)
    heard = _judge(packet.encode(turned, 100, 1))
    assert isinstance(heard, packet.Advertisement)
    assert heard.addresses_agree


def test_without_authentication_the_eight_bytes_are_not_judged() -> None:
    plain = Wire.of(samples.instance(password=None), samples.OWN_SOURCE)
    theirs = Wire.of(samples.instance(password=None), samples.PEER_SOURCE)
    raw = packet.encode(theirs, 100, 1)
    assert packet.decode(ip.open_packet(_resum(raw[:-1] + b"x")), plain).priority == 100


def test_a_long_password_is_cut_at_eight() -> None:
    longer = Wire.of(samples.instance(password="s3cret12XYZ"), samples.PEER_SOURCE)
    assert packet.encode(longer, 100, 7) == GOOD


def test_the_virtual_router_is_read_before_anything_is_judged() -> None:
    assert packet.virtual_router_id(ip.open_packet(GOOD)) == 51
    assert packet.virtual_router_id(ip.open_packet(GOOD[:21])) is None
    assert packet.virtual_router_id(ip.open_packet(GOOD[:22])) == 51


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (samples.instance(version=4), "version 4"),
        (samples.instance(virtual_router_id=0), "virtual_router_id"),
        (samples.instance(virtual_router_id=256), "virtual_router_id"),
        (samples.instance(priority=0), "priority"),
        (samples.instance(priority=256), "priority"),
        (samples.instance(interval=0), "advertisement_interval"),
        (samples.instance(interval=1.5), "advertisement_interval"),
        (samples.instance(interval=float("nan")), "advertisement_interval"),
        (samples.instance(interval=256), "advertisement_interval"),
        (samples.instance(addresses=()), "addresses"),
        (samples.instance(addresses=("2001:db8::1",)), "two families"),
        (samples.instance(addresses=("somewhere",)), "somewhere"),
    ],
)
def test_what_version_2_cannot_say_is_refused_with_a_reason(wrong: object, said: str) -> None:
    with pytest.raises(Unspeakable, match=said):
        Wire.of(wrong, samples.OWN_SOURCE)  # type: ignore[arg-type] # (pytest's parameters are objects)


def test_the_longest_message_fits_the_limit() -> None:
    many = tuple(f"10.0.{number // 250}.{number % 250}" for number in range(255))
    wire = Wire.of(samples.instance(addresses=many), samples.PEER_SOURCE)
    assert len(packet.encode(wire, 1, 1)) + 40 <= ip.PACKET_LIMIT_BYTES


def test_the_password_is_in_no_repr() -> None:
    assert "s3cret" not in repr(OURS)
    assert "s3cret" not in repr(replace(OURS))


def test_checksum_of_an_odd_number_of_bytes_pads_with_zero() -> None:
    assert ip.checksum(b"\x12\x34\x56") == ip.checksum(b"\x12\x34\x56\x00")


def test_checksum_carries_until_nothing_is_left_to_carry() -> None:
    assert ip.checksum(b"\xff\xff\xff\xff\x00\x01") == 0xFFFE


def test_a_total_length_shorter_than_its_header_is_refused() -> None:
    assert _judge(GOOD[:2] + (10).to_bytes(2, "big") + GOOD[4:]) is Drop.TOTAL_LENGTH
