"""A `config.files.Files` of dictionaries."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from config.load import Loaded, load
from config.model import Config, VirtualService, VrrpInstance


@dataclass(frozen=True)
class FilesInMemory:
    """Files by path: a text, bytes to be decoded, or an exception to be raised."""

    files: Mapping[str, str | bytes | Exception] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    readable_by_all: frozenset[str] = frozenset()

    def read(self, path: str) -> str:
        match self.files.get(path):
            case None:
                raise FileNotFoundError(2, "No such file or directory", path)
            case Exception() as error:
                raise error
            case bytes() as content:
                return content.decode()
            case str() as text:
                return text

    def glob(self, pattern: str, relative_to: str) -> Sequence[str]:
        whole = posixpath.normpath(posixpath.join(posixpath.dirname(relative_to), pattern))
        return sorted(fnmatch.filter(self.files, whole))

    def environ(self, name: str) -> str | None:
        return self.variables.get(name)

    def exposed(self, path: str) -> bool:
        return path in self.readable_by_all


def load_text(text: str, **others: str) -> Loaded:
    """What `text` loads as, named `lvsd.yaml`; other files by name, `_` for `.` and no folder."""
    named = {name.replace("_", "."): content for name, content in others.items()}
    return load(["lvsd.yaml"], FilesInMemory({"lvsd.yaml": text, **named}))


def good(text: str) -> Config:
    """The configuration of a text without any problem."""
    loaded = load_text(text)
    assert loaded.problems == ()
    assert loaded.config is not None
    return loaded.config


def service(text: str) -> VirtualService:
    """The one service of a text without any problem."""
    (only,) = good(text).services
    return only


def instance(text: str) -> VrrpInstance:
    """The one VRRP instance of a text without any problem."""
    (only,) = good(text).vrrp
    return only


def told(text: str, **others: str) -> list[str]:
    """The problems of a text, without the file's name."""
    return [str(problem).removeprefix("lvsd.yaml:") for problem in load_text(text, **others).problems]


def codes_of(text: str, **others: str) -> list[str]:
    """The problems of a text as `LINE:COLUMN CODE`."""
    return [f"{one.line}:{one.column} {one.code}" for one in load_text(text, **others).problems]


def marked(text: str) -> tuple[str, list[str]]:
    """A text without its `→` marks, and the place (`LINE:COLUMN`) each of them stood before."""
    places = []
    while "→" in text:
        before, _mark, after = text.partition("→")
        places.append(f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}")
        text = before + after
    return text, places


def assert_told_at_the_marks(text: str, codes: str) -> None:
    """The text's problems have these codes, in order, and stand where the marks are."""
    clean, places = marked(text)
    found = load_text(clean).problems
    assert [(one.code, f"{one.line}:{one.column}") for one in found] == list(zip(codes.split(), places, strict=True))
