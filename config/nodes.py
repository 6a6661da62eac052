"""A YAML text as a tree that knows its places, and what a bare word in it means to YAML. Pure."""

from __future__ import annotations

import re
from enum import Enum
from typing import Generic, TypeVar

import msgspec

T_co = TypeVar("T_co", covariant=True)


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where something stands. Lines and columns count from 1; line 0 means the file as a whole.

    `gc=False`, here and below: there are thousands, and what holds no containers makes no cycles.
    """

    file: str
    line: int = 0
    column: int = 0


class At(msgspec.Struct, Generic[T_co], frozen=True):
    """A value and the place it was read from."""

    value: T_co
    place: Place


class Scalar(msgspec.Struct, frozen=True, gc=False):
    """A single value as it was written. `plain`: without quotes, so YAML may take it for other than a text."""

    text: str
    plain: bool
    place: Place

    def __repr__(self) -> str:
        """Hide the text: it may be a password."""
        return f"Scalar(plain={self.plain}, place={self.place})"


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    items: tuple[Node, ...]
    place: Place


class Mapping(msgspec.Struct, frozen=True):
    """Keys and values in the order they were written, doubles included."""

    entries: tuple[tuple[Node, Node], ...]
    place: Place


Node = Scalar | Sequence | Mapping


class Meaning(Enum):
    """What YAML (1.1 or 1.2) takes a scalar for; the values are the words problems use."""

    NULL = "nothing"
    BOOLEAN = "a boolean"
    NUMBER = "a number"
    SEXAGESIMAL = "a number to the base 60"
    TEXT = "a text"


_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = frozenset(("true", "false", "yes", "no", "on", "off"))
_NUMBER = re.compile(
    r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o[0-7_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"
    r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)",
)
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_LONGEST_NUMBER = 64  # nobody writes a longer one, and the patterns need not look at megabytes


def meaning(scalar: Scalar) -> Meaning:
    """What YAML takes the scalar for. Quoted ones are texts."""
    text = scalar.text
    if not scalar.plain or len(text) > _LONGEST_NUMBER:
        return Meaning.TEXT
    if text in _NULLS:
        return Meaning.NULL
    if text.lower() in _BOOLEANS:
        return Meaning.BOOLEAN
    if _NUMBER.fullmatch(text):
        return Meaning.NUMBER
    return Meaning.SEXAGESIMAL if _SEXAGESIMAL.fullmatch(text) else Meaning.TEXT


def is_null(node: Node) -> bool:
    """Whether nothing was written (or `null`, or `~`)."""
    return isinstance(node, Scalar) and node.plain and node.text in _NULLS


def describe(node: Node) -> str:
    """What a node is, in words and without its content."""
    match node:
        case Scalar():
            return meaning(node).value
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"
