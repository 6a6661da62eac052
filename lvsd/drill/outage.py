"""From probes to outages. Pure. Moments are seconds of one monotonic clock."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec


class Outage(msgspec.Struct, frozen=True):
    """What was seen of one service in one part of a drill.

    `milliseconds`: the longest time that began between two answered probes, less their pace: how long a client was
    without answer. None when nothing can be said: no probe was answered before or after.
    """

    service: str
    probes: int
    unanswered: int
    milliseconds: float | None


def outage(
    service: str, sent: Sequence[float], answered: Sequence[float], pace: float, span: tuple[float, float]
) -> Outage:
    """Of probes sent at `sent`, of which those sent at `answered` were answered, within `span`."""
    begin, end = span
    inside = [moment for moment in sent if begin <= moment <= end]
    good = sorted(moment for moment in answered if moment <= end)
    before = [moment for moment in good if moment < begin][-1:]
    seen = [*before, *(moment for moment in good if moment >= begin)]
    known = bool(before) and len(seen) > 1
    gap = max((late - early for early, late in pairwise(seen)), default=0.0)
    missed = len(inside) - sum(begin <= moment for moment in good)
    lasting = bool(inside) and bool(seen) and inside[-1] - seen[-1] > gap
    milliseconds = round(max(0.0, gap - pace) * 1000, 1) if known and not lasting else None
    return Outage(service, len(inside), missed, milliseconds)
