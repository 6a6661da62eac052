"""Many packets from a raw socket in one call: recvmmsg(2).

One packet at a time costs twice as much (bench/syn.py), and the answers to a thousand probes come together.
"""

from __future__ import annotations

import ctypes
import errno
import socket

from checkers.syn.packet import NAME_BYTES, STRIDE, Answer, answers_4, answers_6
from checkers.syn.vectors import HEADER_BYTES, Header, Vector, address_of, column, libc

PACKETS = 512  # in one call: more than are asked in one turn, so that one call sees the end of their answers

INTERRUPTIONS = 64
"""An ICMP error that came is told before any packet, again and again where strangers send many: so often it is passed
over, lest what they send hide an answer."""

_CONTROL_BYTES = 32  # struct cmsghdr and struct timespec
_SECONDS_AT, _NANOSECONDS_AT = 16, 24  # in there
_WAIT_FOR_NONE = socket.MSG_DONTWAIT


class Mailbox:
    """The buffers of one raw socket that tells when each packet came (SO_TIMESTAMPNS), filled anew each time."""

    def __init__(self, receiver: socket.socket) -> None:
        """Nothing has come."""
        self._descriptor = receiver.fileno()
        self._ipv6 = receiver.family == socket.AF_INET6
        self._packets = bytearray(PACKETS * STRIDE)
        self._names = bytearray(PACKETS * NAME_BYTES)
        self._controls = bytearray(PACKETS * _CONTROL_BYTES)
        self._vectors = (Vector * PACKETS)()
        self._headers = (Header * PACKETS)()
        self._lay_out()
        self._first_header = ctypes.addressof(self._headers)
        self._blank = bytes(self._headers)
        self._lengths = column(memoryview(self._headers).cast("B"), "I", Header.length.offset, HEADER_BYTES)
        self._seconds = column(memoryview(self._controls), "q", _SECONDS_AT, _CONTROL_BYTES)
        self._nanoseconds = column(memoryview(self._controls), "q", _NANOSECONDS_AT, _CONTROL_BYTES)

    def collect(self) -> tuple[list[Answer | None], list[float]]:
        """What has come, PACKETS at most, and the moment of each (seconds since 1970)."""
        count = self._receive()
        if not count:
            return [], []
        lengths = self._lengths[:count].tolist()
        moments = zip(self._seconds[:count].tolist(), self._nanoseconds[:count].tolist(), strict=True)
        ctypes.memmove(self._headers, self._blank, count * HEADER_BYTES)  # the kernel wrote in them
        return self._answers(count, lengths), [seconds + nanoseconds * 1e-9 for seconds, nanoseconds in moments]

    def _receive(self) -> int:
        """Into the buffers: how many packets. ICMP errors stay on their queue."""
        count = interrupted = 0
        while count < PACKETS and interrupted <= INTERRUPTIONS:
            begin = ctypes.c_void_p(self._first_header + count * HEADER_BYTES)
            more = libc.recvmmsg(self._descriptor, begin, PACKETS - count, _WAIT_FOR_NONE, None)
            if more > 0:  # all that lay there, or all until an error was told
                count += more
            elif ctypes.get_errno() == errno.EAGAIN:
                break
            else:
                interrupted += 1
        return count

    def _answers(self, count: int, lengths: list[int]) -> list[Answer | None]:
        packets = self._packets[: count * STRIDE]
        if self._ipv6:
            return answers_6(packets, self._names[: count * NAME_BYTES], lengths)
        return answers_4(packets, lengths)

    def _lay_out(self) -> None:
        packets, names, controls = (address_of(one) for one in (self._packets, self._names, self._controls))
        vectors = ctypes.addressof(self._vectors)
        for at, (vector, whole) in enumerate(zip(self._vectors, self._headers, strict=True)):
            header = whole.message
            vector.base, vector.length = packets + at * STRIDE, STRIDE
            if self._ipv6:  # an IPv4 packet says itself who sent it
                header.name, header.name_length = names + at * NAME_BYTES, NAME_BYTES
            header.vector, header.vectors = vectors + at * ctypes.sizeof(Vector), 1
            header.control, header.control_length = controls + at * _CONTROL_BYTES, _CONTROL_BYTES
