"""When to probe next: fixed slots, so that nothing drifts, and none made up for, so that nothing bursts. Pure.

Moments and intervals are seconds. A check's slots are `first + n * interval`; where in the interval they lie
follows from the check's identity, so that a thousand checks of one interval never start together, and a
restarted worker keeps the rhythm's spread.
"""

from __future__ import annotations

from math import floor
from zlib import crc32


def jitter_of(identity: str) -> float:
    """A number of [0, 1) that is always the same for the same check and well spread over many."""
    return crc32(identity.encode()) / 2**32


def first_slot(now: float, interval: float, jitter: float) -> float:
    """The first slot of a check that becomes known at `now`: within one interval from there."""
    return now + interval * jitter


def next_slot(slot: float, interval: float, now: float) -> float:
    """The first slot after `now` in the rhythm of `slot`. Those missed (a long probe, a stall) are left out."""
    missed = max(0, floor((now - slot) / interval))
    following = slot + (missed + 1) * interval
    return following if following > now else following + interval  # a quotient may round to the slot before
