"""The languages of other programs a file may be written in, and how they are told from lvsd.yaml. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from config.keepalived.telling import is_keepalived
from config.ldirectord.telling import is_ldirectord

if TYPE_CHECKING:
    from config.parts import Part
    from config.reading import Reading


class Format(msgspec.Struct, frozen=True):
    """A language. `detect` takes path and text; `read` notes every problem and answers with what it understood."""

    name: str
    detect: Callable[[str, str], bool]
    read: Callable[[str, str, Reading], Part]


def _read_ldirectord(path: str, text: str, reading: Reading) -> Part:
    from config.ldirectord.read import read_ldirectord  # a start with our own language alone must not wait for it

    return read_ldirectord(path, text, reading)


def _read_keepalived(path: str, text: str, reading: Reading) -> Part:
    from config.keepalived.read import read_keepalived  # as above

    return read_keepalived(path, text, reading)


FORMATS: Final = (
    Format("ldirectord", is_ldirectord, _read_ldirectord),
    Format("keepalived", is_keepalived, _read_keepalived),
)


OWN: Final = "lvsd"
LANGUAGES: Final = (*(one.name for one in FORMATS), OWN)
"""The names of all languages."""


def format_of(path: str, text: str, language: str | None = None) -> Format | None:
    """The language of a file, None for lvsd.yaml's own: the one that is said, else what path and text tell."""
    if language is not None:
        return next((one for one in FORMATS if one.name == language), None)
    return next((one for one in FORMATS if one.detect(path, text)), None)


def with_language(path: str, language: str | None) -> str:
    """An absolute path that says its file's language, as `config.load.load` takes it."""
    return path if language is None else f"{language}:{path}"


def split_language(name: str) -> tuple[str | None, str]:
    """The language, if one is said, and the path. Only before an absolute path can it be one."""
    language, colon, path = name.partition(":")
    return (language, path) if colon and language in LANGUAGES and path.startswith("/") else (None, name)
