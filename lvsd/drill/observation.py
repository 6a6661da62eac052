"""What a third machine saw of services while a drill ran: a client's own view, to be laid beside the report. Pure.

Moments are seconds since 1970 by the clock of whoever saw them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec

GAPS_LIMIT: Final = 20
FILE_LIMIT_BYTES: Final = 4 << 20
CLOCKS_SECONDS: Final = 5.0
"""Clocks of two machines that may differ by so much: what is seen that long before and after a drill counts to it."""


class Gap(msgspec.Struct, frozen=True):
    """A time without an answer: when it began, and how long it was less the probes' pace."""

    at: float
    milliseconds: float


class Held(msgspec.Struct, frozen=True):
    """Connections that were held open all the time, and what became of them.

    `kept` were answered to the end, `reset` were refused by who took over, `silent` are answered no more. `closed`
    were ended by the real server in good order, which is no loss.
    """

    opened: int = 0
    kept: int = 0
    reset: int = 0
    silent: int = 0
    closed: int = 0


class ServiceSeen(msgspec.Struct, frozen=True):
    """One service. `gaps`: the longest ones."""

    service: str
    probes: int
    unanswered: int
    gaps: tuple[Gap, ...]
    held: Held = Held()
    lasting: bool = False  # it was not answered any more at the end


class Observation(msgspec.Struct, frozen=True):
    """All that one machine saw."""

    node: str
    began: float
    ended: float
    pace_milliseconds: float
    services: tuple[ServiceSeen, ...]


class ObservedService(msgspec.Struct, frozen=True):
    """A service in the report of a drill, as an observer saw it meanwhile. None: it was never answered twice."""

    node: str
    service: str
    milliseconds: float | None
    probes: int
    unanswered: int
    held: Held
    lasting: bool = False


def gaps(answers: Sequence[float], pace: float, end: float) -> tuple[Gap, ...]:
    """The longest times between two answers, or between the last one and the end, in their order."""
    moments = [*sorted(answers), end] if answers else []
    found = [Gap(early, round(max(0.0, late - early - pace) * 1000, 1)) for early, late in pairwise(moments)]
    longest = sorted(found, key=lambda one: one.milliseconds, reverse=True)[:GAPS_LIMIT]
    return tuple(sorted(longest, key=lambda one: one.at))


def overlaps(observation: Observation, began: float, ended: float) -> bool:
    """Whether it was there when that happened."""
    return observation.began <= ended + CLOCKS_SECONDS and observation.ended >= began - CLOCKS_SECONDS


def within(observation: Observation, began: float, ended: float) -> Iterable[ObservedService]:
    """What was seen of each service in a drill's time."""
    for one in observation.services:
        near = [gap.milliseconds for gap in one.gaps if _touches(gap, began, ended)]
        longest = max(near, default=0.0) if one.gaps else None
        yield ObservedService(
            observation.node, one.service, longest, one.probes, one.unanswered, one.held, lasting=one.lasting
        )


def _touches(gap: Gap, began: float, ended: float) -> bool:
    return gap.at <= ended + CLOCKS_SECONDS and gap.at + gap.milliseconds / 1000 >= began - CLOCKS_SECONDS


def words(one: ObservedService) -> str:
    """As a person reads it."""
    if one.milliseconds is None:
        outage = "never answered"
    elif one.lasting:
        outage = f"outage at least {one.milliseconds} ms, to the end"
    else:
        outage = f"outage {one.milliseconds} ms"
    return f"{one.service}: {outage} ({one.probes} probes, {one.unanswered} unanswered){_connections(one.held)}"


def _connections(held: Held) -> str:
    if not held.opened:
        return ""
    lost = [f"{number} {what}" for number, what in ((held.reset, "reset"), (held.silent, "silent")) if number]
    closed = f", {held.closed} closed by the real server" if held.closed else ""
    return f"; {held.kept} of {held.opened - held.closed} connections kept{''.join(f', {one}' for one in lost)}{closed}"
