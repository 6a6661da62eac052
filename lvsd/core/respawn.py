"""When a process that ended is started again: at once at first, then with back-off. Pure."""

from __future__ import annotations

from dataclasses import dataclass

DELAYS_SECONDS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
FORGIVEN_AFTER_SECONDS = 60.0  # a process that lived that long starts with a clean slate
FAILING_AFTER = 5  # this many ends in a row, none forgiven: it keeps failing


@dataclass(frozen=True, slots=True)
class Record:
    """How often a process ended in a row, and when it was started last (seconds of CLOCK_MONOTONIC)."""

    failures: int = 0
    started_at: float = 0.0

    @property
    def keeps_failing(self) -> bool:
        """Whether it is time to give up what the process holds."""
        return self.failures >= FAILING_AFTER


def started(record: Record, now: float) -> Record:
    """It was started (again)."""
    return Record(record.failures, now)


def ended(record: Record, now: float) -> tuple[Record, float]:
    """It ended: the new record, and after how many seconds to start it again."""
    lived = now - record.started_at
    before = 0 if lived >= FORGIVEN_AFTER_SECONDS else record.failures
    delay = DELAYS_SECONDS[min(before, len(DELAYS_SECONDS) - 1)]
    return Record(before + 1, record.started_at), delay
