"""Named pipes that get a line for each event. Light to import."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from lvsd.runtime.sparingly import Sparingly

MODE = 0o600
LINE_LIMIT_CHARACTERS = 512  # with its newline less than PIPE_BUF, so that it goes in whole or not at all
_FLAGS = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class Fifos:
    """Keeps them open, for reading too: nobody waits, readers see no end, lines wait for one that comes."""

    def __init__(self) -> None:
        """None is open."""
        self._open: dict[str, int] = {}
        self._troubles = Sparingly()

    def keep(self, paths: Iterable[str], now: float) -> None:
        """Have these open, made where they are missing, and no others."""
        wanted = frozenset(paths)
        for path in [path for path in self._open if path not in wanted]:
            self._close(path)
        for path in wanted:
            self._descriptor(path, now)

    def write(self, path: str, line: str, now: float) -> None:
        """Write a line, or tell once a minute that it is lost."""
        descriptor = self._descriptor(path, now)
        if descriptor is None:
            return
        text = "".join(one if one.isprintable() else "?" for one in line[:LINE_LIMIT_CHARACTERS])
        try:
            os.write(descriptor, text.encode(errors="replace") + b"\n")
        except OSError as error:
            because = "nobody reads it" if isinstance(error, BlockingIOError) else str(error)
            self._troubles.tell(f"lost {path}", now, "warning", "fifo_line_lost", fifo=path, because=because)

    def _descriptor(self, path: str, now: float) -> int | None:
        held = self._open.get(path)
        if held is not None and _still_there(path, held):
            return held
        self._close(path)
        try:
            self._open[path] = _opened(path)
        except (OSError, ValueError) as error:
            self._troubles.tell(f"open {path}", now, "error", "fifo_not_opened", fifo=path, error=str(error))
        return self._open.get(path)

    def _close(self, path: str) -> None:
        descriptor = self._open.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)


def _still_there(path: str, descriptor: int) -> bool:
    """Whether the path still names what we hold: somebody may have made another."""
    try:
        named, held = Path(path).lstat(), os.fstat(descriptor)
    except OSError:
        return False
    return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)


def _opened(path: str) -> int:
    """Raises OSError, and ValueError where a path holds a NUL."""
    with contextlib.suppress(FileExistsError):
        os.mkfifo(path, MODE)
    descriptor = os.open(path, _FLAGS)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "is not a named pipe", path)
    return descriptor
