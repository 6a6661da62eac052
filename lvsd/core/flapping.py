"""A real server that fails again and again stays out longer each time. Pure.

The first failure costs nothing beyond itself. Each further one, until the server has served `forget` seconds without,
holds it out for twice as long as the one before: `first`, 2 `first`, 4 `first` ... `longest` seconds, counted from the
failure.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.pool_rules import HoldDown

DOUBLINGS = 32  # beyond that any `longest` is reached


@dataclass(frozen=True, slots=True)
class Flaps:
    """How many failures count, and until when the last one holds it out."""

    count: int
    until: float


def failed(rule: HoldDown, before: Flaps | None, now: float) -> Flaps:
    """It has left service because of its checks."""
    count = before.count + 1 if before is not None and now - before.until < rule.forget else 1
    return Flaps(count, now + held(rule, count))


def held(rule: HoldDown, count: int) -> float:
    """For how many seconds that many failures hold it out."""
    return 0.0 if count == 1 else min(rule.longest, rule.first * 2.0 ** min(count - 2, DOUBLINGS))
