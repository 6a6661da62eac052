"""Facts that may come by the thousand, told once a minute. Light to import."""

from __future__ import annotations

from lvsd.runtime.journal import Word, tell

MINUTE_SECONDS = 60.0
KEYS_LIMIT = 256


class Sparingly:
    """Tells a fact of one kind once a minute, with the number of those left out since the last."""

    def __init__(self) -> None:
        """Nothing has been told."""
        self._told: dict[str, tuple[float, int]] = {}

    def tell(self, key: str, now: float, level: Word, event: str, /, **fields: object) -> None:
        """Tell it, or count it."""
        at, left_out = self._told.get(key, (-MINUTE_SECONDS, 0))
        if now - at < MINUTE_SECONDS:
            self._told[key] = (at, left_out + 1)
            return
        if key not in self._told and len(self._told) >= KEYS_LIMIT:
            del self._told[next(iter(self._told))]
        self._told[key] = (now, 0)
        if left_out:
            fields["left_out"] = left_out
        tell(level, event, **fields)
