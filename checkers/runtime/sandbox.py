"""The worker's first act: it gives up all it can, for good; its second: it proves so from /proc/self/status.

It is about to read bytes that anyone may have sent. Whoever takes it over finds an own user, no group beside
its own, no capability and no way to any, no descriptor of another process, and a bound on everything. What was
opened before and is kept: the supervisor's pipe, and two sockets that carry ICMP echo requests and their replies,
nothing else (checkers/runtime/icmp.py). The one worker that is there for it keeps CAP_NET_RAW, which nothing that it
executes can have.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import signal
import struct
from collections.abc import Iterable
from pathlib import Path

from checkers.core.proof import Standing, Unreadable, faults, standing

PARENT_ENV = "LVSD_PARENT_PID"
"""The supervisor's process id, where it says so: only then its early death can be known."""

DESCRIPTORS = 8192  # the lean engine's calls (4096), the tasks' probes (1024, three each for a command), and ours
PROCESSES = 1024  # of our user, threads included; only external checks make any
ADDRESS_SPACE_BYTES = 4 * 1024**3  # ours and that of each external command

_STANDARD = 3  # the first descriptor that is no standard stream
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")
_STATUS = Path("/proc/self/status")

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """Not everything could be given up, in words: the worker must not start."""


class ParentGone(Exception):
    """The supervisor ended before its death could be watched: end too."""


def confine(user: str, kept: Iterable[int], capabilities: int = 0) -> Standing:
    """Become `user` (when started as root) with nothing but descriptors 0 to 2 and those `kept`, and prove it.

    `capabilities`: a mask of those that stay. Started as somebody else it stays that user, gives up what it can and
    proves the rest. Raises Refused and ParentGone.
    """
    by_root = os.geteuid() == 0
    parent = int(os.environ.pop(PARENT_ENV, "") or os.getppid())
    try:
        account = pwd.getpwnam(user) if by_root else None
        _limit()
        _close_others(kept)
        if account is not None:
            _become(account, capabilities)
        _drop_capabilities(capabilities)
        _die_with_parent(parent)
        os.umask(0o077)
        os.chdir("/")
        held = standing(_STATUS.read_text())
    except (OSError, KeyError, Unreadable) as error:
        raise Refused(str(error)) from error
    if found := faults(held, dropped_by_root=by_root, kept=capabilities):
        raise Refused("; ".join(found))
    return held


def _limit() -> None:
    limits = (
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
        (resource.RLIMIT_NPROC, PROCESSES),
        (resource.RLIMIT_AS, ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, wanted in limits:
        _, hard = resource.getrlimit(kind)
        bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (bound, bound))


def _close_others(kept: Iterable[int]) -> None:
    low = _STANDARD
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = max(low, descriptor + 1)
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def _become(account: pwd.struct_passwd, capabilities: int) -> None:
    """The bounding set goes first: that needs a capability which goes with the user."""
    for capability in range(int(_LAST_CAPABILITY.read_text()) + 1):
        _prctl(_PR_CAPBSET_DROP, capability)
    _prctl(_PR_SET_KEEPCAPS, int(capabilities != 0))  # of the permitted ones, until they are chosen from
    os.setgroups([])
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)


def _drop_capabilities(kept: int) -> None:
    """All but those kept, of which an execve(2) leaves none; and none gives any back (capset(2), prctl(2))."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    if _libc.capset(header, struct.pack("6I", low, low, 0, high, high, 0)) != 0:
        _raise("capset")
    _prctl(_PR_SET_KEEPCAPS, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)  # an external command of the same user cannot read passwords from our memory


def _die_with_parent(parent: int) -> None:
    """Have the kernel end us with the supervisor. The change of user had made it forget (prctl(2))."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise ParentGone


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    if _libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero) != 0:
        _raise(f"prctl {option}")


def _raise(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), what)
