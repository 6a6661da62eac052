"""SYNs and their answers as bytes, beside scapy's."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, IPerror, TCPerror
from scapy.layers.inet6 import IPv6

from checkers.syn.packet import (
    ACCEPTED,
    ANSWERS,
    NAME_BYTES,
    REFUSED,
    RST,
    STRIDE,
    Form,
    Malformed,
    Quote,
    answers_4,
    answers_6,
    quote,
)

PORTS = st.integers(0, 0xFFFF)
NUMBERS = st.integers(0, 0xFFFFFFFF)


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4), PORTS, PORTS, NUMBERS)
def test_an_ipv4_syn_is_what_scapy_makes(source: bytes, target: bytes, port: int, our_port: int, number: int) -> None:
    packet = bytes(Form(source, target, port).fill(our_port, number))
    addresses = {"src": socket.inet_ntoa(source), "dst": socket.inet_ntoa(target)}
    segment = TCP(sport=our_port, dport=port, seq=number, flags="S", window=64240, options=[("MSS", 1460)])
    whole = bytes(IP(**addresses, flags="DF", id=0, ttl=64, chksum=0, len=0, proto=6) / segment)
    # the kernel's to fill in; scapy's checksum needs the true length
    right = bytes(IP(**addresses, flags="DF", id=0, ttl=64) / segment)
    assert packet[:20] == whole[:20]
    assert packet[20:] == right[20:]


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), PORTS, PORTS, NUMBERS)
def test_an_ipv6_syn_is_what_scapy_makes(source: bytes, target: bytes, port: int, our_port: int, number: int) -> None:
    six = IPv6(src=socket.inet_ntop(socket.AF_INET6, source), dst=socket.inet_ntop(socket.AF_INET6, target), hlim=64)
    segment = TCP(sport=our_port, dport=port, seq=number, flags="S", window=64240, options=[("MSS", 1440)])
    packet = bytes(Form(source, target, port).fill(our_port, number))
    expected = bytes(six / segment)
    assert packet[:40] == expected[:40]
    assert (packet[40:56], packet[58:]) == (expected[40:56], expected[58:])
    assert verifies(source + target + struct.pack("!HH", 6, len(packet) - 40) + packet[40:])


def verifies(covered: bytes) -> bool:
    """Whether the ones' complement sum with the checksum in it is all ones (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(covered) // 2}H", covered))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def test_the_checksum_is_right_whatever_carries_over() -> None:
    source, target = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
    form, pseudo = Form(source, target, 80), source + target + struct.pack("!HH", 6, 24)
    assert all(verifies(pseudo + form.fill(40000, number * 65537 & 0xFFFFFFFF)[20:]) for number in range(0x10000))


def test_a_reset_differs_in_its_flag_alone() -> None:
    form = Form(bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)), 80)
    syn, reset = IP(bytes(form.fill(40000, 7))), IP(bytes(form.fill(40000, 7, RST)))
    assert (syn[TCP].flags, reset[TCP].flags) == ("S", "R")
    for packet in (syn, reset):
        checksum = packet[TCP].chksum
        packet.len = len(packet)
        del packet[TCP].chksum
        assert IP(bytes(packet))[TCP].chksum == checksum


def test_a_form_is_filled_again_and_again() -> None:
    form = Form(bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)), 80)
    first = bytes(form.fill(40000, 7))
    assert bytes(form.fill(40001, 8)) != first
    assert bytes(form.fill(40000, 7)) == first


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("SA", ACCEPTED),
        ("RA", REFUSED),
        ("R", 0x04),
        ("A", 0x10),
        ("SAE", ACCEPTED),
        ("FSA", ACCEPTED),
        ("SRA", 0x16),
    ],
)
def test_an_ipv4_answer_is_read(flags: str, said: int) -> None:
    packet = bytes(IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=80, dport=40000, ack=8, flags=flags))
    [(source, port, our_port, number, found)] = answers(packet)
    assert (source, port, our_port, number) == (bytes((10, 0, 0, 2)), 80, 40000, 8)
    assert found & ANSWERS == said


def answers(*packets: bytes) -> list[tuple[bytes, int, int, int, int]]:
    slab = b"".join(packet[:STRIDE].ljust(STRIDE, b"\xff") for packet in packets)
    read = list(answers_4(slab, [min(len(packet), STRIDE) for packet in packets]))
    return [answer for answer in read if answer is not None]


@pytest.mark.parametrize("length", [0, 1, 19, 20, 39])
def test_a_short_packet_is_no_answer_whatever_lay_in_the_buffer(length: int) -> None:
    whole = bytes(IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=80, dport=40000, ack=8, flags="SA"))
    slab = whole.ljust(STRIDE, b"\x00")
    assert list(answers_4(slab, [length])) == [None]
    assert list(answers_4(slab, [len(whole)])) != [None]


def test_ip_options_and_other_versions_are_no_answer() -> None:
    segment = TCP(sport=80, dport=40000, ack=8, flags="SA")
    with_options = bytes(IP(src="10.0.0.2", dst="10.0.0.1", options=[b"\x01\x01\x01\x01"]) / segment)
    other_version = b"\x65" + bytes(IP(src="10.0.0.2", dst="10.0.0.1") / segment)[1:]
    assert answers(with_options, other_version) == []


def test_an_ipv6_answer_is_read_with_the_senders_address_and_scope() -> None:
    segment = bytes(TCP(sport=443, dport=40001, ack=1, flags="SA"))
    address = socket.inet_pton(socket.AF_INET6, "fe80::2")
    name = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, address, 3)
    slab = segment.ljust(STRIDE, b"\x00")
    assert list(answers_6(slab, name, [20])) == [(address + struct.pack("=I", 3), 443, 40001, 1, 0x12)]
    assert list(answers_6(slab, name, [19])) == [None]


@given(st.data())
def test_whatever_comes_is_an_answer_or_none(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 4))
    slab = data.draw(st.binary(min_size=count * STRIDE, max_size=count * STRIDE))
    names = data.draw(st.binary(min_size=count * NAME_BYTES, max_size=count * NAME_BYTES))
    lengths = data.draw(st.lists(st.integers(0, STRIDE), min_size=count, max_size=count))
    for read in (answers_4(slab, lengths), answers_6(slab, names, lengths)):
        for answer in read:
            assert answer is None or len(answer) == 5


def test_what_an_icmp_error_quotes_is_read() -> None:
    error = IP() / ICMP(type=3, code=1) / IPerror(dst="10.0.0.2") / TCPerror(sport=40000, dport=80, seq=99)
    quoted = bytes(error[TCPerror])
    assert quote(quoted, len(quoted)) == quote(quoted, 8) == Quote(40000, 80, 99)


@given(st.binary(max_size=64), st.integers(0, 64))
def test_any_quotation_is_read_or_malformed(quoted: bytes, length: int) -> None:
    length = min(length, len(quoted))
    if length < 8:
        with pytest.raises(Malformed):
            quote(quoted, length)
    else:
        assert quote(quoted, length).number == int.from_bytes(quoted[4:8], "big")
