"""Faults of the checker's own code: where they are, never what they say, since words may hold a password."""

from __future__ import annotations

from checkers.runtime.log import Bounded

CRASH_LINES_A_MINUTE = 6


class Crashes:
    """Tells of them, so many a minute."""

    def __init__(self) -> None:
        """Nothing has crashed yet."""
        self._lines = Bounded(CRASH_LINES_A_MINUTE)

    def crashed(self, identity: str, error: Exception) -> None:
        """One did, in the probe of this check."""
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else "?"
        self._lines.tell("error", "check_crashed", check=identity, error=type(error).__name__, at=where)
