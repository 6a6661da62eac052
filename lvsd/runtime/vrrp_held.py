"""The addresses this machine holds because of VRRP, in a file: what a successor, or --release, needs to know.

One line an address: `interface address/prefix_length`. What the file names is always at least what is held: it
is written before an address is added and after one is removed.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from config.model import VirtualAddress

FILE_LIMIT_BYTES = 1 << 20


def read(path: Path) -> frozenset[VirtualAddress]:
    """What the file names; nothing when there is no file. A line that is not whole is passed over."""
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8", errors="replace") as file:
        lines = file.read(FILE_LIMIT_BYTES).splitlines()
        return frozenset(address for line in lines if (address := _parse(line)) is not None)
    return frozenset()


def _parse(line: str) -> VirtualAddress | None:
    interface, _, rest = line.partition(" ")
    address, _, prefix = rest.partition("/")
    if not interface or not address or not prefix.isdecimal():
        return None
    return VirtualAddress(address, int(prefix), interface)


class HeldFile:
    """Keeps the file at what is held. Without a path it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        """What the file says now is what a predecessor left."""
        self._path = path
        self._written = read(path) if path is not None else frozenset()

    @property
    def known(self) -> bool:
        """Whether there is such a file to go by."""
        return self._path is not None

    @property
    def inherited(self) -> frozenset[VirtualAddress]:
        """What the file names now."""
        return self._written

    def write(self, held: frozenset[VirtualAddress]) -> None:
        """Write what is held, whole or not at all, also when somebody removed the file. Raises OSError."""
        if self._path is None or (held == self._written and (self._path.exists() or not held)):
            return
        lines = sorted(f"{one.interface} {one.address}/{one.prefix_length}\n" for one in held)
        staged = self._path.with_name(self._path.name + ".new")
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(lines)
        staged.replace(self._path)
        self._written = held
