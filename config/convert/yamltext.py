"""Plain values as YAML a person would write, which `config.yamltree` reads back as they were. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from config.nodes import Meaning, Place, Scalar, meaning

Value = str | int | bool | Sequence["Value"] | Mapping[str, "Value"]
"""Durations are texts, `5s`; there are no fractions."""

WIDTH: Final = 110
_TABLES: Final = ("services", "vrrp")  # their entries have a line for each key
_ENTRY_DEPTH: Final = 2
_INSIDE: Final = ("", "", "")  # deep enough for braces and brackets
_PLAIN: Final = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_/.=@+%()<>;$^~*?-]*(?: [A-Za-z0-9_/.=@+%()<>;$^~*?-]+)*")
_NOWHERE: Final = Place("")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def document(top: Mapping[str, Value], comments: Mapping[tuple[str, ...], Sequence[str]]) -> str:
    """The whole file. `comments` are lines without their `#`, by the keys that lead to what they stand above."""
    head = list(_remarks((), comments, ""))
    return "\n".join((*head, *([""] if head else []), *_mapping(top, "", (), comments))) + "\n"


def _remarks(path: tuple[str, ...], comments: Mapping[tuple[str, ...], Sequence[str]], indent: str) -> Iterator[str]:
    for line in comments.get(path, ()):
        yield f"{indent}# {line}".rstrip()


def _mapping(
    values: Mapping[str, Value],
    indent: str,
    path: tuple[str, ...],
    comments: Mapping[tuple[str, ...], Sequence[str]],
) -> Iterator[str]:
    for name, value in values.items():
        here = (*path, name)
        yield from _remarks(here, comments, indent)
        head = f"{indent}{scalar(name)}:"
        one_line = scalar(value) if isinstance(value, str | int) else flow(value)
        fits = len(head) + 1 + len(one_line) <= WIDTH and not _in_lines(value)
        if isinstance(value, str | int) or not value or (fits and not _opens(here, value)):
            yield f"{head} {one_line}"
        elif isinstance(value, Mapping):
            yield head
            yield from _mapping(value, indent + "  ", here, comments)
        else:
            yield head
            yield from _items(value, indent + "  ")


def _opens(path: tuple[str, ...], value: Value) -> bool:
    """Whether a mapping has a line for each key although it would fit into one."""
    shallow = len(path) == 1 or (len(path) <= _ENTRY_DEPTH and path[0] in _TABLES)
    return isinstance(value, Mapping) and bool(value) and shallow


def _in_lines(value: Value) -> bool:
    """Whether a list's items stand one a line: as soon as one is more than a word."""
    return isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(one, Mapping) for one in value)


def _items(values: Sequence[Value], indent: str) -> Iterator[str]:
    for value in values:
        one_line = flow(value)
        if isinstance(value, Mapping) and len(indent) + 2 + len(one_line) > WIDTH:
            lines = list(_mapping(value, indent + "  ", _INSIDE, {}))
            yield f"{indent}- {lines[0].lstrip()}"
            yield from lines[1:]
        else:
            yield f"{indent}- {one_line if isinstance(value, Mapping) else _item(value)}"


def _item(value: Value) -> str:
    return scalar(value) if isinstance(value, str | int) else flow(value)


def flow(value: Value) -> str:
    """A value on one line, in braces and brackets."""
    if isinstance(value, str | int):
        return scalar(value, flow=True)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(name, flow=True)}: {flow(one)}" for name, one in value.items()) + "}"
    return "[" + ", ".join(flow(one) for one in value) + "]"


def scalar(value: str | int | bool, *, flow: bool = False) -> str:
    """A single value; a text without quotes where every YAML takes it for that text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if _may_be_plain(value, flow=flow):
        return value
    if "'" not in value and value.isprintable() and ("\\" in value or '"' in value):
        return f"'{value}'"
    return '"' + "".join(_escaped(c) for c in value) + '"'


def _may_be_plain(text: str, *, flow: bool) -> bool:
    if text in _WORDS:
        return True
    if meaning(Scalar(text, plain=True, place=_NOWHERE)) is not Meaning.TEXT:
        return False
    bare = text if flow else re.sub(r":(?=[0-9])", ".", text)  # ADDRESS:PORT
    return _PLAIN.fullmatch(bare) is not None and not bare.startswith(("---", "...", "."))


_WORDS: Final = frozenset((".",))


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    return f"\\U{ord(character):08x}"
