"""Words for the supervisor: READY once, ALIVE each second. It never blocks and never fails."""

from __future__ import annotations

import contextlib
import os

NOTIFY_ENV = "LVSD_NOTIFY_FD"


class Notifier:
    """Our end of the supervisor's pipe or socket; without one it does nothing."""

    def __init__(self, descriptor: int | None) -> None:
        """Take over the descriptor: no command that we run inherits it."""
        self.descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)

    @classmethod
    def from_environment(cls) -> Notifier:
        """The notifier of the descriptor in LVSD_NOTIFY_FD, or one that does nothing."""
        number = os.environ.pop(NOTIFY_ENV, "")
        try:
            return cls(int(number) if number.isdecimal() else None)
        except OSError:
            return cls(None)

    def ready(self) -> None:
        """Say, once, that the work has begun."""
        self._say(b"READY\n")

    def alive(self) -> None:
        """Say, each second, that the loop turns."""
        self._say(b"ALIVE\n")

    def _say(self, word: bytes) -> None:
        if self.descriptor is not None:
            with contextlib.suppress(OSError):  # full or closed: the supervisor judges by what it hears
                os.write(self.descriptor, word)
