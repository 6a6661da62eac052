"""Honest books: how long things took, as counts in steps that double. Pure.

A fixed handful of integers, whatever is counted: step n holds what took less than FIRST_SECONDS * 2**n.
"""

from __future__ import annotations

FIRST_SECONDS = 0.001
STEPS = 16  # the last holds all that took more than half a minute, too


class Histogram:
    """Counts of durations, and the longest."""

    __slots__ = ("counts", "longest")

    def __init__(self) -> None:
        """Nothing is counted."""
        self.counts = [0] * STEPS
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one; a negative duration is none."""
        self.counts[min(STEPS - 1, int(max(0.0, seconds) / FIRST_SECONDS).bit_length())] += 1
        self.longest = max(self.longest, seconds)

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(self.counts)

    def within(self, share: float) -> float:
        """Seconds that this share of them did not exceed: the upper edge of its step, or the longest if less."""
        wanted = share * self.total
        seen = 0
        for step, count in enumerate(self.counts):
            seen += count
            if seen >= wanted:
                return min(self.longest, FIRST_SECONDS * (1 << step))
        return self.longest
