"""Many messages in one system call: the structures of sendmmsg(2) and recvmmsg(2), which Python has no words for."""

from __future__ import annotations

import ctypes
import os
from typing import Final, Literal


class Vector(ctypes.Structure):
    """struct iovec."""

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


class Header(ctypes.Structure):
    """struct mmsghdr: a message, and how much of it there was."""

    _fields_ = (("message", _Message), ("length", ctypes.c_uint))


HEADER_BYTES: Final = ctypes.sizeof(Header)

Letter = Literal["H", "I", "q"]
"""struct's: an unsigned number of 16 bits, one of 32, a signed one of 64."""

libc: Final = ctypes.CDLL(None, use_errno=True)


def address_of(buffer: bytearray) -> int:
    """Where it lies. As long as it lives it cannot change its size from now on."""
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


def column(table: memoryview, kind: Letter, at: int, row_bytes: int) -> memoryview:
    """The number that lies `at` so many bytes in each row, for all rows: to be read or written in one step.

    Its size divides `at` and `row_bytes`.
    """
    numbers = table.cast(kind)
    return numbers[at // numbers.itemsize :: row_bytes // numbers.itemsize]


def failure() -> OSError:
    """Why the last call of `libc` failed."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
