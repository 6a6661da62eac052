"""Honest books: how long things took and why probes failed, as counts in steps that grow with what they hold. Pure.

Each doubling of a duration has two steps, so that a share of all is known within a third (`within`), from 61 µs up to
24 s. Ten thousand checks keep books: a row of counts is an array of 16 bits. Where one is full, all counts of its row
are halved: what is long ago weighs less and the shares stay.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from enum import Enum
from math import inf

import msgspec

from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy

TICKS_A_SECOND = 1 << 14
STEPS = 38  # the last holds all that took longer, too
HELD = 0xFFFF


class Phase(Enum):
    """What is measured of a probe: the rows of its books, in this order."""

    WHOLE = "whole"  # from its begin until its outcome is known
    LATE = "late"  # from its moment until its begin
    CONNECT = "connect"  # until the connection stood
    FIRST_BYTE = "first_byte"  # from then (with TLS: from its end) until the real server's first word
    TLS = "tls"  # the handshake


WHOLE, LATE, CONNECT, FIRST_BYTE, TLS = range(len(Phase))
"""The rows by number, for those who write many."""


class Counts(msgspec.Struct, frozen=True):
    """One row as it is told: the longest duration in seconds, and how many in each step from step `first` on."""

    longest: float
    first: int
    counts: tuple[int, ...]


class Page(msgspec.Struct, frozen=True):
    """The books of one check: probes by the reason for which they failed, those that found nothing out, durations."""

    reasons: dict[Reason, int] = {}
    inconclusive: int = 0
    phases: dict[Phase, Counts] = {}


def step_of(seconds: float) -> int:
    """The step of a duration; a negative one is none."""
    ticks = int(seconds * TICKS_A_SECOND)
    if ticks <= 1:
        return 1 if ticks == 1 else 0
    bits = ticks.bit_length()
    step = 2 * bits - 2 + (ticks >> (bits - 2) & 1)
    return step if step < STEPS else STEPS - 1


def edge_of(step: int) -> float:
    """The seconds below which this step's durations lie; the last step has no such edge."""
    if step <= 1:
        return (step + 1) / TICKS_A_SECOND
    half = step // 2
    return ((2 << half) if step % 2 else (3 << half - 1)) / TICKS_A_SECOND


STEP_OF_TICKS = b"".join(
    bytes([step]) * round((edge_of(step) - (edge_of(step - 1) if step else 0.0)) * TICKS_A_SECOND)
    for step in range(step_of(1.0))
)
"""The step of what takes less than a second, by ticks: nearly everything does."""


class Tally(msgspec.Struct, frozen=True):
    """Many durations, for several books: how many are in each step, and the longest."""

    steps: tuple[tuple[int, int], ...]
    longest: float


def tally(durations: Sequence[float]) -> Tally:
    """Count durations, one at least: where most lie in few steps that is cheaper than to add one by one."""
    longest = max(durations)
    if longest < 1.0 and min(durations) >= 0.0:
        steps = bytes([STEP_OF_TICKS[int(seconds * TICKS_A_SECOND)] for seconds in durations])
    else:
        steps = bytes(map(step_of, durations))
    return Tally(tuple((step, steps.count(step)) for step in set(steps)), longest)


def is_sound(told: Counts) -> bool:
    """Whether a row that somebody tells can be one."""
    steps = told.first >= 0 and told.first + len(told.counts) <= STEPS
    return steps and all(count >= 0 for count in told.counts) and 0 <= told.longest < inf


def is_sound_page(told: Page) -> bool:
    """Whether books that somebody tells can be some."""
    numbers = (told.inconclusive, *told.reasons.values())
    return min(numbers) >= 0 and all(map(is_sound, told.phases.values()))


def counted(counts: Sequence[int], longest: float) -> Counts:
    """A row without the empty steps at both ends."""
    used = [step for step, count in enumerate(counts) if count]
    first, last = (used[0], used[-1] + 1) if used else (0, 0)
    return Counts(longest, first, tuple(counts[first:last]))


def within(counts: Counts, share: float) -> float:
    """Seconds that this share of them did not exceed: the upper edge of its step, or the longest if less."""
    wanted = share * sum(counts.counts)
    seen = 0
    for step, count in enumerate(counts.counts, start=counts.first):
        seen += count
        if seen >= wanted:
            return min(counts.longest, edge_of(step)) if step < STEPS - 1 else counts.longest
    return counts.longest


