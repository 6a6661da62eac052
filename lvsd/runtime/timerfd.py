"""A timer of the kernel as a descriptor: exact where a poll's time-out is rounded up to a millisecond."""

from __future__ import annotations

import contextlib
import ctypes
import os
from math import inf
from time import CLOCK_MONOTONIC

_TFD_TIMER_ABSTIME = 1
_NANOSECONDS = 1_000_000_000

_libc = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class TimerFd:
    """One alarm at a moment of CLOCK_MONOTONIC (timerfd_create(2)). Readable once the moment has come."""

    def __init__(self) -> None:
        """Raises OSError when the process has no descriptors left."""
        self._descriptor: int = _libc.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        _check(self._descriptor)

    def fileno(self) -> int:
        """For the poll."""
        return self._descriptor

    def set(self, moment: float) -> None:
        """Ring at `moment`, at once when that is past, never when it is inf. Replaces what was set before."""
        nanoseconds = 0 if moment == inf else max(1, int(moment * _NANOSECONDS))  # zero disarms
        value = _Timespec(*divmod(nanoseconds, _NANOSECONDS))
        setting = _Setting(_Timespec(0, 0), value)
        _check(_libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(setting), None))

    def read(self) -> None:
        """Take note of the ring, if there was one."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 8)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "timerfd")
