"""The system calls the lab needs and Python does not wrap: mounts, namespaces, parent-death signal, power.

Standard library only: this also runs as process 1 of a freshly booted kernel. Every function raises `OSError`
with the call's own errno.
"""

from __future__ import annotations

import ctypes
import os
import signal

CLONE_FS = 0x00000200
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_MNT_DETACH = 0x2
_PR_SET_PDEATHSIG = 1
_SYS_PIVOT_ROOT = 155  # x86-64; aarch64 has 41, but no User-Mode Linux
_POWER_OFF = 0x4321FEDC
_PTRACE_TRACEME = 0
_PTRACE_GETREGSET = 0x4204
_NT_X86_XSTATE = 0x202
_XSTATE_ROOM_BYTES = 65536

_libc = ctypes.CDLL(None, use_errno=True)


class _Span(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    """Mount; `kind` is the file system's type, None for binds and remounts."""
    result = _libc.mount(
        source.encode(),
        target.encode(),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        None if data is None else data.encode(),
    )
    _checked(result, f"mount {kind or 'bind'} {source} on {target}")


def bind(source: str, target: str, *, recursive: bool = False) -> None:
    """A bind mount; `recursive` takes the mounts below along."""
    mount(source, target, None, MS_BIND | (MS_REC if recursive else 0))


def detach(target: str) -> None:
    """Unmount `target` and all below it, now from sight and later for good (MNT_DETACH)."""
    _checked(_libc.umount2(target.encode(), _MNT_DETACH), f"umount {target}")


def unshare(flags: int) -> None:
    """Make new namespaces for the calling thread; processes: for its next child (unshare(2))."""
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int, flags: int) -> None:
    """Enter the namespaces of a process (its pidfd) or one namespace (its file)."""
    _checked(_libc.setns(fd, flags), "setns")


def change_root(new_root: str) -> None:
    """Make `new_root` (a mount point) the root of this mount namespace and forget the old one."""
    os.chdir(new_root)
    _checked(_libc.syscall(_SYS_PIVOT_ROOT, b".", b"."), f"pivot_root {new_root}")
    _checked(_libc.umount2(b".", _MNT_DETACH), "umount of the old root")
    os.chdir("/")


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask for `number` when the thread that made this process ends."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number), 0, 0, 0), "prctl")


def power_off() -> None:
    """reboot(2), power off: the end of a User-Mode Linux kernel."""
    os.sync()
    _checked(_libc.reboot(_POWER_OFF), "reboot")


def extended_state_bytes() -> int:
    """How many bytes of registers the kernel saves for a process (NT_X86_XSTATE); 0 where it will not say."""
    pid = os.fork()
    if pid == 0:
        _libc.ptrace(ctypes.c_long(_PTRACE_TRACEME), ctypes.c_long(0), None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    os.waitpid(pid, 0)
    room = ctypes.create_string_buffer(_XSTATE_ROOM_BYTES)
    span = _Span(ctypes.addressof(room), _XSTATE_ROOM_BYTES)
    request = (ctypes.c_long(_PTRACE_GETREGSET), ctypes.c_long(pid), ctypes.c_void_p(_NT_X86_XSTATE))
    answered = _libc.ptrace(*request, ctypes.byref(span)) == 0
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return int(span.length) if answered else 0
