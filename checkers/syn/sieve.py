"""Which packets of the machine reach the syn engine: a filter for its raw sockets (bpf(4), the classic one). Pure.

A raw socket is handed every TCP packet that is for this machine itself; the kernel drops all but answers to our ports
before they are queued. The program is data, so that a test can read it and run it.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from checkers.syn.packet import ACK, ANSWER_LIMIT_BYTES, RST, SYN

_IPV4_LENGTH: Final = 0xB1  # X = 4 * (low half of the byte at k)
_HALF, _BYTE = 0x48, 0x50  # A = two bytes, one byte, at X + k
_NOTHING: Final = 0x01  # X = k
_AND, _EQUAL, _ANY_BIT, _RETURN = 0x54, 0x15, 0x45, 0x06
_OUR_PORT, _FLAGS = 2, 13  # where they are in a TCP header

_INSTRUCTION = struct.Struct("HBBI")  # struct sock_filter, in the machine's own order


class Instruction(NamedTuple):
    """Code, how many to skip when true and when false, operand."""

    code: int
    when_true: int
    when_false: int
    operand: int


def sieve(first_port: int, ports: int, *, ipv6: bool) -> tuple[Instruction, ...]:
    """Lets through what acknowledges something and is SYN or RST, for one of `ports` ports from `first_port` on.

    A reset that acknowledges nothing answers no SYN (RFC 9293 section 3.10.7.3). `ports` is a power of two that divides
    `first_port`. A packet too short for what is looked at does not pass.
    A raw IPv4 socket sees the IP header, a raw IPv6 socket does not.
    """
    return (
        Instruction(_NOTHING, 0, 0, 0) if ipv6 else Instruction(_IPV4_LENGTH, 0, 0, 0),
        Instruction(_HALF, 0, 0, _OUR_PORT),
        Instruction(_AND, 0, 0, 0xFFFF & ~(ports - 1)),
        Instruction(_EQUAL, 0, 4, first_port),
        Instruction(_BYTE, 0, 0, _FLAGS),
        Instruction(_ANY_BIT, 0, 2, ACK),
        Instruction(_ANY_BIT, 0, 1, SYN | RST),
        Instruction(_RETURN, 0, 0, ANSWER_LIMIT_BYTES),
        Instruction(_RETURN, 0, 0, 0),
    )


def packed(program: tuple[Instruction, ...]) -> bytes:
    """As setsockopt(SO_ATTACH_FILTER) wants the instructions."""
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)
