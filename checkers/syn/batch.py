"""Who is to be asked when, and who was asked and has not answered: thousands, in ticks of TICK_SECONDS. Pure.

A probe begins at the tick nearest to its moment, so half a tick early or late; a deadline is never early. An answer
counts only for the SYN it acknowledges, whose number nobody could guess, and only from where that SYN went, at the port
that it came from: late, forged and stray ones count for nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from math import ceil, floor, nan
from typing import Generic, Protocol, TypeVar

from checkers.syn.packet import NUMBERS

TICK_SECONDS = 0.005
ASLEEP = -1
NOT_OUT = -1
_HAIR = 1e-6  # of a tick: what a float may be off

Peer = bytes
"""A packed address; an IPv6 one with the four bytes of its scope behind it."""


def tick_after(now: float) -> float:
    """The moment of the next tick."""
    return (floor(now / TICK_SECONDS + _HAIR) + 1) * TICK_SECONDS


class Asker(Protocol):
    """Who asks one real server, again and again; the batch writes down here what it needs to know of it."""

    wake: int  # the tick it sleeps until
    number: int  # of the SYN that is out
    our_port: int  # which that SYN came from
    peer: Peer
    port: int


One = TypeVar("One", bound=Asker)


class Batch(Generic[One]):
    """Each asker sleeps until one tick at a time: the next probe's, or the deadline of the one that is out."""

    def __init__(self) -> None:
        """Nobody asks."""
        self._ticks: dict[int, tuple[list[One], list[int]]] = {}  # who is to ask, and whose answers are due by number
        self._order: list[int] = []  # a heap of the keys of `_ticks`
        self._out: dict[int, One] = {}
        self._moment, self._grain = nan, 1  # many in a row are planned for one moment; here is what that came to
        self._tick = ASLEEP
        self._askers: list[One] = []

    @property
    def out(self) -> int:
        """How many have not answered yet."""
        return len(self._out)

    def plan(self, one: One, moment: float, ticks: int = 1) -> None:
        """Have it ask at `moment`, and not when it was to before; near it at a multiple of so many ticks."""
        if moment != self._moment or ticks != self._grain:
            self._moment, self._grain = moment, ticks
            self._tick = round(moment / (TICK_SECONDS * ticks) - _HAIR) * ticks  # between two: always the first one
            self._askers = self._at(self._tick)[0]
        one.wake = self._tick
        self._askers.append(one)

    def free(self, numbers: Sequence[int]) -> Sequence[int]:
        """Numbers that no SYN has that is out, and no two the same: these, but for those that are taken."""
        if self._out.keys().isdisjoint(numbers) and len(set(numbers)) == len(numbers):
            return numbers
        found: dict[int, None] = {}
        for drawn in numbers:
            number = drawn
            while number in self._out or number in found:
                number = (number + 1) % NUMBERS
            found[number] = None
        return tuple(found)

    def ask(
        self, askers: Sequence[One], numbers: Sequence[int], our_ports: Sequence[int], deadlines: Sequence[float]
    ) -> None:
        """Each asks with its number, a free one. Who has asked already asks anew."""
        due: list[int] = []
        before, tick = nan, ASLEEP
        for one, number, our_port, deadline in zip(askers, numbers, our_ports, deadlines, strict=True):
            if one.number != NOT_OUT:
                del self._out[one.number]
            if deadline != before:
                before, tick = deadline, ceil(deadline / TICK_SECONDS - _HAIR)
                due = self._at(tick)[1]
            one.number, one.our_port, one.wake = number, our_port, tick
            due.append(number)
        self._out.update(zip(numbers, askers, strict=True))

    def due(self, now: float) -> tuple[list[One], list[One]]:
        """Those whose moment to ask has come, in the order of their ticks, and those whose SYN has waited in vain."""
        last = floor(now / TICK_SECONDS + _HAIR)
        self._moment = nan
        woken: list[One] = []
        late: list[One] = []
        while self._order and self._order[0] <= last:
            tick = heapq.heappop(self._order)
            askers, numbers = self._ticks.pop(tick)
            for one in askers:
                if one.wake == tick and one.number == NOT_OUT:  # not one that was moved or has asked meanwhile
                    one.wake = ASLEEP
                    woken.append(one)
            if not self._out.keys().isdisjoint(numbers):
                late += self._late(tick, numbers)
        return woken, late

    def heard(self, peer: Peer, port: int, our_port: int, number: int) -> One | None:
        """Whose SYN of that number this is about; it is out no more, and sleeps until it is planned again."""
        one = self._out.get(number)
        if one is None or one.our_port != our_port or one.port != port or one.peer != peer:
            return None
        del self._out[number]
        one.number = NOT_OUT
        one.wake = ASLEEP
        return one

    def end(self, one: One) -> None:
        """No answer is waited for any more, nor anything else."""
        if one.number != NOT_OUT:
            del self._out[one.number]
            one.number = NOT_OUT
        one.wake = ASLEEP

    def next_moment(self) -> float | None:
        """When somebody has to be woken next: to ask, or because no answer came."""
        while self._order:
            tick = self._order[0]
            askers, numbers = self._ticks[tick]
            if askers or not self._out.keys().isdisjoint(numbers):
                return tick * TICK_SECONDS
            heapq.heappop(self._order)
            del self._ticks[tick]
        return None

    def _late(self, tick: int, numbers: list[int]) -> Iterator[One]:
        """Those that are out with these numbers; another one may have drawn the same meanwhile."""
        for number in numbers:
            one = self._out.get(number)
            if one is not None and one.wake == tick:
                one.wake = ASLEEP
                yield one

    def _at(self, tick: int) -> tuple[list[One], list[int]]:
        at = self._ticks.get(tick)
        if at is None:
            at = self._ticks[tick] = ([], [])
            heapq.heappush(self._order, tick)
        return at
