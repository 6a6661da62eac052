"""Queues side by side: what stands in one lane is done one at a time and in order, other lanes do not wait. Pure."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

LANE_LIMIT = 256
TOTAL_LIMIT = 4096
RUNNING_LIMIT = 16

Job = TypeVar("Job")


class Lanes(Generic[Job]):
    """Bounded: where there is no room, the oldest of the lane makes it."""

    def __init__(self) -> None:
        """Nothing waits, nothing runs."""
        self._waiting: dict[str, deque[Job]] = {}
        self._running: set[str] = set()
        self._total = 0

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._total == 0

    def add(self, lane: str, job: Job) -> Job | None:
        """Put a job at the end of its lane: the one that is dropped for it, which may be itself."""
        queue = self._waiting.setdefault(lane, deque())
        dropped = None
        if len(queue) >= LANE_LIMIT or (self._total >= TOTAL_LIMIT and queue):
            dropped = queue.popleft()
        elif self._total >= TOTAL_LIMIT:
            del self._waiting[lane]
            return job
        else:
            self._total += 1
        queue.append(job)
        return dropped

    def begin(self) -> tuple[str, Job] | None:
        """A lane and its job that may begin now, None if there is none. The lane is taken until `end`."""
        if len(self._running) >= RUNNING_LIMIT:
            return None
        lane = next((name for name in self._waiting if name not in self._running), None)
        if lane is None:
            return None
        queue = self._waiting.pop(lane)
        job = queue.popleft()
        self._total -= 1
        self._running.add(lane)
        if queue:
            self._waiting[lane] = queue  # at the end: every lane has its turn
        return lane, job

    def end(self, lane: str) -> None:
        """The lane's job has ended."""
        self._running.discard(lane)

    def clear(self) -> int:
        """Drop what waits: how many that were."""
        dropped, self._total = self._total, 0
        self._waiting.clear()
        return dropped
