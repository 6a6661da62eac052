"""Files to a configuration or to all that is wrong with it: reading, including, merging. Pure.

The reading itself is the caller's (`config.files.Files`). Nothing but `Loaded` ever comes out of `load`,
whatever the files hold.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from config import codes, shape
from config.build import build
from config.encodings import as_latin1, not_utf8, note_latin1
from config.files import Files, FileTooLarge
from config.formats import format_of, split_language
from config.model import Config
from config.nodes import At, Place
from config.parts import Part
from config.passwords import relative_to
from config.problems import Problem
from config.reading import Reading, shown
from config.rules import where
from config.sections import Fields, read_section
from config.yamltree import NodeBudget, Unreadable, parse

INCLUDE_DEPTH_LIMIT: Final = 8
FILE_LIMIT: Final = 256
_WILDCARDS: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of a configuration. `config` is None when a problem is an error.

    `sources` holds the files' texts, in which secrets may stand: it is hidden from repr and must not be logged.
    `places` tells where each service and VRRP instance stands, by `services` or `vrrp` and its name.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)
    places: Mapping[tuple[str, str], Place] = field(default_factory=dict)


def load(paths: Sequence[str], files: Files) -> Loaded:
    """The configuration that stands in `paths` and what they include.

    A path may say its language before it, `keepalived:/etc/lb.conf` (config.formats.with_language); else the file's
    content tells.
    """
    reading = Reading(files)
    gathering = _Gathering(reading)
    for name in paths:
        language, path = split_language(name)
        gathering.add(path, Place(posixpath.normpath(path)), (), language)
    top = Fields(Place(split_language(paths[0])[1] if paths else "(no file)"))
    for fields in gathering.tops:
        top = _unite(top, fields, reading)
    config, places = build(top, gathering.parts, reading) or (None, {})
    return Loaded(config, reading.problems(gathering.sources), gathering.sources, places)


class _Gathering:
    """The files of one load in the order they are named, each once."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._budget = NodeBudget()
        self._seen: set[str] = set()
        self.tops: list[Fields] = []
        self.parts: list[Part] = []
        self.sources: dict[str, str] = {}

    def add(self, path: str, named_at: Place, chain: tuple[str, ...], language: str | None = None) -> None:
        """One file and what it includes. `chain`: the files that led here; `language`: what was said it is in."""
        path = posixpath.normpath(path)
        if path in chain:
            self._refuse(named_at, f"{path} includes itself", " -> ".join((*chain[chain.index(path) :], path)))
        elif len(chain) >= INCLUDE_DEPTH_LIMIT:
            self._refuse(
                named_at, f"includes go deeper than {INCLUDE_DEPTH_LIMIT} levels", "name the files in fewer steps"
            )
        elif path not in self._seen and len(self._seen) >= FILE_LIMIT:
            self._refuse(named_at, f"more than {FILE_LIMIT} files")
        elif path not in self._seen:
            self._seen.add(path)
            self._read(path, named_at, chain, language)

    def _refuse(self, place: Place, message: str, hint: str = "") -> None:
        self._reading.error(codes.INCLUDE, place, message, hint)

    def _read(self, path: str, named_at: Place, chain: tuple[str, ...], language: str | None) -> None:
        text = self._text(path, named_at, language)
        if text is None:
            return
        self.sources[path] = text
        other = format_of(path, text, language)
        if other is None:
            self._read_own(path, text, chain)
        elif "\0" in text:
            self._reading.error(codes.NOT_UTF8, Place(path), "a NUL character stands in it: this is no text file")
        else:
            part = other.read(path, text.removeprefix("\ufeff"), self._reading)
            self.parts.append(part)
            self.sources.update({name: read for name, read in part.sources.items() if name not in self.sources})
            for further in part.further:
                self.add(further.value, further.place, (*chain, path), other.name)

    def _read_own(self, path: str, text: str, chain: tuple[str, ...]) -> None:
        """A file of lvsd's own language."""
        try:
            node = parse(path, text, self._budget)
        except Unreadable as refusal:
            self._reading.add(refusal.problem)
            return
        top = read_section(node, shape.TOP, Place(path, 1, 1), self._reading)
        if top is not None:
            self.tops.append(top.value)
            for included in top.value.value(shape.INCLUDE, ()):
                self._include(included, path, (*chain, path))

    def _text(self, path: str, named_at: Place, language: str | None) -> str | None:
        try:
            return self._reading.files.read(path)
        except UnicodeDecodeError as error:
            return self._not_utf8(path, error, language)
        except FileTooLarge as error:
            hint = f"{error.limit_bytes} bytes at most"
            self._reading.error(codes.TOO_LARGE, Place(path), "the file is too large", hint)
        except OSError as error:
            subject = "" if named_at.file == path else f"{path}: "
            self._reading.error(codes.UNREADABLE, named_at, f"{subject}{error.strerror or error}")
        return None

    def _not_utf8(self, path: str, error: UnicodeDecodeError, language: str | None) -> str | None:
        """Only files of other programs may be in another encoding."""
        text = as_latin1(error)
        if text is not None and format_of(path, text, language) is not None:
            note_latin1(path, error, self._reading)
            return text
        self._reading.add(not_utf8(path, error))
        return None

    def _include(self, pattern: At[str], file: str, chain: tuple[str, ...]) -> None:
        if not _WILDCARDS & set(pattern.value):
            self.add(relative_to(pattern.value, file), pattern.place, chain)
            return
        try:
            found = self._reading.files.glob(pattern.value, file)
        except OSError as error:
            self._reading.error(codes.UNREADABLE, pattern.place, f"{pattern.value}: {error.strerror or error}")
            return
        for path in found:
            self.add(path, pattern.place, chain)


def _unite(first: Fields, second: Fields, reading: Reading) -> Fields:
    """Two files' keys together. Tables and mappings unite key by key; what both say is noted."""
    values = dict(first.values)
    for name, at in second.values.items():
        other = values.get(name)
        values[name] = at if other is None else _unite_values(name, other, at, reading)
    return Fields(first.place, values, {**second.key_places, **first.key_places}, first.meant | second.meant)


def _unite_values(name: str, first: At[object], second: At[object], reading: Reading) -> At[object]:
    match first.value, second.value:
        case Fields() as ours, Fields() as theirs:
            return At(_unite(ours, theirs, reading), first.place)
        case dict() as ours, dict() as theirs:
            for key in theirs:
                if key in ours:
                    _note_twice(key, ours[key].place, theirs[key].place, reading)
            return At({**ours, **{key: at for key, at in theirs.items() if key not in ours}}, first.place)
        case _ if name != shape.INCLUDE.name:
            _note_twice(name, first.place, second.place, reading)
    return first


def _note_twice(name: str, first: Place, second: Place, reading: Reading) -> None:
    hint = f"the first is at {where(first, second)}"
    reading.error(codes.SAID_TWICE, second, f"{shown(name)} is said in two files", hint)
