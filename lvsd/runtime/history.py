"""What the director told lately, for whoever asks: bounded, and gone with the process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping

from lvsd.control.messages import EventRow, EventsReply

KEPT = 2000  # events; beyond that the journal has them


class History:
    """The last events, numbered from 1."""

    def __init__(self) -> None:
        """Begin with none."""
        self._rows: deque[EventRow] = deque(maxlen=KEPT)
        self._number = 0

    def note(self, level: str, event: str, fields: Mapping[str, str | int | float]) -> None:
        """One more."""
        self._number += 1
        self._rows.append(EventRow(self._number, time.time(), level, event, dict(fields)))

    def since(self, number: int, real: str = "") -> EventsReply:
        """Those after that number, of a real server (`ADDRESS` or `ADDRESS:PORT`) where one is given.

        A number beyond the last one comes from a director of before: then all of them.
        """
        first = number if number <= self._number else 0
        rows = (one for one in self._rows if one.number > first)
        return EventsReply(self._number, tuple(one for one in rows if not real or _concerns(one, real)))


def _concerns(row: EventRow, real: str) -> bool:
    server = str(row.fields.get("real_server", ""))
    address = server.rpartition(":")[0]
    return real in (server, address, address.strip("[]"))
