"""One poll loop's descriptors and what to call when they have something to read. Light to import."""

from __future__ import annotations

import selectors
from collections.abc import Callable


class Poll:
    """Descriptors and their callbacks."""

    def __init__(self) -> None:
        """Nothing is watched yet."""
        self._selector = selectors.DefaultSelector()

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call `callback` whenever there is something to read."""
        self._selector.register(descriptor, selectors.EVENT_READ, callback)

    def forget(self, descriptor: int) -> None:
        """Watch it no longer."""
        self._selector.unregister(descriptor)

    def wait(self, seconds: float) -> None:
        """Wait that long at most, and call what has to be called."""
        for key, _ in self._selector.select(max(0.0, seconds)):
            if self._selector.get_map().get(key.fd) is key:  # a callback before it may have closed this one
                key.data()
