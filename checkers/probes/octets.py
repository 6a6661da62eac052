"""A conversation of counted bytes: the reader of the protocols that tell a message's length before it."""

from __future__ import annotations

from checkers.probes.lines import Lines


class Octets(Lines):
    """A connection read by so many bytes. What it holds is bounded by what is asked for, and one receive."""

    async def read_exactly(self, size: int) -> bytes:
        """The next `size` bytes; the caller has judged that number. Raises EOFError or what ended the connection."""
        while len(self._pending) < size:
            await self._more()
        octets = bytes(self._pending[:size])
        del self._pending[:size]
        return octets

    def write(self, octets: bytes) -> None:
        """Send."""
        if self._transport is not None:
            self._transport.write(octets)
