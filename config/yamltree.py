"""YAML text to a tree of places: bounded, with one error type. Pure.

PyYAML delivers events and this module builds the tree, so that nothing is expanded or constructed before its
size is known: an alias counts as many values as it stands for, which ends a "billion laughs" early.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from config import codes
from config.nodes import Mapping, Node, Place, Scalar, Sequence
from config.problems import Problem

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML built without libyaml: slower, the same events
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]  # the same interface, other class

DEPTH_LIMIT = 32
NODE_LIMIT = 1_000_000  # 10,000 services of ten real servers, each a mapping, are 570,000

_CORE = "tag:yaml.org,2002:"
_TAGS: dict[type[Event], frozenset[str]] = {
    ScalarEvent: frozenset(("!", *(_CORE + kind for kind in ("str", "int", "float", "bool", "null")))),
    MappingStartEvent: frozenset(("!", _CORE + "map")),
}
_SEQUENCE_TAGS = frozenset(("!", _CORE + "seq"))
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BRACKETED_ADDRESS = re.compile(r"\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\]|[\[,]\s*::")


class Unreadable(Exception):
    """The text is no YAML we take; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        """Keep the problem for the reader of the configuration."""
        super().__init__(str(problem))
        self.problem = problem


class NodeBudget:
    """How many values all files of one load may still hold."""

    def __init__(self, limit: int = NODE_LIMIT) -> None:
        """Start with `limit` values left."""
        self._limit = limit
        self.left = limit

    def spend(self, count: int, place: Place) -> None:
        """Take `count` values away. Raises Unreadable when none are left."""
        self.left -= count
        if self.left < 0:
            raise _unreadable(codes.TOO_MUCH, place, f"more than {self._limit} values in the configuration")


def parse(file: str, text: str, budget: NodeBudget) -> Node:
    """The tree of a file's one document; an empty file is an empty mapping. Raises Unreadable and nothing else."""
    text = text.removeprefix("\ufeff")
    _refuse_unprintable(file, text)
    try:
        loader = _Loader(text)
        try:
            return _Builder(file, budget, cast("Callable[[], Event]", loader.get_event)).document()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise Unreadable(_syntax_problem(file, text, error)) from error


