"""One line a fact on standard error: `[moment] level event key=value ...`. Only this module logs; it never blocks.

The moment stands there unless systemd's journal, which has its own, reads along (JOURNAL_STREAM).
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Literal

Level = Literal["info", "warning", "error"]

LINE_LIMIT_BYTES = 4096 - 32  # PIPE_BUF, less a stamp: written whole or not at all
STANDARD_ERROR = 2
STAMPED = "JOURNAL_STREAM" not in os.environ
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,:;/@%+-*~[]()<>|!?#&")


def tell(level: Level, event: str, /, **fields: object) -> None:
    """Write one fact; it is lost where nobody takes it. Values are data, never secrets."""
    room = select.poll()
    room.register(STANDARD_ERROR, select.POLLOUT)
    with contextlib.suppress(OSError):
        ready = room.poll(0)
        if ready and ready[0][1] & select.POLLOUT:
            os.write(STANDARD_ERROR, stamp(time.time()) * STAMPED + line(level, event, fields))


def stamp(moment: float) -> bytes:
    """A moment of the wall clock (seconds since 1970) in UTC, to the millisecond, with a blank behind it."""
    milliseconds = int(moment * 1000) % 1000
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{milliseconds:03}Z ", time.gmtime(moment)).encode()


def line(level: Level, event: str, fields: dict[str, object]) -> bytes:
    """A line with its end, cut at the limit; whatever could forge another line or field is escaped."""
    words = [level, event, *(f"{key}={_value(value)}" for key, value in fields.items())]
    return " ".join(words).encode(errors="backslashreplace")[: LINE_LIMIT_BYTES - 1] + b"\n"


def _value(value: object) -> str:
    text = str(value)
    if text and _PLAIN.issuperset(text):
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in quoted) + '"'


class Bounded:
    """Tells a kind of fact that may come by the thousand: so many a minute, then how many were left out."""

    def __init__(self, a_minute: int) -> None:
        """At most so many lines in any minute."""
        self._limit = a_minute
        self._began_at = 0.0
        self._told = 0
        self._left_out = 0

    def tell(self, level: Level, event: str, /, **fields: object) -> None:
        """Write the fact, or count it."""
        now = time.monotonic()
        if now - self._began_at >= 60.0:  # noqa: PLR2004 - a minute
            if self._left_out:
                tell("warning", "lines_left_out", lines=self._left_out)
            self._began_at, self._told, self._left_out = now, 0, 0
        if self._told < self._limit:
            self._told += 1
            tell(level, event, **fields)
        else:
            self._left_out += 1
