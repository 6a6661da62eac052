"""`~SEQ(...)` and `~LST(...)`: a line that stands for several. Pure.

`~SEQ(var, [start, [step,]] end)` counts (`~SEQx` in hexadecimal digits), `~LST(var, a, b)` and
`~LST({v, w}, {a, b}, {c, d})` go through lists; the rest of the line, in which others may follow, stands once for each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

VALUES_LIMIT: Final = 65536
"""Times one line may stand for."""
BEGINS: Final = re.compile(r"\s*~(?:SEQx?|LST)\s*\(")
_HEAD: Final = re.compile(r"\s*~(SEQx?|LST)\s*\(([^()]*)\)\s*")
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NUMBER: Final = re.compile(r"-?(?:0[xX][0-9A-Fa-f]{1,8}|[0-9]{1,10})")
_ITEM: Final = re.compile(r"\s*(?:\{([^{}]*)\}|([^{},]*))\s*(?:,|$)")


class Repetition(msgspec.Struct, frozen=True):
    """The values of a line's variables, and where the rest of the line begins."""

    rounds: Sequence[Mapping[str, str]]
    rest: int


def repetition(text: str) -> Repetition | None:
    """What a line that begins as one (BEGINS) stands for; None when it is not written as it must be."""
    found = _HEAD.match(text)
    if found is None:
        return None
    items = _items(found[2])
    rounds = None
    if found[1] == "LST":
        rounds = _listed(items)
    elif items and all(len(one) == 1 for one in items):
        rounds = _counted([one[0] for one in items], found[1] == "SEQx")
    return None if rounds is None else Repetition(rounds, found.end())


def _items(text: str) -> list[list[str]]:
    """What stands between commas, each a list of what stands in its braces."""
    return [
        [part.strip() for part in (one[1] if one[1] is not None else one[2]).split(",")]
        for one in _ITEM.finditer(text)
        if one[0]
    ]


def _listed(items: list[list[str]]) -> list[dict[str, str]] | None:
    if len(items) < 2 or not all(_NAME.fullmatch(name) for name in items[0]):  # noqa: PLR2004  # names and one value
        return None
    if any(len(values) != len(items[0]) for values in items[1:]):
        return None
    return [dict(zip(items[0], values, strict=True)) for values in items[1:]]


def _counted(items: list[str], hexadecimal: bool) -> list[dict[str, str]] | None:
    name, *numbers = items
    if not _NAME.fullmatch(name) or not all(_NUMBER.fullmatch(one) for one in numbers):
        return None
    match [int(one, 16 if "x" in one.lower() else 10) for one in numbers]:
        case [end]:
            start, step = (1, 1) if end > 0 else (-1, -1)
        case [start, end]:
            step = 1 if end > start else -1
        case [start, step, end] if step:
            pass
        case _:
            return None
    values = range(start, end + (1 if step > 0 else -1), step)
    if not 0 < len(values) <= VALUES_LIMIT:
        return None
    return [{name: f"{value:x}" if hexadecimal else str(value)} for value in values]
