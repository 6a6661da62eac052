"""Kinds of single values: texts, numbers, booleans, words, durations. Pure.

A kind reads a node into a value with its place (noting a problem and answering None when it cannot), and says in
JSON Schema what it takes, so that one declaration serves the loader and the editors.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from config import codes
from config.nodes import At, Meaning, Node, Scalar, meaning
from config.reading import Reading, did_you_mean, shown, wrong_type

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Schema = dict[str, object]
TEXT_LIMIT_BYTES: Final = 1024


class Kind(Protocol[T_co]):
    """How a value is read and described."""

    def read(self, node: Node, reading: Reading) -> At[T_co] | None:
        """The value, or None after noting what is wrong with it."""

    def schema(self) -> Schema:
        """What is taken, as JSON Schema."""


def quoted_text(node: Node, reading: Reading, wanted: str) -> str | None:
    """A scalar that YAML too takes for a text; None after noting a problem. Notes never show the value."""
    if not isinstance(node, Scalar):
        wrong_type(reading, node, wanted, "a text that begins with [ or { needs quotes")
        return None
    taken_for = meaning(node)
    if taken_for is not Meaning.TEXT:
        message = f"{wanted} expected, but YAML reads this bare word as {taken_for.value}"
        reading.error(codes.NOT_QUOTED, node.place, message, 'put it in quotes: "..."')
        return None
    return node.text


class Text(msgspec.Struct, frozen=True):
    """A text without control characters, `limit_bytes` of UTF-8 at most, matching `pattern` as a whole."""

    wanted: str = "a text"
    pattern: str | None = None
    hint: str = ""
    limit_bytes: int = TEXT_LIMIT_BYTES
    several_lines: bool = False

    def read(self, node: Node, reading: Reading) -> At[str] | None:
        """The text as it stands."""
        text = quoted_text(node, reading, self.wanted)
        if text is None:
            return None
        return At(text, node.place) if self.fits(text, node, reading) else None

    def fits(self, text: str, node: Node, reading: Reading) -> bool:
        """Whether the text may be what it is wanted for; notes why not."""
        if len(text.encode(errors="surrogatepass")) > self.limit_bytes:
            reading.error(codes.TOO_LARGE, node.place, f"{self.wanted} of more than {self.limit_bytes} bytes")
            return False
        allowed = "\n\t" if self.several_lines else ""
        if any(not c.isprintable() and c not in allowed for c in text):
            reading.error(codes.MALFORMED, node.place, f"a control character in {self.wanted}", self.hint)
            return False
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            reading.error(codes.MALFORMED, node.place, f"{shown(text)} is not {self.wanted}", self.hint)
            return False
        return True

    def schema(self) -> Schema:
        """A string, with its pattern."""
        schema: Schema = {"type": "string"}
        return schema | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})


class Regex(msgspec.Struct, frozen=True):
    """A regular expression of Python's `re`, checked."""

    def read(self, node: Node, reading: Reading) -> At[str] | None:
        """The expression's text."""
        found = Text("a regular expression", several_lines=True).read(node, reading)
        if found is None:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # an ambiguous expression is refused too
                re.compile(found.value)
        except (re.error, OverflowError, RecursionError, Warning) as error:
            reading.error(
                codes.BAD_REGEX, node.place, f"not a regular expression: {error}", "use single quotes in YAML"
            )
            return None
        return found

    def schema(self) -> Schema:
        """A string that is an expression."""
        return {"type": "string", "format": "regex"}


