"""A checker within its real server within its virtual server, and the timing these agree on. Pure.

keepalived probes every `delay_loop`; after a failure it tries again `retry` times, `delay_before_retry` apart, before
the server counts as down. One success brings it back.
"""

from __future__ import annotations

from typing import Final

import msgspec

from config import codes
from config.checks import Timing
from config.keepalived.block import Block
from config.keepalived.statements import Statement
from config.keepalived.values import seconds, whole
from config.reading import Reading

DELAY_LOOP: Final = 60.0
CONNECT_TIMEOUT: Final = 5.0
RETRY_LIMIT: Final = 999
LONGEST: Final = 86400.0
LONGEST_TIMEOUT: Final = 3600.0
SHORTEST: Final = 0.1


class Levels(msgspec.Struct, frozen=True):
    """A checker's block within its real server's within its virtual server's: the innermost that says it counts."""

    checker: Block
    real: Block
    virtual: Block

    def get(self, *keywords: str) -> Statement | None:
        """What the innermost level says."""
        return next((one for block in self._blocks() if (one := block.get(*keywords))), None)

    def _blocks(self) -> tuple[Block, ...]:
        return self.checker, self.real, self.virtual

    @property
    def keyword(self) -> str:
        """The kind of checker."""
        return self.checker.statement.keyword


class Habit(msgspec.Struct, frozen=True):
    """A kind of checker's own defaults of `retry` and `delay_before_retry` (None: as long as `delay_loop`)."""

    retry: int = 1
    pause: float | None = 1.0


RETRY_ONCE: Final = Habit()


def read_timing(levels: Levels, habit: Habit, host: Block | None, reading: Reading) -> Timing:
    """When the checker probes. `host`: SMTP_CHECK's sub-block, which may say a timeout of its own."""
    loop = _seconds(levels.get("delay_loop"), DELAY_LOOP, LONGEST, reading)
    retries = _retries(levels, habit, reading)
    pause = _seconds(levels.get("delay_before_retry"), habit.pause or loop, LONGEST, reading)
    if levels.keyword == "MISC_CHECK":
        timeout = _seconds(levels.checker.get("misc_timeout"), min(loop, LONGEST_TIMEOUT), LONGEST_TIMEOUT, reading)
    else:
        said = (host.get("connect_timeout") if host else None) or levels.get("connect_timeout")
        timeout = _seconds(said, CONNECT_TIMEOUT, LONGEST_TIMEOUT, reading)
    return Timing(loop, timeout, rise=1, fall=retries + 1, fast_interval=pause if retries and pause != loop else None)


def _retries(levels: Levels, habit: Habit, reading: Reading) -> int:
    again = levels.get("retry", "nb_get_retry")
    if again is not None and again.keyword == "nb_get_retry" and levels.keyword not in ("HTTP_GET", "SSL_GET"):
        message = f"`nb_get_retry` of a {levels.keyword} is taken for `retry`"
        reading.warning(codes.NOT_TAKEN, again.place, message, "keepalived 2.2 does not know it there and retries once")
    at = whole(again, 0, RETRY_LIMIT, str(habit.retry), reading) if again else None
    return at.value if at else habit.retry


def _seconds(statement: Statement | None, default: float, longest: float, reading: Reading) -> float:
    """A time, which is `SHORTEST` at least."""
    at = seconds(statement, 0, longest, f"{default:g}", reading) if statement else None
    if at is None:
        return default
    if at.value < SHORTEST:
        reading.warning(codes.FORCED, at.place, f"{at.value:g} s is shorter than lvsd's {SHORTEST:g} s, which is taken")
    return max(at.value, SHORTEST)
