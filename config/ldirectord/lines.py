"""The lines of an ldirectord.cf: what is global, what belongs to which virtual service. Pure.

ldirectord's rules: a `virtual` in the first column opens a section, lines indented by four blanks or a tab belong to
it, the first other line ends it. A line whose first character is `#` is skipped anywhere; inside a section `#` cuts a
line, also in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from config import codes
from config.nodes import Place
from config.reading import Reading

LINE_LIMIT: Final = 50_000
LINE_LIMIT_CHARACTERS: Final = 8192
INDENTATION: Final = 4  # blanks; a tab counts as four of them, wherever it stands
HEADS: Final = ("virtual", "virtual6")
_LINE = re.compile(r"([^\s=]*)(\s*=\s*)?")


@dataclass(frozen=True, slots=True)
class Line:
    """A directive as written. `value` is None without a `=`; it may be a password, and is hidden from repr."""

    name: str
    value: str | None = field(repr=False)
    place: Place
    value_place: Place


@dataclass(slots=True)
class Lines:
    """The global directives, and each virtual service's: its `virtual` line first."""

    top: list[Line] = field(default_factory=list)
    sections: list[list[Line]] = field(default_factory=list)


def split_lines(file: str, text: str, reading: Reading) -> Lines:
    """Every directive in its context; notes lines that stand in none."""
    found = Lines()
    open_section = stray = False
    for number, raw in _numbered(file, text, reading):
        if raw.lstrip().startswith("#"):
            continue
        indent = _indentation(raw)
        body = raw.partition("#")[0] if open_section else raw
        if open_section and indent >= INDENTATION and len(body.replace("\t", "    ")) > INDENTATION:
            found.sections[-1].append(_line(file, number, body))
            continue
        open_section = False
        if not raw.strip():
            continue
        line = _line(file, number, raw)
        if indent == 0:
            stray = False
            open_section = line.name in HEADS
            if open_section:
                found.sections.append([line])
            else:
                found.top.append(line)
        elif not stray:  # what follows it is indented alike: once is enough
            stray = True
            _note_stray(line, indent, bool(found.sections), reading)
    return found


def _numbered(file: str, text: str, reading: Reading) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(text.split("\n"), 1):
        if number > LINE_LIMIT:
            message = f"more than {LINE_LIMIT} lines"
            reading.error(codes.TOO_LARGE, Place(file, number, 1), message, "is it the file you meant?")
            return
        if len(raw) > LINE_LIMIT_CHARACTERS:
            message = f"a line of more than {LINE_LIMIT_CHARACTERS} characters"
            reading.error(codes.TOO_LARGE, Place(file, number, 1), message, "is it the file you meant?")
        elif reading.failed and reading.full:
            return  # nobody reads further problems
        else:
            yield number, raw


def _indentation(raw: str) -> int:
    return sum(4 if c == "\t" else 1 for c in raw[: len(raw) - len(raw.lstrip(" \t"))])


def _line(file: str, number: int, body: str) -> Line:
    start = len(body) - len(body.lstrip(" \t"))
    match = _LINE.match(body, start)
    name, equals = (match[1], match[2]) if match else ("", None)
    end = match.end() if match else start
    value = body[end:].replace("\t", "    ") if equals else None
    return Line(name, value, Place(file, number, start + 1), Place(file, number, end + 1))


def _note_stray(line: Line, indent: int, after_section: bool, reading: Reading) -> None:
    if indent < INDENTATION:
        hint = "nothing before a global directive; four blanks or a tab before one of a virtual service"
    elif after_section:
        hint = "a blank line or a global directive above it has ended the virtual service: remove it"
    else:
        hint = "it is indented, but no `virtual=` stands above it"
    reading.error(codes.LD_INDENTATION, line.place, "this line belongs to no virtual service", hint)
