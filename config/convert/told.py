"""What a conversion tells, sorted: what means something else now, what was left behind, what else there is. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from config import codes
from config.problems import Problem, Severity

CHANGED: Final = frozenset(
    (
        codes.LD_OTHERWISE, codes.FORCED, codes.DEFAULTED, codes.MIXED,
        codes.NOT_TAKEN, codes.WORD_CUT, codes.SAID_AGAIN, codes.CONTRADICTION, codes.UNBALANCED,
    ),
)  # fmt: skip
"""Warnings that tell of something carried over that does not mean what it seems to, or meant."""

LEFT: Final = frozenset(
    (
        codes.LD_LEFT_OUT, codes.LD_NOT_YET, codes.LD_IGNORED, codes.LD_UNKNOWN, codes.UNKNOWN_KEYWORD, codes.NOT_YET,
        codes.PASSED_OVER, codes.LEFT_OUT, codes.WORDS_IGNORED, codes.INCLUDE_EMPTY, codes.DEFINITION,
        codes.NO_EFFECT,
    ),
)  # fmt: skip
"""Warnings that tell of something that is not in the new file."""


@dataclass(frozen=True, slots=True)
class Told:
    """Problems by what they mean for the new file, each in the order of its place."""

    errors: tuple[Problem, ...]
    changed: tuple[Problem, ...]
    left: tuple[Problem, ...]
    other: tuple[Problem, ...]


def sort(problems: Iterable[Problem]) -> Told:
    """Each problem into the list it belongs to."""
    found = tuple(problems)
    warnings = [one for one in found if one.severity is Severity.WARNING]
    return Told(
        errors=tuple(one for one in found if one.severity is Severity.ERROR),
        changed=tuple(one for one in warnings if one.code in CHANGED),
        left=tuple(one for one in warnings if one.code in LEFT),
        other=tuple(one for one in warnings if one.code not in CHANGED | LEFT),
    )
