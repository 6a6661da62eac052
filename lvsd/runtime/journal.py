"""One line a fact on standard error: `[moment] level event key=value ...`. Only this module logs.

The moment stands there unless systemd's journal, which has its own, reads along (JOURNAL_STREAM).
It never blocks: a reader that has gone to sleep must not make an advertisement late. Light to import.
"""

from __future__ import annotations

import os
import select
import time
from typing import Literal

LINE_LIMIT_BYTES = (
    4096 - 32
)  # PIPE_BUF, less a stamp: poll() promises that much, and a line that short is written whole
STANDARD_ERROR = 2

Word = Literal["debug", "info", "warning", "error"]

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,:;/@%+-*~[]()<>|!?#&")


class Journal:
    """Lines to one descriptor. `lost` counts those that found it full; the next line that fits says so."""

    def __init__(self, descriptor: int, *, stamped: bool = False) -> None:
        """Write to `descriptor`, which stays in the mode it is in: others share it. `stamped`: with the moment."""
        self._descriptor = descriptor
        self._stamped = stamped
        self._room = select.poll()
        self._room.register(descriptor, select.POLLOUT)
        self.lost = 0

    def tell(self, level: Word, event: str, /, **fields: object) -> None:
        """Write one fact, or count it as lost."""
        if self.lost:
            fields["lines_lost"] = self.lost
        if self._written(stamp(time.time()) * self._stamped + line(level, event, fields)):
            self.lost = 0
        else:
            self.lost += 1

    def _written(self, text: bytes) -> bool:
        try:
            ready = self._room.poll(0)
            return bool(ready and ready[0][1] & select.POLLOUT) and os.write(self._descriptor, text) > 0
        except OSError:
            return False


def stamp(moment: float) -> bytes:
    """A moment of the wall clock (seconds since 1970) in UTC, to the millisecond, with a blank behind it."""
    milliseconds = int(moment * 1000) % 1000
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{milliseconds:03}Z ", time.gmtime(moment)).encode()


def line(level: Word, event: str, fields: dict[str, object]) -> bytes:
    """A line with its end, cut at the limit. Whatever could forge another line or field is escaped."""
    words = [level, event, *(f"{key}={_value(value)}" for key, value in fields.items())]
    text = " ".join(words).encode()
    return text[: LINE_LIMIT_BYTES - 1] + b"\n"


def _value(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    if text and _PLAIN.issuperset(text):
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(_printable(character) for character in quoted) + '"'


def _printable(character: str) -> str:
    return character if character.isprintable() else f"\\u{{{ord(character):x}}}"


_journal = Journal(STANDARD_ERROR, stamped="JOURNAL_STREAM" not in os.environ)


def tell(level: Word, event: str, /, **fields: object) -> None:
    """A fact for the journal: `event` in snake_case and the past tense, values that are data and no secrets."""
    _journal.tell(level, event, **fields)