class Integer(msgspec.Struct, frozen=True):
    """A whole number from `low` to `high`, in decimal."""

    low: int
    high: int

    def read(self, node: Node, reading: Reading) -> At[int] | None:
        """The number."""
        if not isinstance(node, Scalar) or not node.plain or not _DECIMAL.fullmatch(node.text):
            _note_no_number(node, reading)
            return None
        value = int(node.text)
        if not self.low <= value <= self.high:
            message = f"{value} is out of range"
            reading.error(codes.OUT_OF_RANGE, node.place, message, f"from {self.low} to {self.high}")
            return None
        return At(value, node.place)

    def schema(self) -> Schema:
        """An integer in its range."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_NUMBER_TRAPS = (
    (r"-?0[0-7_]+", "a leading zero makes it octal in YAML 1.1: write it without"),
    (r"-?0[xobXOB].*", "write it in decimal"),
    (r"[0-9_:]*:[0-9_:]*", "YAML 1.1 reads digits with colons as a number to the base 60: write one plain number"),
    (r"-?[0-9][0-9_]*", "write the digits alone"),
    (r"-?[0-9]+\.[0-9]*", "write it without a fraction"),
)


def _note_no_number(node: Node, reading: Reading) -> None:
    if not isinstance(node, Scalar) or meaning(node) in (Meaning.BOOLEAN, Meaning.NULL):
        wrong_type(reading, node, "a whole number")
    else:
        message = f"a whole number expected, not {shown(node.text)}"
        reading.error(codes.WRONG_TYPE, node.place, message, _number_hint(node))


def _number_hint(node: Scalar) -> str:
    if not node.plain and re.fullmatch(r"[0-9]{1,19}", node.text):
        return "remove the quotes"
    text = node.text[:TEXT_LIMIT_BYTES]
    return next((hint for pattern, hint in _NUMBER_TRAPS if re.fullmatch(pattern, text)), "")


class Boolean(msgspec.Struct, frozen=True):
    """`true` or `false`, and no other spelling: editors and YAML 1.2 read `yes` and `on` as texts."""

    def read(self, node: Node, reading: Reading) -> At[bool] | None:
        """The truth value."""
        if isinstance(node, Scalar) and node.plain and node.text.lower() in ("true", "false"):
            return At(node.text.lower() == "true", node.place)
        hint = "write true or false"
        if isinstance(node, Scalar) and node.text.lower() in ("true", "yes", "on", "false", "no", "off"):
            hint = f"write {'true' if node.text.lower() in ('true', 'yes', 'on') else 'false'}, without quotes"
        reading.error(codes.WRONG_TYPE, node.place, "true or false expected", hint)
        return None

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


class Word(msgspec.Struct, Generic[T], frozen=True):
    """One of a closed set, in either case. `spoken` are the spellings to recommend (all, unless given)."""

    wanted: str
    words: Mapping[str, T]
    spoken: tuple[str, ...] = ()

    def read(self, node: Node, reading: Reading) -> At[T] | None:
        """What the word stands for."""
        if not isinstance(node, Scalar):
            wrong_type(reading, node, self.wanted, f"one of: {', '.join(self.spoken or self.words)}")
            return None
        word = node.text.lower() if len(node.text) <= TEXT_LIMIT_BYTES else ""
        if word in self.words:
            return At(self.words[word], node.place)
        hint = did_you_mean(word, self.spoken or self.words)
        reading.error(codes.UNKNOWN_WORD, node.place, f"{shown(node.text)} is not {self.wanted}", hint)
        return None

    def schema(self) -> Schema:
        """An enumeration, also in capitals where that is how it is spoken; truths are booleans to an editor."""
        truths = {"true": True, "false": False}
        capitals = [word.upper() for word, value in self.words.items() if value == word.upper()]
        return {"enum": [truths.get(word, word) for word in (*self.words, *capitals)]}


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_DURATION = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"


class Duration(msgspec.Struct, frozen=True):
    """A time in seconds from `low` to `high`: `5s`, `200ms`, `2m`, `1h`, `1d` or bare seconds."""

    low: float
    high: float
    whole_seconds: bool = False

    def read(self, node: Node, reading: Reading) -> At[float] | None:
        """The seconds."""
        if not isinstance(node, Scalar) or meaning(node) in (Meaning.BOOLEAN, Meaning.NULL):
            wrong_type(reading, node, "a duration", "5s, 200ms, 2m, 1h or bare seconds")
            return None
        found = re.fullmatch(rf"({_DURATION})(ms|s|m|h|d|)", node.text[:TEXT_LIMIT_BYTES])
        if found is None:
            hint = "5s, 200ms, 2m, 1h, 1d or bare seconds"
            if meaning(node) is Meaning.SEXAGESIMAL:
                hint = "YAML 1.1 reads digits with colons as a number to the base 60: write seconds, or 2m"
            reading.error(codes.MALFORMED, node.place, f"{shown(node.text)} is not a duration", hint)
            return None
        seconds = round(float(found[1]) * _UNITS[found[2]], 6)
        return At(seconds, node.place) if self._fits(seconds, node, reading) else None

    def _fits(self, seconds: float, node: Scalar, reading: Reading) -> bool:
        if not self.low <= seconds <= self.high:
            hint = f"from {duration_words(self.low)} to {duration_words(self.high)}"
            reading.error(codes.OUT_OF_RANGE, node.place, f"{shown(node.text)} is out of range", hint)
            return False
        if self.whole_seconds and seconds != int(seconds):
            reading.error(codes.OUT_OF_RANGE, node.place, f"{shown(node.text)} is not a whole number of seconds")
            return False
        return True

    def schema(self) -> Schema:
        """Seconds, or a text with a unit."""
        number: Schema = {"type": "number", "minimum": self.low, "maximum": self.high}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{_DURATION}(?:ms|s|m|h|d)?$"}]}


def duration_words(seconds: float) -> str:
    """A time as it would be written: 5s, 200ms, 2m."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _UNITS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{round(seconds * 1000, 3):g}ms" if seconds < 1 and seconds else f"{seconds:g}s"
