"""What an agent says in HAProxy's words (its configuration manual, "agent-check"), and what it comes to. Pure.

An answer tells some things and leaves the others as they were: the agent alone takes back what it has said.
"""

from __future__ import annotations

import re
from enum import Enum

import msgspec

from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy, escaped

PERCENT_LIMIT = 25600  # HAProxy's
WEIGHT_LIMIT = 65535
REMARK_LIMIT = 160  # characters of a description
WORDS_LIMIT = 64  # of one answer; what follows is not looked at

_SEPARATORS = re.compile(r"[ \t,]+")
_PERCENT = re.compile(r"(?:weight:)?([0-9]{1,9})%", re.ASCII)
_WEIGHT = re.compile(r"weight:([0-9]{1,5})", re.ASCII)


class Admin(Enum):
    """What the agent's administrator wants."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


class Operation(Enum):
    """How the agent finds the service. HAProxy's manual says `fail`, older ones `failed`."""

    UP = "up"
    DOWN = "down"
    FAIL = "fail"
    FAILED = "failed"
    STOPPED = "stopped"


class Share(msgspec.Struct, frozen=True):
    """The weight asked for: per cent of the configured one, or a number of its own."""

    number: int
    relative: bool


class Words(msgspec.Struct, frozen=True):
    """One answer. None is what it leaves as it is."""

    admin: Admin | None = None
    operation: Operation | None = None
    share: Share | None = None
    remark: str = ""
    strange: str = ""  # the first word that changes nothing here: maxconn, or one nobody knows

    @property
    def tell(self) -> bool:
        """Whether there is anything in them."""
        return self.admin is not None or self.operation is not None or self.share is not None


class Standing(msgspec.Struct, frozen=True):
    """All that the agent has said so far."""

    admin: Admin = Admin.READY
    operation: Operation = Operation.UP
    share: Share | None = None
    remark: str = ""


def parse(line: bytes) -> Words:
    """A line without its end. Never raises: what is no word of HAProxy's is `strange`. Of two of a kind the last."""
    told, sharp, remark = _split(line.decode("latin-1"))
    words = Words(remark=remark.strip(" \t")[:REMARK_LIMIT] if sharp else "")
    for word in told:
        words = _with(words, word)
    return words


def _split(line: str) -> tuple[list[str], str, str]:
    """The words, and the description: from the first word that begins with a sharp on."""
    found = re.search(r"(?:^|[ \t,])#", line)
    before, after = (line[: found.end() - 1], line[found.end() :]) if found else (line, "")
    words = [word for word in _SEPARATORS.split(before, maxsplit=WORDS_LIMIT)[:WORDS_LIMIT] if word]
    return words, "#" if found else "", after


def _with(words: Words, word: str) -> Words:
    small = word.lower()
    for kind in Admin:
        if small == kind.value:
            return msgspec.structs.replace(words, admin=kind)
    for operation in Operation:
        if small == operation.value:
            return msgspec.structs.replace(words, operation=operation)
    share = _share(small)
    if share is not None:
        return msgspec.structs.replace(words, share=share)
    return words if words.strange else msgspec.structs.replace(words, strange=word)


def _share(word: str) -> Share | None:
    if percent := _PERCENT.fullmatch(word):
        return Share(min(int(percent[1]), PERCENT_LIMIT), relative=True)
    if weight := _WEIGHT.fullmatch(word):
        return Share(min(int(weight[1]), WEIGHT_LIMIT), relative=False)
    return None


def fold(before: Standing, words: Words) -> Standing:
    """The standing after these words."""
    told = words.operation is not None or words.admin is not None
    return Standing(
        before.admin if words.admin is None else words.admin,
        before.operation if words.operation is None else words.operation,
        before.share if words.share is None else words.share,
        words.remark if told else before.remark,
    )


def judged(standing: Standing, whole: int, strange: str = "") -> Outcome:
    """What a standing means for a real server whose configured weight is `whole`.

    `strange`: a word of the last answer that changed nothing; it is shown.
    """
    note = f" (not understood: {strange})" if strange else ""
    about = f": {standing.remark}" if standing.remark else ""
    if standing.admin is Admin.MAINT:
        return Unhealthy(Reason.AGENT_DOWN, escaped(f"maint{about}{note}"))
    if standing.operation is not Operation.UP:
        return Unhealthy(Reason.AGENT_DOWN, escaped(f"{standing.operation.value}{about}{note}"))
    weight = _weight(standing, whole)
    asked = "" if weight is None else f", weight {weight}"
    word = "drain" if standing.admin is Admin.DRAIN else "up"
    return Healthy(escaped(f"{word}{asked}{about}{note}"), weight)


def _weight(standing: Standing, whole: int) -> int | None:
    """None: the configured one. Whatever is asked for above 0 per cent is 1 at least: a small weight is not none."""
    if standing.admin is Admin.DRAIN:
        return 0
    if standing.share is None:
        return None
    number = standing.share.number
    if not standing.share.relative:
        return number
    return max(1, (whole * number + 50) // 100) if number and whole else 0
