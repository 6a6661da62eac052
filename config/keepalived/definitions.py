"""`$NAME=value` definitions and their uses. Pure.

Measured on keepalived 2.2.7: `${NAME}` is filled in anywhere, `$NAME` only before a blank or the line's end; a name
that is not defined stays as it is written; a value is filled in again where it is used.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from config import codes
from config.keepalived.tokens import LINE_LIMIT, Line, Piece
from config.nodes import Place
from config.reading import Reading, shown

DEFINITIONS_LIMIT: Final = 4096
_DEPTH_LIMIT: Final = 16
_PIECES_LIMIT: Final = 4096
_FILE_LIMIT: Final = 100_000
_DEFINITION: Final = re.compile(r"\s*\$([A-Za-z_]\w*)\s*=\s*(.*)", re.DOTALL)
_USE: Final = re.compile(r"\$\{(\w+)\}|\$(\w+)(?=\s|$)|\$\{_(?:ENV|RANDOM)\b[^}]*\}")
_ENVIRONMENT: Final = re.compile(r"\$\{_ENV\s+([A-Za-z_]\w*)\s*\}")


class Definitions:
    """What was defined so far in a file and those that include it."""

    def __init__(self, reading: Reading) -> None:
        """Start with nothing defined."""
        self._reading = reading
        self._values: dict[str, str] = {}
        self._left = _FILE_LIMIT  # parts that lines may still be put together from

    def define(self, text: str, place: Place) -> bool:
        """Whether the line is a definition; if so it is remembered."""
        found = _DEFINITION.fullmatch(text)
        if found is None:
            return False
        if len(self._values) >= DEFINITIONS_LIMIT:
            self._reading.error(codes.TOO_MUCH, place, f"more than {DEFINITIONS_LIMIT} definitions")
        else:
            self._values[found[1]] = found[2].rstrip()
        return True

    @contextmanager
    def holding(self, values: Mapping[str, str]) -> Iterator[None]:
        """Some names have these values for a while."""
        before = {name: self._values[name] for name in values if name in self._values}
        self._values.update(values)
        try:
            yield
        finally:
            for name in values:
                del self._values[name]
            self._values.update(before)

    def fill_in(self, text: str, file: str, number: int) -> Iterator[Line]:
        """The line with its definitions filled in; several where a value has several lines."""
        if "$" not in text:
            yield Line(text, file, number)
            return
        parts = list(self._parts(text, Place(file, number))) if self._left > 0 else []
        self._left -= max(len(parts), 1)
        if self._left <= 0:
            if parts:
                self._reading.error(codes.TOO_MUCH, Place(file, number, 1), "definitions are used too often")
            return
        if sum(len(part) for part, _column, _fixed in parts) > LINE_LIMIT or len(parts) >= _PIECES_LIMIT:
            message = f"this line has more than {LINE_LIMIT} characters once its definitions are filled in"
            self._reading.error(codes.DEFINITION, Place(file, number, 1), message, "does a definition use itself?")
            return
        yield from _lines(parts, file, number)

    def _parts(self, text: str, place: Place) -> Iterator[tuple[str, int, bool]]:
        """The line in parts, each with its column and whether all of it stands there."""
        budget = [_PIECES_LIMIT]
        done = 0
        for use in _USE.finditer(text):
            column = use.start() + 1
            yield text[done : use.start()], done + 1, False
            for part in self._values_of(use, Place(place.file, place.line, column), budget, 0):
                yield part, column, True
            done = use.end()
        yield text[done:], done + 1, False

    def _values_of(self, use: re.Match[str], place: Place, budget: list[int], depth: int) -> Iterator[str]:
        value = self._value(use, place)
        if value is None:
            yield use[0]
            return
        done = 0
        for inner in _USE.finditer(value):
            budget[0] -= 1
            if budget[0] <= 0:
                return
            yield value[done : inner.start()]
            if depth < _DEPTH_LIMIT:
                yield from self._values_of(inner, place, budget, depth + 1)
            else:
                self._reading.error(codes.DEFINITION, place, f"{shown(use[0])} is defined by itself", "mend it")
            done = inner.end()
        yield value[done:]

    def _value(self, use: re.Match[str], place: Place) -> str | None:
        name = use[1] or use[2]
        if name is None:
            return self._special(use[0], place)
        if name == "_PWD":
            return posixpath.dirname(place.file) or "."
        if name not in self._values and use[1] is not None:
            message = f"{shown(use[0])} is not defined above"
            self._reading.warning(
                codes.DEFINITION, place, message, "keepalived leaves it as it stands, and so is it here"
            )
        return self._values.get(name)

    def _special(self, text: str, place: Place) -> str | None:
        environment = _ENVIRONMENT.fullmatch(text)
        value = self._reading.files.environ(environment[1]) if environment else None
        if value is None:
            hint = "write the value itself" if environment is None else "set it where lvsd is started"
            self._reading.error(codes.DEFINITION, place, f"{shown(text)} has no value here", hint)
        return value


def _lines(parts: list[tuple[str, int, bool]], file: str, number: int) -> Iterator[Line]:
    """Parts to lines: a value of several lines breaks the line it is used in."""
    text = ""
    pieces: list[Piece] = []
    for part, column, fixed in parts:
        for count, segment in enumerate(part.split("\n")):
            if count:
                yield Line(text, file, number, tuple(pieces) or (Piece(0, 1),))
                text, pieces = "", []
            pieces.append(Piece(len(text), column, fixed))
            text += segment
    yield Line(text, file, number, tuple(pieces))