class Histogram:
    """Counts of durations, and the longest."""

    __slots__ = ("counts", "longest")

    def __init__(self) -> None:
        """Nothing is counted."""
        self.counts = [0] * STEPS
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one; a negative duration is none."""
        self.counts[STEP_OF_TICKS[int(seconds * TICKS_A_SECOND)] if 0.0 <= seconds < 1.0 else step_of(seconds)] += 1
        if seconds > self.longest:  # noqa: PLR1730  max() takes three times as long, and each probe comes here
            self.longest = seconds

    def take(self, many: Tally) -> None:
        """Count many."""
        for step, count in many.steps:
            self.counts[step] += count
        self.longest = max(self.longest, many.longest)

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(self.counts)

    def within(self, share: float) -> float:
        """Seconds that this share of them did not exceed, as the function of that name has it."""
        return within(self.told(), share)

    def told(self) -> Counts:
        """As it is told."""
        return counted(self.counts, self.longest)

    def joined(self, other: Histogram) -> Histogram:
        """Both together."""
        both = Histogram()
        both.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        both.longest = max(self.longest, other.longest)
        return both


_ENTRY = struct.Struct("=Bd")
_NOTE = _ENTRY.pack
NOTED_BYTES = 32 * _ENTRY.size


class Books:
    """What one check's probes took, and why they failed, since it is run here."""

    __slots__ = ("_counts", "_longest", "_noted", "_reasons")

    def __init__(self) -> None:
        """Nothing is written."""
        self._noted = bytearray()  # entered together: by then what it takes is at hand in the processor's caches
        self._counts = array("H")  # row by row, as far as there was need
        self._longest = array("f")
        self._reasons: dict[Reason | None, int] | None = None

    def add(self, row: int, seconds: float) -> None:
        """Count one duration of the phase of this row."""
        noted = self._noted
        noted += _NOTE(row, seconds)
        if len(noted) >= NOTED_BYTES:
            self._enter_all()

    def enter(self, row: int, durations: Iterable[float]) -> None:
        """Count many durations of the phase of this row."""
        counts, longest = self._counts, self._longest
        if row >= len(longest):
            self._grow(row + 1)
        most, first = longest[row], row * STEPS
        for seconds in durations:
            step = STEP_OF_TICKS[int(seconds * TICKS_A_SECOND)] if 0.0 <= seconds < 1.0 else step_of(seconds)
            if counts[first + step] == HELD:
                self._halve(row)
            counts[first + step] += 1
            if seconds > most:  # noqa: PLR1730  as above
                most = seconds
        longest[row] = most

    def take(self, row: int, many: Tally) -> None:
        """Count many of the phase of this row, no more than HELD."""
        if row >= len(self._longest):
            self._grow(row + 1)
        first = row * STEPS
        for step, count in many.steps:
            if self._counts[first + step] > HELD - count:
                self._halve(row)
            self._counts[first + step] += count
        self._longest[row] = max(self._longest[row], many.longest)

    def _enter_all(self) -> None:
        noted, self._noted = self._noted, bytearray()
        for row, seconds in _ENTRY.iter_unpack(noted):
            self.enter(row, (seconds,))

    def found(self, outcome: Outcome, seconds: float) -> None:
        """A probe is over. One that found nothing out tells nothing of the real server's pace."""
        if type(outcome) is not Healthy:
            reason = outcome.reason if isinstance(outcome, Unhealthy) else None
            self._count(reason)
            if reason is None:
                return
        self.add(WHOLE, seconds)

    def page(self) -> Page:
        """As it is told."""
        self._enter_all()
        reasons = self._reasons or {}
        named = {reason: count for reason, count in reasons.items() if reason is not None}
        rows = zip(Phase, range(len(self._longest)), strict=False)
        told = {phase: counted(self._row(row), self._longest[row]) for phase, row in rows}
        return Page(named, reasons.get(None, 0), {phase: one for phase, one in told.items() if one.counts})

    def renewed(self) -> Books:
        """For another question of the same check: other durations, and what failed stays written."""
        other = Books()
        other._reasons = self._reasons
        return other

    def _row(self, row: int) -> array[int]:
        return self._counts[row * STEPS : (row + 1) * STEPS]

    def _count(self, reason: Reason | None) -> None:
        reasons = self._reasons
        if reasons is None:
            reasons = self._reasons = {}
        reasons[reason] = reasons.get(reason, 0) + 1

    def _grow(self, rows: int) -> None:
        missing = rows - len(self._longest)
        self._counts.frombytes(bytes(missing * STEPS * self._counts.itemsize))
        self._longest.frombytes(bytes(missing * self._longest.itemsize))

    def _halve(self, row: int) -> None:
        for at in range(row * STEPS, (row + 1) * STEPS):
            self._counts[at] >>= 1
