"""The kernel's counters of some services, read with pauses: for those that drain, each second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from lvsd.core import draining
from lvsd.core.events import ConnectionsCounted, Event
from lvsd.core.pool_state import Connections
from lvsd.core.state import Director
from netlink.errors import NetlinkError
from netlink.table import DestinationKey, ServiceKey, ServiceStatus

SLICE_SERVICES = 20


class Reader(Protocol):
    """A table whose counters can be read."""

    def read_status(self, key: ServiceKey | None = None) -> tuple[ServiceStatus, ...]:
        """One service with its counters, none if it is missing."""


class Counters:
    """Reads, and feeds the director what it finds."""

    def __init__(self, reader: Reader, belief: Callable[[], Director], feed: Callable[[Event], None]) -> None:
        """`reader` may be the director's own: nothing is left open on it between two services."""
        self._reader = reader
        self._belief = belief
        self._feed = feed
        self._task: asyncio.Task[None] | None = None

    def tick(self) -> None:
        """Once a second. A reading that still goes on is not begun again."""
        keys = draining.watched(self._belief())
        if keys and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._read(keys))

    def close(self) -> None:
        """End the reading that goes on."""
        if self._task is not None:
            self._task.cancel()

    async def _read(self, keys: tuple[ServiceKey, ...]) -> None:
        for start in range(0, len(keys), SLICE_SERVICES):
            try:
                found = self._statuses(keys[start : start + SLICE_SERVICES])
            except NetlinkError:
                return  # that the table cannot be read is told by whoever looks at it each second
            self._feed(ConnectionsCounted({one.service.key: _connections(one) for one in found}))
            await asyncio.sleep(0)

    def _statuses(self, keys: Iterable[ServiceKey]) -> list[ServiceStatus]:
        return [status for key in keys for status in self._reader.read_status(key)]


def _connections(status: ServiceStatus) -> dict[DestinationKey, Connections]:
    return {one.destination.key: Connections(one.active, one.inactive, one.persistent) for one in status.destinations}
