"""How late the timers of VRRP are served: what a person reads to know how short an interval the machine bears. Pure."""

from __future__ import annotations

from bisect import bisect_left

from lvsd.vrrp.messages import LATENESS_BOUNDS_SECONDS, Lateness


class LatenessMeter:
    """Counts how long after its moment each due timer was looked at."""

    def __init__(self) -> None:
        """Nothing was late yet."""
        self._counts = [0] * (len(LATENESS_BOUNDS_SECONDS) + 1)
        self._last = self._maximum = 0.0

    def note(self, seconds: float) -> None:
        """A timer was served so long after its moment."""
        self._last = max(0.0, seconds)
        self._maximum = max(self._maximum, self._last)
        self._counts[bisect_left(LATENESS_BOUNDS_SECONDS, self._last)] += 1

    def read(self) -> Lateness:
        """All since the process began."""
        return Lateness(self._last, self._maximum, tuple(self._counts))
