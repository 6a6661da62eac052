"""The comments of ldirectord.cf and keepalived.conf that stand alone on their lines, and what they belong to. Pure.

A file is cut at the lines that begin a virtual service or a VRRP instance. The comments right above such a line and
those below it, up to the next, go with it; the others go to the top.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from config.nodes import Place

Path = tuple[str, ...]
_BLOCKS: Final = "virtual_server|virtual_server_group|vrrp_instance|vrrp_script|vrrp_sync_group|global_defs"
_HEAD: Final = re.compile(rf"\s*(?:@\^?\S+\s+)?(?:virtual6?\s*=|(?:{_BLOCKS})\b)")
_COMMENT: Final = re.compile(r"\s*[#!]+\s?(.*)")
_CHARACTERS_A_LINE: Final = 500


@dataclass(slots=True)
class _Section:
    """A part of a file: its first line, and its comments."""

    line: int
    comments: list[str] = field(default_factory=list)


def comments(sources: Mapping[str, str], places: Mapping[tuple[str, str], Place]) -> dict[Path, list[str]]:
    """The comments by the keys they go above; `()` is the top. `places` tells where each thing stands."""
    found: dict[Path, list[str]] = {}
    for file, text in sources.items():
        sections = _sections(text)
        owners = _owners([section.line for section in sections], file, places)
        for section in sections:
            above = found.setdefault(owners.get(section.line, ()), [])
            above += [""] if above and section.comments else []
            above += section.comments
    return {path: lines for path, lines in found.items() if lines}


def _owners(heads: Sequence[int], file: str, places: Mapping[tuple[str, str], Place]) -> dict[int, Path]:
    """What each section came to, the first where it came to several."""
    found: dict[int, Path] = {}
    for path, place in places.items():
        if place.file == file:
            line = heads[bisect_right(heads, place.line) - 1]
            found.setdefault(line, path)
    found.pop(0, None)
    return found


def _sections(text: str) -> list[_Section]:
    sections = [_Section(0)]
    above: list[str] = []  # what may belong to a section that begins next
    for number, line in enumerate(text.splitlines(), 1):
        comment = _COMMENT.fullmatch(line)
        if comment:
            above.append(_clean(comment[1]))
            continue
        if _HEAD.match(line):
            sections.append(_Section(number, above))
        else:
            sections[-1].comments += above
        above = []
    sections[-1].comments += above
    return sections


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:_CHARACTERS_A_LINE]).rstrip()


def count(found: Mapping[Path, Sequence[str]]) -> int:
    """How many lines of comments there are."""
    return sum(1 for lines in found.values() for line in lines if line)
