"""What each of our processes does to itself when it starts. Linux only; light to import.

The order that works: open what needs privileges, `run_in_real_time`, `keep_capabilities`, then
`die_with_parent` (the kernel forgets a parent-death signal when the user changes, prctl(2)).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

NOTIFY_ENV = "LVSD_NOTIFY_FD"
"""The supervisor's pipe, as a descriptor's number: READY once, ALIVE each second."""

PARENT_ENV = "LVSD_PARENT_PID"
"""The supervisor's process id, where it says so: see die_with_parent."""

PERMANENT_EXIT = 78
"""The exit status of a process that no restart can help (sysexits.h: EX_CONFIG)."""

CAP_NET_ADMIN = 12
CAP_NET_RAW = 13
CAP_SYS_NICE = 23

NAME_LIMIT_BYTES = 15

LOOKED_AT_AT_ONCE = 20_000  # things: a round of the collector over so many takes a millisecond or two

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")
_STATUS = Path("/proc/self/status")
_STAT = Path("/proc/self/stat")
_ARG_START = 48 - 3  # its place in proc_pid_stat(5), counted from the state, which follows the name; arg_end is next

_libc = ctypes.CDLL(None, use_errno=True)


class ParentGone(Exception):
    """The parent ended before its death could be watched: end too."""


def name_process(name: str) -> None:
    """The name that ps and top show, cut at 15 bytes (prctl(2), PR_SET_NAME)."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()[:NAME_LIMIT_BYTES]))


def show_as(words: str) -> None:
    """What `ps` shows instead of our command line, as far as there is room where that lies (setproctitle(3bsd)).

    It is for a forked child, whose command line would be its parent's. Where the kernel does not say, nothing happens.
    """
    try:
        fields = _STAT.read_text().rpartition(")")[2].split()
        begin, end = int(fields[_ARG_START]), int(fields[_ARG_START + 1])
    except (OSError, IndexError, ValueError):
        return
    if 0 < begin < end:
        ctypes.memset(begin, 0, end - begin)
        ctypes.memmove(begin, text := words.encode()[: end - begin - 1], len(text))


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Have the kernel send signal `number` when the parent ends. Raises ParentGone when it already has.

    A parent that ended before this was called can be known only if it left its process id in the environment:
    process id 1 proves nothing, in a container the supervisor may well have it.
    """
    before = int(os.environ.get(PARENT_ENV) or os.getppid())
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number))
    if os.getppid() != before:
        raise ParentGone


def keep_capabilities(kept: Iterable[int]) -> None:
    """Keep these capabilities alone, for good, and prove it from /proc. Raises PermissionError.

    The bounding and ambient sets are reduced too and no_new_privs is set, so that nothing this process executes can
    ever have more. What a service manager has already taken away needs no right to be dropped.
    """
    wanted = frozenset(kept)
    for capability in range(int(_LAST_CAPABILITY.read_text()) + 1):
        if capability not in wanted and _libc.prctl(_PR_CAPBSET_READ, ctypes.c_ulong(capability), 0, 0, 0) == 1:
            _prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability))
    _prctl(_PR_CAP_AMBIENT, ctypes.c_ulong(_PR_CAP_AMBIENT_CLEAR_ALL))
    _prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1))
    _set_capabilities(sum(1 << capability for capability in wanted))
    _prove(sum(1 << capability for capability in wanted))


def run_in_real_time(priority: int = 1) -> bool:
    """Run before every ordinary process (SCHED_RR, not inherited by children). False when that is not allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError:
        return False
    return True


def settle_memory() -> None:
    """Take what was loaded so far out of the garbage collector's sight, so that its pauses stay short."""
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection: while thousands of things are read it would look at all that was read, again and again.

    Nor is it looked at afterwards where it is much, in rounds that would hold up whoever has the interpreter then:
    what is read or prepared here holds no cycles and ends with its last reference. Where it is little the collector
    goes on as ever: what else lives at this moment and is a cycle (a connection's transport) would stay for ever.
    """
    gc.disable()
    try:
        yield
    finally:
        if gc.get_count()[0] > LOOKED_AT_AT_ONCE:
            gc.freeze()
        gc.enable()


def origin(error: BaseException) -> str:
    """File and line of the frame that raised it: what may be told of a fault whose words may hold a password."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "unknown"


class Notifier:
    """Our end of the supervisor's pipe. It never blocks and never fails; without a supervisor it does nothing."""

    def __init__(self, descriptor: int | None) -> None:
        """Take over the descriptor: no child of ours inherits it."""
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)

    @classmethod
    def from_environment(cls) -> Notifier:
        """The notifier of the descriptor in LVSD_NOTIFY_FD, or one that does nothing."""
        number = os.environ.pop(NOTIFY_ENV, "")
        try:
            return cls(int(number) if number.isdecimal() else None)
        except OSError:
            return cls(None)

    def ready(self) -> None:
        """Say, once, that the work has begun."""
        self._say(b"READY\n")

    def alive(self) -> None:
        """Say, each second, that the loop turns."""
        self._say(b"ALIVE\n")

    def order(self, lines: bytes) -> None:
        """Say what else the supervisor is to do; a whole number of lines, fewer than PIPE_BUF bytes."""
        self._say(lines)

    def _say(self, word: bytes) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # full or closed: the supervisor judges by what it hears
                os.write(self._descriptor, word)


def _prctl(option: int, first: ctypes.c_ulong | ctypes.c_char_p) -> None:
    zero = ctypes.c_ulong(0)
    if _libc.prctl(ctypes.c_int(option), first, zero, zero, zero) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"prctl {option}")


def _set_capabilities(mask: int) -> None:
    """Permitted and effective to `mask`, inheritable to nothing (capset(2))."""
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    data = struct.pack("6I", low, low, 0, high, high, 0)
    if _libc.capset(header, data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "capset")


def _prove(mask: int) -> None:
    lines = (line.split() for line in _STATUS.read_text().splitlines())
    held = {line[0]: int(line[1], 16) for line in lines if line and line[0].startswith("Cap")}
    expected = {"CapInh:": 0, "CapPrm:": mask, "CapEff:": mask, "CapBnd:": mask, "CapAmb:": 0}
    if held != expected:
        text = f"capabilities are not as asked: {held}"
        raise PermissionError(text)
