"""From probes to outages. Pure. Moments are seconds of one monotonic clock."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

LASTING_SECONDS: Final = 0.5
"""Silence at the end that is longer than any answer takes: the outage was not over."""

ASKED_ENOUGH: Final = 3
"""Probes in such a silence, at the slowest pace there is. With fewer it was the machine that stood still."""


class Outage(msgspec.Struct, frozen=True):
    """What was seen of one service in one part of a drill.

    `milliseconds`: the longest time between two answers, less the probes' pace: how long a client was without one.
    None when nothing can be said, since there was no answer before. `lasting`: it was not over in this part.
    """

    service: str
    probes: int
    unanswered: int
    milliseconds: float | None
    lasting: bool = False


def outage(
    service: str, sent: Sequence[float], answers: Sequence[float], pace: float, span: tuple[float, float]
) -> Outage:
    """Of probes that left at `sent`, and answers that came at `answers`, in the part of the drill that is `span`.

    The answers' moments count: probes that wait in the kernel for a MAC address leave late, and are answered late.
    """
    begin, end = span
    probes = sum(begin <= moment <= end for moment in sent)
    inside = sorted(moment for moment in answers if begin <= moment <= end)
    before = max((moment for moment in answers if moment < begin), default=None)
    missed = max(0, probes - len(inside))
    if before is None:
        return Outage(service, probes, missed, None)
    seen = [before, *inside]
    asked = sum(seen[-1] < moment <= end for moment in sent)
    lasting = end - seen[-1] > LASTING_SECONDS and asked >= ASKED_ENOUGH
    gap = max((late - early for early, late in pairwise([*seen, end] if lasting else seen)), default=0.0)
    return Outage(service, probes, missed, round(max(0.0, gap - pace) * 1000, 1), lasting)