class _Builder:
    """Turns one file's events into its tree. `following` gives the next event; the stream's end is the last."""

    def __init__(self, file: str, budget: NodeBudget, following: Callable[[], Event]) -> None:
        self._file = file
        self._budget = budget
        self._following = following
        self._anchors: dict[str, tuple[Node, int]] = {}

    def document(self) -> Node:
        self._following()  # the stream's start
        if isinstance(self._following(), StreamEndEvent):
            return Mapping((), Place(self._file, 1, 1))
        node = self._node(self._following(), 1)
        self._following()  # the document's end
        after = self._following()
        if isinstance(after, DocumentStartEvent):
            mark: Any = after.start_mark
            place = Place(self._file, mark.line + 1, mark.column + 1)
            raise _unreadable(codes.SYNTAX, place, "a second document", "one file, one document: remove the `---`")
        return node

    def _node(self, event: Event, depth: int) -> Node:
        mark: Any = event.start_mark  # the parser always has one
        place = Place(self._file, mark.line + 1, mark.column + 1)
        if depth > DEPTH_LIMIT:
            raise _unreadable(codes.TOO_MUCH, place, f"nested deeper than {DEPTH_LIMIT} levels")
        if isinstance(event, AliasEvent):
            return self._alias(event, place)
        left = self._budget.left
        self._budget.spend(1, place)
        if isinstance(event, ScalarEvent) and event.tag is None and event.anchor is None:  # nearly all
            return Scalar(event.value, not event.style, place)
        self._refuse_tag(event, place)
        node = self._content(event, place, depth)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = node, left - self._budget.left
        return node

    def _content(self, event: Event, place: Place, depth: int) -> Node:
        if isinstance(event, ScalarEvent):
            return Scalar(event.value, not event.style and event.tag not in ("!", _CORE + "str"), place)
        if isinstance(event, MappingStartEvent):
            return self._mapping(place, depth)
        return self._sequence(place, depth)

    def _mapping(self, place: Place, depth: int) -> Mapping:
        entries = []
        while not isinstance(event := self._following(), MappingEndEvent):
            key = self._node(event, depth + 1)
            entries.append((key, self._node(self._following(), depth + 1)))
        return Mapping(tuple(entries), place)

    def _sequence(self, place: Place, depth: int) -> Sequence:
        items = []
        while not isinstance(event := self._following(), SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Sequence(tuple(items), place)

    def _alias(self, event: AliasEvent, place: Place) -> Node:
        """What an alias stands for. Its name is not told: it may be a password that begins with an asterisk."""
        known = self._anchors.get(event.anchor or "")
        if known is None:
            hint = "a text that begins with * needs quotes"
            raise _unreadable(codes.ANCHOR, place, "an alias (*name) without an anchor (&name) before it", hint)
        node, size = known
        self._budget.spend(size, place)
        return node

    def _refuse_tag(self, event: Event, place: Place) -> None:
        """Only YAML's core tags. The tag is not told: it may be a password that begins with an exclamation mark."""
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _TAGS.get(type(event), _SEQUENCE_TAGS):
            hint = "remove the tag; a text that begins with ! needs quotes"
            raise _unreadable(codes.TAG, place, "a YAML tag (!name) that is not allowed", hint)


def _unreadable(code: str, place: Place, message: str, hint: str = "") -> Unreadable:
    return Unreadable(Problem(code, place.file, place.line, place.column, message, hint))


def _refuse_unprintable(file: str, text: str) -> None:
    found = _UNPRINTABLE.search(text)
    if found is None:
        return
    before = text[: found.start()]
    line, column = before.count("\n") + 1, found.start() - (before.rfind("\n") + 1) + 1
    message = f"a character YAML does not allow, U+{ord(found[0]):04X}"
    raise _unreadable(codes.SYNTAX, Place(file, line, column), message, "the file must be plain text")


_SAID_BY_THE_PARSER = (
    ("tab character", "a tab where YAML wants spaces", "indent with spaces"),
    ("cannot start any token", "a value cannot begin with this character", "put the value in quotes"),
    ("unknown escape", "an unknown escape in a double-quoted text", "use single quotes, or write \\\\ for a backslash"),
    ("mapping values are not allowed", "a `:` where none can be", "look at the indentation; quote a text with `: `"),
    ("did not find expected key", "this does not line up with what stands before", "look at the indentation"),
    ("did not find expected '-'", "a list ends here, but nothing else can begin", "look at the indentation"),
    ("did not find expected ',' or ']'", "a list in [ ] is not closed", "close it with ]"),
    ("did not find expected ',' or '}'", "a mapping in { } is not closed", "close it with }; quote a text with , or :"),
    ("could not find expected ':'", "a key without its `:`", "write `key: value`"),
    ("unexpected end of stream", "a quoted text is not closed", "close the quotes"),
    ("did not find expected node content", "a value was expected here", "quote a text that begins with punctuation"),
)  # fmt: skip
"""The parser's words (a part of them), ours, and a hint. Ours never repeat what stands in the file."""


def _syntax_problem(file: str, text: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    words = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML")
    line, column, written, at = 0, 0, "", ""
    if mark is not None:
        line, column = mark.line + 1, mark.column + 1
        written, at = _line_around(text, mark.index), text[mark.index : mark.index + 1]
    message, hint = next(((ours, hint) for part, ours, hint in _SAID_BY_THE_PARSER if part in words), (words, ""))
    if at == "\t":
        message, hint = "a tab where YAML wants spaces", "indent with spaces"
    elif _BRACKETED_ADDRESS.search(written):
        hint = 'put IPv6 addresses in quotes: "[2001:db8::1]:443"'
    return Problem(codes.SYNTAX, file, line, column, message, hint)


def _line_around(text: str, index: int) -> str:
    """The line that holds a character, no more than 1000 of it on either side."""
    before = text[max(0, index - 1000) : index]
    after = text[index : index + 1000]
    return before[before.rfind("\n") + 1 :] + after.partition("\n")[0]
