"""A real server that comes back gets its weight in steps, so that it is not overrun while its caches are cold. Pure."""

from __future__ import annotations

STEPS = 10


def step(began: float, duration: float, now: float) -> int:
    """How far it is, from 1 to `STEPS`, where it has its whole weight."""
    if now - began >= duration:
        return STEPS
    return min(STEPS, 1 + int(STEPS * (now - began) / duration))


def weight(whole: int, at: int) -> int:
    """The weight at a step: never nothing, where there is any."""
    return max(min(1, whole), whole * at // STEPS)
