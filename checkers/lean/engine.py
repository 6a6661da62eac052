"""What all checks of the lean engine share: the reactor, the places for calls at once, who is told. See runner.py."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from checkers.core.books import Histogram
from checkers.core.hosts import Host, Hosts, Waiter
from checkers.lean.knock import Knocks
from checkers.lean.questions import Questions
from checkers.lean.reactor import Reactor

CALLS_AT_ONCE = 4096  # so many may hang until their timeout before others have to wait

Probed = Callable[[str, bool], None]
"""A check of that identity was probed, and whether the director must hear of it at once."""

Crashed = Callable[[str, Exception], None]
"""A fault of our own code came up in the probe of that check."""


class Guest(Waiter, Protocol):
    """A check that asks for a place."""

    host: Host
    placed: bool
    """Whether it has a place among those of its address."""
    queued: bool
    """Whether it waits for one of the two places."""

    def turn(self, now: float) -> None:
        """There is room now."""

    def leave(self) -> None:
        """Give the place at its address to the next."""


class Engine:
    """What all checks of the engine share."""

    def __init__(
        self, on_probed: Probed, crashed: Crashed, stalled: Callable[[], float], hosts: Hosts | None = None
    ) -> None:
        """`stalled`: the seconds in which the loop did not turn, so far."""
        self.hosts = hosts or Hosts()
        self.reactor = Reactor()
        later = asyncio.get_running_loop().call_later
        self.knocks = Knocks(self.reactor, later)
        self.questions = Questions(later)
        self.on_probed = on_probed
        self.stalled = stalled
        self.crashed = crashed
        self.lateness = Histogram()  # how long after its moment each probe began
        self.running = 0
        self._waiting: deque[Guest] = deque()
        self._admitting = False
        self._idle = asyncio.Event()
        self._idle.set()

    def admit(self, guest: Guest) -> bool:
        """Whether there is room for one more call, at its address and at all. Who finds none waits in a row."""
        if not guest.placed and not guest.host.take(guest):
            guest.queued = True
            return False
        guest.placed = True
        if self.running >= CALLS_AT_ONCE:
            guest.queued = True
            self._waiting.append(guest)
            return False
        if not self.running:
            self._idle.clear()
        self.running += 1
        return True

    async def idle(self) -> None:
        """Until no call is out."""
        await self._idle.wait()

    def release(self, guest: Guest) -> None:
        """A call is over: the next may begin."""
        self.running -= 1
        if not self.running:
            self._idle.set()
        guest.leave()
        if self._waiting:
            self._turns()

    def next(self, guest: Guest) -> None:
        """It has a place at its address: it is its turn as soon as there is room."""
        self._waiting.append(guest)
        self._turns()

    def _turns(self) -> None:
        """Those that end at once make no recursion."""
        if self._admitting:
            return
        self._admitting = True
        try:
            while self._waiting and self.running < CALLS_AT_ONCE:
                self._waiting.popleft().turn(self.reactor.now())
        finally:
            self._admitting = False
