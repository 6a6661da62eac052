"""Lines added to files of outcomes. Light to import."""

from __future__ import annotations

import os
import stat

from lvsd.runtime.sparingly import Sparingly

MODE = 0o640
LINE_LIMIT_CHARACTERS = 4096
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Lines:
    """Appends each line to the file that has the name now: whoever rotates files need not tell us."""

    def __init__(self) -> None:
        """No file is held open."""
        self._errors = Sparingly()

    def append(self, path: str, line: str, now: float) -> None:
        """Write it whole or tell why not, once a minute and file."""
        text = "".join(one if one.isprintable() else "?" for one in line[:LINE_LIMIT_CHARACTERS])
        try:
            _append(path, text.encode() + b"\n")
        except (OSError, ValueError) as error:
            self._errors.tell(path, now, "error", "line_not_written", file=path, error=str(error))


def _append(path: str, text: bytes) -> None:
    """Raises OSError, and ValueError where a path holds a NUL."""
    descriptor = os.open(path, _FLAGS, MODE)  # a FIFO nobody reads is refused, it does not hold us up
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "is not a regular file", path)
        if os.write(descriptor, text) < len(text):
            raise OSError(0, "written in part", path)
    finally:
        os.close(descriptor)
