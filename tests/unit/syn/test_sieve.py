"""The filter as the kernel runs it: on a pair of local sockets, which need no privilege and carry any bytes."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator

import pytest
from scapy.layers.inet import IP, TCP

from checkers.syn.packet import STRIDE
from checkers.syn.sieve import packed, sieve

SO_ATTACH_FILTER = 26
FIRST = 40000 & ~15


class Sieved:
    """What goes in comes out where the program lets it through."""

    def __init__(self, *, ipv6: bool) -> None:
        self.ipv6 = ipv6
        self.into, self.out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        program = sieve(FIRST, 16, ipv6=ipv6)
        code = packed(program)
        buffer = ctypes.create_string_buffer(code, len(code))
        fprog = struct.pack("HP", len(program), ctypes.addressof(buffer))
        self.out.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
        self.out.setblocking(False)

    def passes(self, packet: bytes) -> bool:
        self.into.send(packet)
        try:
            received = self.out.recv(2048)
        except BlockingIOError:
            return False
        assert received == packet[:STRIDE]  # it is cut to what is looked at
        return True

    def packet(self, port: int, flags: str, options: int = 0) -> bytes:
        segment = TCP(sport=80, dport=port, ack=1, flags=flags) / (b"x" * 40)
        if self.ipv6:
            return bytes(segment)
        return bytes(IP(src="10.0.0.2", dst="10.0.0.1", options=[b"\x01"] * options) / segment)


@pytest.fixture(params=[False, True], ids=["ipv4", "ipv6"])
def sieved(request: pytest.FixtureRequest) -> Iterator[Sieved]:
    made = Sieved(ipv6=request.param)
    yield made
    made.into.close()
    made.out.close()


@pytest.mark.parametrize("port", [FIRST, FIRST + 7, FIRST + 15])
@pytest.mark.parametrize("flags", ["SA", "RA", "SAE", "FRA"])
def test_answers_to_our_ports_pass(sieved: Sieved, port: int, flags: str) -> None:
    assert sieved.passes(sieved.packet(port, flags))


@pytest.mark.parametrize("port", [FIRST - 1, FIRST + 16, 80, FIRST ^ 0x8000, FIRST >> 8])
def test_other_ports_do_not(sieved: Sieved, port: int) -> None:
    assert not sieved.passes(sieved.packet(port, "SA"))


@pytest.mark.parametrize("flags", ["S", "A", "", "FA", "PA", "F", "R", "SR"])
def test_other_flags_do_not(sieved: Sieved, flags: str) -> None:
    assert not sieved.passes(sieved.packet(FIRST, flags))


@pytest.mark.parametrize("sieved", [False], indirect=True, ids=["ipv4"])
def test_the_header_is_found_behind_ip_options(sieved: Sieved) -> None:
    assert sieved.passes(sieved.packet(FIRST + 1, "SA", options=8))
    assert not sieved.passes(sieved.packet(FIRST - 1, "SA", options=8))


def test_too_short_a_packet_does_not_pass_and_harms_nothing(sieved: Sieved) -> None:
    whole = sieved.packet(FIRST, "SA")
    head = (0 if sieved.ipv6 else 20) + 14  # all up to the flags
    for length in range(1, head):
        assert not sieved.passes(whole[:length])
    assert sieved.passes(whole[:head])
