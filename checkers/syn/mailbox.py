"""Many packets from a raw socket in one call: recvmmsg(2), which Python has no word for.

One packet at a time costs twice as much (bench/syn.py), and the answers to a thousand probes come together.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator

from checkers.syn.packet import NAME_BYTES, STRIDE, Answer, answers_4, answers_6

PACKETS = 256  # in one call

_CONTROL_BYTES = 32  # struct cmsghdr and struct timespec
_MOMENTS = struct.Struct("@16xqq")
_WAIT_FOR_NONE = socket.MSG_DONTWAIT


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vector", ctypes.c_void_p),
        ("vectors", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Header(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("message", _Message), ("length", ctypes.c_uint))


_LENGTHS = struct.Struct(f"@{_Header.length.offset}xI{ctypes.sizeof(_Header) - _Header.length.offset - 4}x")
_recvmmsg = ctypes.CDLL(None, use_errno=True).recvmmsg


class Mailbox:
    """The buffers of one raw socket that tells when each packet came (SO_TIMESTAMPNS), filled anew each time."""

    def __init__(self, receiver: socket.socket) -> None:
        """Nothing has come."""
        self._descriptor = receiver.fileno()
        self._ipv6 = receiver.family == socket.AF_INET6
        self._packets = bytearray(PACKETS * STRIDE)
        self._names = bytearray(PACKETS * NAME_BYTES)
        self._controls = bytearray(PACKETS * _CONTROL_BYTES)
        self._vectors = (_Vector * PACKETS)()
        self._headers = (_Header * PACKETS)()
        self._lay_out()
        self._blank = bytes(self._headers)

    def collect(self) -> Iterator[tuple[Answer | None, float]]:
        """What has come, PACKETS at most, each with its moment (seconds since 1970). Raises OSError."""
        ctypes.memmove(self._headers, self._blank, len(self._blank))  # the kernel wrote in them
        count = _recvmmsg(self._descriptor, self._headers, PACKETS, _WAIT_FOR_NONE, None)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return zip(self._answers(count), self._moments(count), strict=False)

    def _answers(self, count: int) -> Iterator[Answer | None]:
        headers = memoryview(self._headers).cast("B")[: count * ctypes.sizeof(_Header)]
        lengths = [length for (length,) in _LENGTHS.iter_unpack(headers)]
        packets = self._packets[: count * STRIDE]
        if self._ipv6:
            return answers_6(packets, self._names[: count * NAME_BYTES], lengths)
        return answers_4(packets, lengths)

    def _moments(self, count: int) -> list[float]:
        told = _MOMENTS.iter_unpack(self._controls[: count * _CONTROL_BYTES])
        return [seconds + nanoseconds * 1e-9 for seconds, nanoseconds in told]

    def _lay_out(self) -> None:
        packets, names, controls = (_address(one) for one in (self._packets, self._names, self._controls))
        vectors = ctypes.addressof(self._vectors)
        for at, (vector, whole) in enumerate(zip(self._vectors, self._headers, strict=True)):
            header = whole.message
            vector.base, vector.length = packets + at * STRIDE, STRIDE
            header.name, header.name_length = names + at * NAME_BYTES, NAME_BYTES
            header.vector, header.vectors = vectors + at * ctypes.sizeof(_Vector), 1
            header.control, header.control_length = controls + at * _CONTROL_BYTES, _CONTROL_BYTES


def _address(buffer: bytearray) -> int:
    """Where it lies; it must never change its size."""
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
