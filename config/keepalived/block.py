"""A block's statements by keyword, and every keyword that is not carried over told once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from config import codes
from config.keepalived.statements import Statement
from config.problems import Severity
from config.reading import Reading, nearest, shown

CHANGES: Final = Severity.ERROR
"""Ignoring it would change who holds an address, what is served, or which server counts as healthy."""
PASSED_OVER: Final = Severity.WARNING
"""Ignoring it changes neither."""

BLOCKS_OF_THE_FILE: Final = frozenset(
    ("global_defs", "vrrp_instance", "vrrp_sync_group", "vrrp_script", "virtual_server", "virtual_server_group")
)


class Told(NamedTuple):
    """A keyword that lvsd does not carry over: how grave that is, why, and what to do."""

    severity: Severity
    why: str
    hint: str = ""


def all_of(words: str, told: Told) -> dict[str, Told]:
    """The same to be told of several keywords."""
    return dict.fromkeys(words.split(), told)


class Vocabulary(msgspec.Struct, frozen=True):
    """The keywords of a kind of block. `single` count once (the last said), `several` as often as they stand."""

    what: str
    single: frozenset[str]
    several: frozenset[str] = frozenset()
    told: Mapping[str, Told] = msgspec.field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    """Keywords that ask for what lvsd does anyway."""
    hidden: bool = False
    """Whether an unknown word may be a password, so that it is not shown."""

    def words(self) -> frozenset[str]:
        """Every keyword known here."""
        return self.single | self.several | self.silent | frozenset(self.told)


class Block:
    """The statements of one block that are carried over."""

    def __init__(self, statement: Statement, vocabulary: Vocabulary, reading: Reading) -> None:
        """Sort the statements; tell of those that are not carried over."""
        self.statement = statement
        self._single: dict[str, Statement] = {}
        self._several: list[Statement] = []
        for one in statement.body or ():
            if one.keyword in vocabulary.several:
                self._several.append(one)
            elif one.keyword in vocabulary.single:
                self._keep(one, reading)
            elif one.keyword in vocabulary.told:
                note(one, vocabulary.told[one.keyword], reading)
            elif one.keyword not in vocabulary.silent:
                note_unknown(one, vocabulary, reading)

    def _keep(self, one: Statement, reading: Reading) -> None:
        before = self._single.get(one.keyword)
        if before is not None:
            message = f"`{one.keyword}` stands here for the second time; this one counts"
            reading.warning(codes.SAID_AGAIN, one.place, message, f"the first is on line {before.place.line}")
        self._single[one.keyword] = one

    def get(self, *keywords: str) -> Statement | None:
        """The statement of a keyword, or of the first of its spellings that is said."""
        return next((self._single[one] for one in keywords if one in self._single), None)

    def every(self, *keywords: str) -> list[Statement]:
        """All statements of the keywords, in the order they were written."""
        return [one for one in self._several if one.keyword in keywords]


def note(one: Statement, told: Told, reading: Reading) -> None:
    """Tell of a keyword that is not carried over."""
    if told.severity is CHANGES:
        reading.error(codes.NOT_YET, one.place, f"`{one.keyword}` is not carried over: {told.why}", told.hint)
    else:
        reading.warning(codes.PASSED_OVER, one.place, f"`{one.keyword}` is passed over: {told.why}", told.hint)


def note_unknown(one: Statement, vocabulary: Vocabulary, reading: Reading) -> None:
    """Tell of a keyword that keepalived does not know here either."""
    message = f"unknown keyword {'' if vocabulary.hidden else shown(one.keyword) + ' '}in {vocabulary.what}"
    if one.keyword in BLOCKS_OF_THE_FILE and vocabulary.what != "the file":
        hint = "a closing brace is missing before it; keepalived would lose this block without an error"
        reading.error(codes.UNBALANCED, one.place, f"`{one.keyword}` inside {vocabulary.what}", hint)
    elif one.body is not None:
        hint = "keepalived would read its words as those of the block around it, and end that at its closing brace"
        reading.error(codes.UNKNOWN_KEYWORD, one.place, message, hint)
    else:
        near = None if reading.full else nearest(one.keyword, vocabulary.words())
        hint = "keepalived ignores the line, and so is it here" + (f"; did you mean `{near}`?" if near else "")
        reading.warning(codes.UNKNOWN_KEYWORD, one.place, message, hint)
