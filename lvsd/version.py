"""Which lvsd this is: of the code that runs, whatever the disk holds by now. Pure."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"  # and in pyproject.toml
DIGITS_LIMIT: Final = 9


def is_older(version: str, than: str = VERSION) -> bool:
    """Whether that version came before; one that is not said did. Of those that are no numbers: whether it differs."""
    theirs, ours = _numbers(version), _numbers(than)
    if theirs is None or ours is None:
        return version != than
    return theirs < ours


def _numbers(version: str) -> tuple[int, ...] | None:
    """`1.2.0` is (1, 2), as `1.2` is; nothing is (); None for any other words."""
    parts = version.split(".") if version else []
    if not all(part.isascii() and part.isdecimal() and len(part) <= DIGITS_LIMIT for part in parts):
        return None
    numbers = [int(part) for part in parts]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
