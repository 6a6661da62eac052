"""When to probe next: fixed slots, so that nothing drifts, and none made up for, so that nothing bursts. Pure.

Moments and intervals are seconds. A check's slots are `(jitter + n) * interval` since the machine's start; the jitter
follows from the check's identity, so that a thousand checks of one interval never start together, and whoever takes
over a check (a restarted worker, another one) goes on in the same slots.
"""

from __future__ import annotations

from math import floor
from zlib import crc32

import msgspec

from config.checks import Timing

EARLY_SECONDS = 1.0
"""What is not known yet is probed within this time."""


GRAIN_SHARE = 0.05
GRAIN_LIMIT_SECONDS = 0.05
"""A check's slots lie so far apart that many checks share one: waking for one check costs more than probing."""


def grain(timing: Timing) -> float:
    """Seconds between the phases that checks of this timing may have: a share of its shorter slots, capped."""
    shorter = timing.interval if timing.down_interval is None else min(timing.interval, timing.down_interval)
    return min(shorter * GRAIN_SHARE, GRAIN_LIMIT_SECONDS)


def jitter_of(identity: str) -> float:
    """A number of [0, 1) that is always the same for the same check and well spread over many."""
    return crc32(identity.encode()) / 2**32


def phase_of(identity: str, timing: Timing, interval: float | None = None) -> float:
    """The check's jitter, rounded down to one of the phases that its timing knows (all of them equally likely).

    `interval`: another of the timing's than `interval`.
    """
    step = grain(timing) / (timing.interval if interval is None else interval)
    return floor(jitter_of(identity) / step) * step


def first_slot(now: float, interval: float, jitter: float) -> float:
    """The first slot of a check that becomes known at `now`: within one interval from there, where it always lies."""
    slot = interval * jitter
    return slot if now < slot else next_slot(slot, interval, now)


def early_moment(now: float, interval: float, jitter: float) -> float:
    """When to probe a check for the first time about which nothing is known: soon, before its rhythm begins.

    A real server of a slow check, or a whole table after a boot, must not wait an interval for its first verdict.
    """
    return now + jitter * min(interval, EARLY_SECONDS)


def slot_after_early(slot: float, interval: float, now: float) -> float:
    """The first slot of the rhythm after an early probe that ended at `now`: not right behind it."""
    return slot if slot - now >= interval / 2 else next_slot(slot, interval, max(slot, now))


def next_slot(slot: float, interval: float, now: float) -> float:
    """The first slot after `now` and after `slot` in its rhythm. Those missed (a long probe, a stall) are left out."""
    if now < slot + interval:
        return slot + interval
    missed = floor((now - slot) / interval)
    following = slot + (missed + 1) * interval
    return following if following > now else following + interval  # a quotient may round to the slot before


class Rhythm(msgspec.Struct, frozen=True):
    """When a check is probed next: in its slot, or when an outcome asks to look again instead."""

    slot: float
    hurried_to: float | None = None
    slowed: bool = False  # `hurried_to` is a slot of one that is down

    @property
    def moment(self) -> float:
        """When to probe."""
        return self.slot if self.hurried_to is None else self.hurried_to

    def after(self, now: float, timing: Timing, *, contradicted: bool, down: float | None = None) -> Rhythm:
        """The rhythm after a probe that ended at `now`. `down`: its phase in `down_interval`, if it is believed down.

        While outcomes contradict what is believed, `timing.fast_interval` counts from the end of a probe to the next;
        then the slots go on, where they always were, though not right behind the hurried probe. A check that is down
        and stays so has slots of its own, `timing.down_interval` apart.
        """
        if contradicted and timing.fast_interval is not None:
            return Rhythm(self.slot, now + timing.fast_interval)
        if not contradicted and down is not None and timing.down_interval is not None:
            return Rhythm(self.slot, self._slow_slot(now, timing.down_interval, down), slowed=True)
        if self.hurried_to is None:
            return Rhythm(next_slot(self.slot, timing.interval, now))
        slot = self.slot if self.slot > now else next_slot(self.slot, timing.interval, now)
        return Rhythm(slot_after_early(slot, timing.interval, now))

    def _slow_slot(self, now: float, interval: float, jitter: float) -> float:
        if self.slowed and self.hurried_to is not None:
            return next_slot(self.hurried_to, interval, now)
        return slot_after_early(first_slot(now, interval, jitter), interval, now)
