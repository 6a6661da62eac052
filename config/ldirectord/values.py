"""Kinds of values in an ldirectord.cf, each read as ldirectord reads it. No problem ever tells a quoted value. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar, cast

import msgspec

from config import codes
from config.ldirectord.lines import Line
from config.nodes import At
from config.reading import Reading, did_you_mean, shown

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
TEXT_LIMIT_BYTES: Final = 1024
_MOST_DIGITS = 12


class Known(msgspec.Struct, Generic[T_co], frozen=True):
    """A directive ldirectord knows and how its value is read; None when it is refused, after noting why."""

    name: str
    read: Callable[[Line, Reading], T_co | None]


@dataclass(frozen=True, slots=True)
class Said:
    """What was said in one context, by directive; the last of several counts."""

    values: Mapping[str, At[object]] = field(default_factory=dict, repr=False)

    def get(self, known: Known[T]) -> At[T] | None:
        """The directive's value and its place."""
        return cast("At[T] | None", self.values.get(known.name))  # stored by the reader of the directive of this name

    def value(self, known: Known[T], default: T) -> T:
        """The directive's value or the default."""
        found = self.get(known)
        return default if found is None else found.value


def refuse(line: Line, message: str, hint: str, reading: Reading) -> None:
    """Note a value that ldirectord would refuse."""
    place = line.place if line.value is None else line.value_place
    reading.error(codes.LD_VALUE, place, f"{line.name}: {message}", hint)


def number(least: int, most: int) -> Callable[[Line, Reading], int | None]:
    """The first digits anywhere in the value, as ldirectord takes them."""

    def read(line: Line, reading: Reading) -> int | None:
        text = (line.value or "").strip()
        digits = re.search(r"\d+", text, re.ASCII)
        found = int(digits[0]) if digits and len(digits[0]) <= _MOST_DIGITS else None
        if digits is None or found is None or not least <= found <= most:
            refuse(line, f"{shown(text)} is not a number it takes", f"from {least} to {most}", reading)
            return None
        if digits[0] != text.partition(" ")[0] and digits[0] != text:
            message = f"{line.name}: {shown(text)} is taken for {found}, as ldirectord does"
            reading.warning(codes.LD_IGNORED, line.value_place, message, f"write {line.name}={found}")
        return found

    return read


def yes_or_no(line: Line, reading: Reading) -> bool | None:
    """`yes` or `no` and nothing else, not even a blank after it."""
    if line.value in ("yes", "no"):
        return line.value == "yes"
    text = line.value or ""
    hint = "nothing may follow, neither a blank nor a comment"
    if text.endswith("\r"):
        hint = "the file has the line ends of Windows: sed -i 's/\\r$//'"
    elif text.strip() not in ("yes", "no"):
        hint = "in small letters"
    refuse(line, f"{shown(text)} is not `yes` or `no`", hint, reading)
    return None


def word(pattern: str, wanted: str) -> Callable[[Line, Reading], str | None]:
    """What matches at the beginning of the value; ldirectord does not look at the rest."""

    def read(line: Line, reading: Reading) -> str | None:
        text = (line.value or "").strip()
        match = re.match(pattern, text, re.ASCII)
        if match is None:
            refuse(line, f"{shown(text)} is not {wanted}", "", reading)
            return None
        if match.end() != len(text) and not text[match.end() :].lstrip().startswith("#"):
            message = f"{line.name}: what follows {shown(match[0])} is ignored, as ldirectord does"
            reading.warning(codes.LD_IGNORED, line.value_place, message, "remove it")
        return match[1]

    return read


def one_of(words: tuple[str, ...]) -> Callable[[Line, Reading], str | None]:
    """The value's first word, one of those known."""

    def read(line: Line, reading: Reading) -> str | None:
        text = (line.value or "").strip()
        first = text.partition(" ")[0]
        if first in words:
            return first
        refuse(line, f"{shown(first)} is not known", did_you_mean(first, words), reading)
        return None

    return read


def quoted(line: Line, reading: Reading) -> str | None:
    """The text from the first double quote to the last; there is no other form, and it may not be empty."""
    text = quoted_or_empty(line, reading)
    if text == "":
        refuse(line, "an empty text", "remove the line", reading)
        return None
    return text


def quoted_or_empty(line: Line, reading: Reading) -> str | None:
    """The text from the first double quote to the last; there is no other form."""
    match = re.match(r'"(.*)"', line.value or "", re.DOTALL)
    if match is None:
        hint = f'{line.name}="..."'
        if (line.value or "").startswith('"'):
            hint = "no closing quote: `#` begins a comment in quotes too"
        reading.error(codes.LD_NOT_QUOTED, line.value_place, f"{line.name} needs a text in double quotes", hint)
        return None
    return _fitting(match[1], line, reading)


def perhaps_quoted(line: Line, reading: Reading) -> str | None:
    """A text, with or without double quotes around it."""
    text = (line.value or "").strip()
    match = re.fullmatch(r'"(.*)"', text, re.DOTALL)
    if not text:
        refuse(line, "an empty text", "remove the line", reading)
        return None
    return _fitting(match[1] if match else text, line, reading)


def filled(line: Line, reading: Reading) -> str | None:
    """A text, with or without double quotes around it, and not empty within them either."""
    text = perhaps_quoted(line, reading)
    if text == "":
        refuse(line, "an empty text", "remove the line", reading)
        return None
    return text


def anything(line: Line, _reading: Reading) -> str | None:
    """Whatever stands there, nothing included."""
    return (line.value or "").strip()


def _fitting(text: str, line: Line, reading: Reading) -> str | None:
    if len(text.encode(errors="surrogatepass")) > TEXT_LIMIT_BYTES:
        message = f"{line.name}: a text of more than {TEXT_LIMIT_BYTES} bytes"
        reading.error(codes.TOO_LARGE, line.value_place, message)
        return None
    if not text.isprintable():
        reading.error(codes.MALFORMED, line.value_place, f"{line.name}: a control character in the text")
        return None
    return text
