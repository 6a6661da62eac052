"""Packet sockets with a filter in the kernel: a balancer's own traffic is more than we could read."""

from __future__ import annotations

import contextlib
import ctypes
import selectors
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final

SO_ATTACH_FILTER: Final = 26
ETH_P_ALL, ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0003, 0x0800, 0x0806, 0x86DD
FRAME_LIMIT_BYTES: Final = 9216
VRRP, ICMPV6, NEIGHBOUR_ADVERTISEMENT = 112, 58, 136
TICK_SECONDS: Final = 0.5
IPV4_BYTES: Final = 4

_BYTE, _HALF, _WORD, _EQUAL, _GIVE = 0x30, 0x28, 0x20, 0x15, 0x06
Program = Sequence[tuple[int, int, int, int]]
"""bpf(4): code, jump if true, jump if false, operand."""

VRRP_AND_NEIGHBOURS: Final[Program] = (
    (_HALF, 0, 0, 12),
    (_EQUAL, 8, 0, ETH_P_ARP),
    (_EQUAL, 0, 2, ETH_P_IP),
    (_BYTE, 0, 0, 23),
    (_EQUAL, 5, 6, VRRP),
    (_EQUAL, 0, 5, ETH_P_IPV6),
    (_BYTE, 0, 0, 20),
    (_EQUAL, 2, 0, VRRP),
    (_EQUAL, 0, 2, ICMPV6),
    (_BYTE, 0, 0, 54),
    (_GIVE, 0, 0, FRAME_LIMIT_BYTES),
    (_GIVE, 0, 0, 0),
)
"""Of Ethernet frames: ARP, protocol 112 of both families, ICMPv6."""


NEIGHBOUR_ADVERTISEMENTS: Final[Program] = (
    (_BYTE, 0, 0, 6),
    (_EQUAL, 0, 3, ICMPV6),
    (_BYTE, 0, 0, 40),
    (_EQUAL, 0, 1, NEIGHBOUR_ADVERTISEMENT),
    (_GIVE, 0, 0, FRAME_LIMIT_BYTES),
    (_GIVE, 0, 0, 0),
)
"""Of IPv6 packets."""


def answers_to(address: str, limit_bytes: int) -> Program:
    """Of IP packets of the address's family: TCP and UDP to it."""
    packed = ip_address(address).packed
    protocol_at, address_at = (9, 16) if len(packed) == IPV4_BYTES else (6, 24)
    words = [int.from_bytes(packed[at : at + 4]) for at in range(0, len(packed), 4)]
    away = 2 * len(words)
    checks: list[tuple[int, int, int, int]] = []
    for number, word in enumerate(words):
        checks += [(_WORD, 0, 0, address_at + 4 * number), (_EQUAL, 0, away - 2 * number - 1, word)]
    return (
        (_BYTE, 0, 0, protocol_at),
        (_EQUAL, 1, 0, socket.IPPROTO_TCP),
        (_EQUAL, 0, away + 1, socket.IPPROTO_UDP),
        *checks,
        (_GIVE, 0, 0, limit_bytes),
        (_GIVE, 0, 0, 0),
    )


def tap(protocol: int, program: Program = (), *, kind: int = socket.SOCK_DGRAM) -> socket.socket:
    """What comes and goes of a protocol on every interface, without its Ethernet header unless `kind` is SOCK_RAW.

    Raises OSError.
    """
    opened = socket.socket(socket.AF_PACKET, kind, socket.htons(protocol))
    if program:
        code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
        buffer = ctypes.create_string_buffer(code, len(code))
        fprog = struct.pack("HP", len(program), ctypes.addressof(buffer))
        opened.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
    opened.setblocking(False)
    return opened


def frames(interfaces: Sequence[str], deadline: float | None) -> Iterator[tuple[bytes, float]]:
    """Frames of VRRP and its neighbours with their moments, on these interfaces (none: all), until the deadline.

    Raises OSError.
    """
    for name in interfaces:
        socket.if_nametoindex(name)
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(tap(ETH_P_ALL, VRRP_AND_NEIGHBOURS, kind=socket.SOCK_RAW))
        selector = stack.enter_context(selectors.DefaultSelector())
        selector.register(opened, selectors.EVENT_READ)
        while deadline is None or time.monotonic() < deadline:
            if not selector.select(TICK_SECONDS):
                continue
            with contextlib.suppress(BlockingIOError):
                frame, (name, *_) = opened.recvfrom(FRAME_LIMIT_BYTES)
                if not interfaces or name in interfaces:
                    yield frame, time.time()
