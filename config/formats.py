"""The languages of other programs a file may be written in, and how they are told from lvsd.yaml. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from config.keepalived.read import is_keepalived, read_keepalived
from config.ldirectord.read import is_ldirectord, read_ldirectord
from config.parts import Part
from config.reading import Reading


@dataclass(frozen=True, slots=True)
class Format:
    """A language. `detect` takes path and text; `read` notes every problem and answers with what it understood."""

    name: str
    detect: Callable[[str, str], bool]
    read: Callable[[str, str, Reading], Part]


FORMATS: Final = (
    Format("ldirectord", is_ldirectord, read_ldirectord),
    Format("keepalived", is_keepalived, read_keepalived),
)


def format_of(path: str, text: str) -> Format | None:
    """The language of a file, None for lvsd.yaml's own."""
    return next((one for one in FORMATS if one.detect(path, text)), None)
