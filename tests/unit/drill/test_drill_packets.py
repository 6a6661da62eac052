"""The prober's packets, and what it makes of others."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvsd.drill.packets import ACK, RST, SYN, Answer, announced, answer_of, datagram, segment

TARGET = ("192.0.2.100", 80)


def one_complement(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def reply(port: int, acknowledged: int, flags: int, words: int = 5) -> bytes:
    head = bytes([0x40 | words]) + bytes(8) + b"\x06" + bytes(words * 4 - 10)
    return head + struct.pack("!HHIIBBHHH", 80, port, 7, acknowledged, 5 << 4, flags, 0, 0, 0)


def test_a_segment_is_a_whole_packet_whose_checksum_is_right() -> None:
    packet = segment("192.0.2.1", TARGET, 12345, 1 << 32 | 9, SYN)
    assert packet[:1] + packet[8:10] == bytes([0x45, 64, 6])
    assert packet[12:20] == bytes([192, 0, 2, 1, 192, 0, 2, 100])
    assert struct.unpack("!HHIIBBH", packet[20:36]) == (12345, 80, 9, 0, 0x50, SYN, 64240)
    assert one_complement(packet[12:20] + struct.pack("!BBH", 0, 6, 20) + packet[20:]) == 0xFFFF
    assert int.from_bytes(segment("192.0.2.1", TARGET, 1, 2, RST)[34:36], "big") == 0


@pytest.mark.parametrize("words", [5, 8, 15])
def test_answers_are_read_behind_any_header(words: int) -> None:
    assert answer_of(reply(12345, 10, SYN | ACK, words)) == Answer(12345, 10, taken=True)
    assert answer_of(reply(12345, 10, RST | ACK, words)) == Answer(12345, 10, taken=False)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        reply(1, 2, SYN),
        reply(1, 2, ACK),
        reply(1, 2, SYN | ACK)[:39],
        reply(1, 2, SYN | ACK, 15)[:60],
        b"\x41" + reply(1, 2, SYN | ACK)[1:],
        b"\x65" + reply(1, 2, SYN | ACK)[1:],
        reply(1, 2, SYN | ACK)[:9] + b"\x12" + reply(1, 2, SYN | ACK)[10:],
    ],
)
def test_anything_else_is_no_answer(packet: bytes) -> None:
    assert answer_of(packet) is None


@given(st.binary(max_size=96))
def test_no_bytes_make_trouble(packet: bytes) -> None:
    answer_of(packet)
    announced(packet)


def arp(sender: bytes, target: bytes, kind: bytes = b"\0\1\x08\0\x06\x04") -> bytes:
    return kind + b"\0\1" + bytes(range(6)) + sender + bytes(6) + target


def test_gratuitous_arp_is_known_by_its_equal_addresses() -> None:
    vip, other = bytes([192, 0, 2, 100]), bytes([192, 0, 2, 1])
    assert announced(arp(vip, vip) + bytes(18)) == ("192.0.2.100", "00:01:02:03:04:05")
    assert announced(arp(vip, other)) is None
    assert announced(arp(vip, vip, b"\0\6\x08\0\x06\x04")) is None
    assert announced(arp(vip, vip)[:27]) is None


SIX = ("2001:db8::100", 53)


def test_packets_over_ipv6_and_datagrams_have_right_checksums() -> None:
    packet = segment("2001:db8::1", SIX, 12345, 9, SYN)
    assert packet[:8] == bytes.fromhex("6000000000140640")
    assert one_complement(packet[8:40] + struct.pack("!II", 20, 6) + packet[40:]) == 0xFFFF
    assert struct.unpack("!HHII", packet[40:52]) == (12345, 53, 9, 0)
    for source, target in (("2001:db8::1", SIX), ("192.0.2.1", TARGET)):
        sent = datagram(source, target, 40000, b"odd")
        addresses, body = (sent[8:40], sent[40:]) if ":" in source else (sent[12:20], sent[20:])
        assert struct.unpack("!HHH", body[:6]) == (40000, target[1], 11)
        assert one_complement(addresses + struct.pack("!II", 11, 17) + body + b"\0") == 0xFFFF
        assert body[8:] == b"odd"


def test_a_checksum_of_nought_is_said_otherwise() -> None:
    empty = datagram("192.0.2.1", TARGET, 40000, bytes(2))
    asked = datagram("192.0.2.1", TARGET, 40000, empty[26:28])
    assert asked[26:28] == b"\xff\xff"


def test_answers_over_ipv6_and_datagrams_are_read() -> None:
    taken = segment("2001:db8::100", ("2001:db8::1", 12345), 53, 7, SYN | ACK)
    assert answer_of(taken) == Answer(12345, 0, taken=True)
    assert answer_of(datagram("192.0.2.100", ("192.0.2.1", 40000), 53, b"x")) == Answer(40000, 0, taken=True)
    assert answer_of(datagram("2001:db8::100", ("2001:db8::1", 40000), 53, b"x")) == Answer(40000, 0, taken=True)
    assert answer_of(taken[:59]) is None


def neighbour(flags: int, kind: int = 136, option: int = 2) -> bytes:
    body = struct.pack(
        "!BBHI16sBB6s", kind, 0, 0, flags, bytes.fromhex("20010db8" + "00" * 10 + "0100"), option, 1, bytes(6)
    )
    return bytes.fromhex("60000000") + struct.pack("!HBB", len(body), 58, 255) + bytes(32) + body


def test_unsolicited_neighbour_advertisements_are_known() -> None:
    assert announced(neighbour(0xA0000000)) == ("2001:db8::100", "00:00:00:00:00:00")
    assert announced(neighbour(0xE0000000)) is None  # an answer to a question
    assert announced(neighbour(0xA0000000, kind=135)) is None
    assert announced(neighbour(0xA0000000, option=1)) is None
    assert announced(neighbour(0xA0000000)[:-1]) is None
