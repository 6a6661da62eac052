"""A task's place among the probes of one address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from checkers.core.hosts import Host


class _Task:
    """Waits by a future."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.future = asyncio.get_running_loop().create_future()

    def seated(self) -> None:
        """Go on; a task that was cancelled meanwhile passes the place on."""
        if self.future.done():
            self._host.leave()
        else:
            self.future.set_result(None)


@asynccontextmanager
async def place(host: Host) -> AsyncIterator[None]:
    """Wait for a place at this address, and have it for the block."""
    task = _Task(host)
    if not host.take(task):
        try:
            await task.future
        except asyncio.CancelledError:
            if task.future.cancelled():
                host.forget(task)
            else:  # it was given just now
                host.leave()
            raise
    try:
        yield
    finally:
        host.leave()
