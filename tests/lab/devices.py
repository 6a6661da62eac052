"""Small things made with one system call each: device nodes, an interface brought up, limits raised."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import stat
import struct
from pathlib import Path

from tests.lab import syscalls

_NODES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "kmsg": (1, 11),
    "tty": (5, 0),
    "console": (5, 1),
    "net/tun": (10, 200),
}
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_REQUEST = struct.Struct("16sH22x")  # struct ifreq with ifr_flags


def populate(dev: str) -> None:
    """A /dev of its own at `dev`: nodes, links, empty pts and a private shm."""
    syscalls.mount("tmpfs", dev, "tmpfs", syscalls.MS_NOSUID, "mode=755")
    for name in ("net", "pts", "shm"):
        Path(dev, name).mkdir()
    for name, (major, minor) in _NODES.items():
        path = Path(dev, name)
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        path.chmod(0o666)
    for name, target in _LINKS.items():
        Path(dev, name).symlink_to(target)
    syscalls.mount("tmpfs", f"{dev}/shm", "tmpfs", data="mode=1777")


def raise_link(name: str) -> None:
    """Bring an interface of the current network namespace up (netdevice(7)); 50 µs where `ip link` takes 20 ms."""
    _set_up(name, up=True)


def lower_link(name: str) -> None:
    """Take an interface of the current network namespace down."""
    _set_up(name, up=False)


def _set_up(name: str, *, up: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, _REQUEST.pack(name.encode(), 0))
        flags = int(_REQUEST.unpack(answer)[1])
        flags = flags | _IFF_UP if up else flags & ~_IFF_UP
        fcntl.ioctl(control, _SIOCSIFFLAGS, _REQUEST.pack(name.encode(), flags))


def allow_open_files(limit: int) -> None:
    """Raise the limit of open files for this process and its children, as far as it is allowed to."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
