"""How long the loop did not turn: what a probe missed of its time is no fault of the real server's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOK_SECONDS = 0.1
TOLERATED_SECONDS = 0.05  # so late is every loop now and then
TOLD_SECONDS = 1.0


class Stall:
    """Adds up the time in which the loop did not turn: a paused machine, no processor to be had, too much to do."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        """Look from now on. `tell` hears of every stall of TOLD_SECONDS or more."""
        self._seconds = 0.0
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._due_at = self._loop.time()
        self._look()

    def total(self) -> float:
        """Seconds since the beginning, those with it that are over and were not looked at yet.

        After a stall a deadline may be next, and the look behind it.
        """
        late = self._loop.time() - self._due_at
        return self._seconds + late if late > TOLERATED_SECONDS else self._seconds

    def _look(self) -> None:
        now = self._loop.time()
        late = now - self._due_at
        if late > TOLERATED_SECONDS:
            self._seconds += late
        if late >= TOLD_SECONDS:
            self._tell(late)
        self._due_at = now + LOOK_SECONDS
        self._loop.call_at(self._due_at, self._look)
