"""A root directory for one host: a tmpfs overlay over the lab's own tree, with its own /proc, /sys, /dev and /run."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.lab import devices, syscalls
from tests.lab.topology import Share

ROOT_FLAGS = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWPID
)
_SHARED = ("/dev/pts", "/out")  # a person's terminal, and the way out, are the same on every host


def lay(tree: Path) -> None:
    """Make room for a host's files under `tree`, on a file system that may carry an overlay's upper half."""
    for name in ("upper", "work", "root", "keep"):
        Path(tree, name).mkdir(parents=True, exist_ok=True)


def enter(tree: Path, name: str, checkout: str, shares: Sequence[Share]) -> None:
    """In a thread with new namespaces (`ROOT_FLAGS`): mount the host's root over `tree` and move into it."""
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    root = f"{tree}/root"
    lower = f"lowerdir=/,upperdir={tree}/upper,workdir={tree}/work"
    syscalls.mount("overlay", root, "overlay", data=lower)
    devices.populate(f"{root}/dev")
    for shared in _SHARED:
        if Path(shared).exists():
            syscalls.bind(shared, f"{root}{shared}")
    for share in shares:
        common = tree.parent / f"share-{share.name}"
        common.mkdir(mode=0o777, exist_ok=True)
        Path(f"{root}{share.path}").mkdir(parents=True, exist_ok=True)
        syscalls.bind(str(common), f"{root}{share.path}")
    hide(root, source=checkout, checkout=checkout, keep=f"{tree}/keep")
    syscalls.mount("sysfs", f"{root}/sys", "sysfs")
    syscalls.change_root(root)
    socket.sethostname(name)


def hide(root: str, *, source: str, checkout: str, keep: str) -> None:
    """Fresh /run and /tmp below `root`; a checkout that lives in one of them (`source`) stays in sight."""
    hidden = Path(checkout).parts[1:2] in (("tmp",), ("run",))
    if hidden:
        syscalls.bind(source, keep)
    syscalls.mount("tmpfs", f"{root}/run", "tmpfs", data="mode=755")
    syscalls.mount("tmpfs", f"{root}/tmp", "tmpfs", data="mode=1777")
    Path(f"{root}/run/lock").mkdir()
    if hidden:
        Path(f"{root}{checkout}").mkdir(parents=True)
        syscalls.bind(keep, f"{root}{checkout}")


def write(path: str, text: str, mode: int) -> None:
    """A file with exactly this mode, its directories made."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if target.is_symlink():
            target.unlink()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)


def set_sysctl(key: str, value: str) -> None:
    """One kernel setting of this network namespace, by its dotted name."""
    Path("/proc/sys", *key.split(".")).write_text(value)
