"""A timer wheel: who wants to be woken when, in ticks of TICK_SECONDS, thousands at the price of a list each. Pure."""

from __future__ import annotations

import heapq
from math import ceil, floor
from typing import Protocol

TICK_SECONDS = 0.01
ASLEEP = -1
ROUNDING_TICKS = 0.001  # a moment may lie behind its tick by what sums of fractions are wrong


class Sleeper(Protocol):
    """Sleeps until one tick at a time; the wheel writes it down here."""

    wake: int

    def due(self, now: float) -> None:
        """Its moment has come."""

    def broken(self, error: Exception, now: float, /) -> None:
        """`due` raised what it must not."""


class Wheel:
    """Nobody is woken before the moment asked for, and up to a tick after it."""

    def __init__(self) -> None:
        """Nobody sleeps."""
        self._ticks: dict[int, list[Sleeper]] = {}
        self._order: list[int] = []  # a heap of the keys of `_ticks`

    def add(self, moment: float, sleeper: Sleeper, ticks: int = 1) -> None:
        """Wake it at `moment` (a rounding error before it), and not when it was to be woken before.

        Rounded up to a multiple of so many ticks, so that many who may wait are woken together.
        """
        tick = ceil(moment / TICK_SECONDS - ROUNDING_TICKS)
        if ticks > 1:
            tick += -tick % ticks
        sleeper.wake = tick
        sleepers = self._ticks.get(tick)
        if sleepers is None:
            self._ticks[tick] = [sleeper]
            heapq.heappush(self._order, tick)
        else:
            sleepers.append(sleeper)

    def due(self, now: float) -> list[Sleeper]:
        """Those whose moment has come, in the order of their moments; they sleep no more."""
        last = floor(now / TICK_SECONDS)
        woken: list[Sleeper] = []
        while self._order and self._order[0] <= last:
            tick = heapq.heappop(self._order)
            for sleeper in self._ticks.pop(tick):
                if sleeper.wake == tick:  # not one that was woken or moved meanwhile
                    sleeper.wake = ASLEEP
                    woken.append(sleeper)
        return woken

    def next_moment(self) -> float | None:
        """When somebody may have to be woken next."""
        return self._order[0] * TICK_SECONDS if self._order else None
