"""Waiting for something to become true, with a bound and a name."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
POLL_SECONDS = 0.05
SLOWEST = 3
"""Bounds are there for what never comes true. They were found where the lab had a processor to itself, and cost nothing
where they are not reached: a machine that has other work, or a slower processor, gets so many times as long."""


class WaitError(AssertionError):
    """It did not become true in time."""


def wait_until(
    predicate: Callable[[], Value], timeout_seconds: float, what: str, *, every_seconds: float = POLL_SECONDS
) -> Value:
    """Poll until `predicate` answers something true, and return that. Raises `WaitError` with the last answer."""
    limit_seconds = SLOWEST * timeout_seconds
    deadline = time.monotonic() + limit_seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise WaitError(f"{what}: not within {limit_seconds:g} s; last seen: {value!r}")
        time.sleep(every_seconds)
