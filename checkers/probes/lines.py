"""Lines of a real server, each with a limit: the reader of the protocols that need no library."""

from __future__ import annotations

import asyncio

from checkers.core.outcome import Reason
from checkers.probes.failures import Failed

PENDING_LIMIT_BYTES = 8192  # what may wait to be read before the socket is paused


class Lines(asyncio.Protocol):
    """A connection read line by line. Nothing is read ahead beyond PENDING_LIMIT_BYTES and one receive."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._pending = bytearray()
        self._transport: asyncio.Transport | None = None
        self._news = asyncio.Event()
        self._end: BaseException | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection makes
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep what came; pause a server that says more than is asked."""
        self._pending += data
        if len(self._pending) > PENDING_LIMIT_BYTES and self._transport is not None:
            self._transport.pause_reading()
        self._news.set()

    def eof_received(self) -> None:
        """Nothing more will come; the transport closes."""
        self._ended(EOFError())

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come."""
        self._ended(exc or EOFError())

    def _ended(self, error: BaseException) -> None:
        self._end = self._end or error
        self._news.set()

    def switch(self, transport: asyncio.Transport) -> None:
        """Go on over TLS. What came in clear after the server agreed is no part of it (RFC 3207 section 6)."""
        self._pending.clear()
        self._transport = transport

    async def read_line(self, limit_bytes: int) -> bytes:
        """The next line without its end. Raises Failed(TOO_LARGE), EOFError or what ended the connection."""
        while (end := self._pending.find(b"\n", 0, limit_bytes)) < 0:
            if len(self._pending) >= limit_bytes:
                raise Failed(Reason.TOO_LARGE, f"a line of more than {limit_bytes} bytes")
            await self._more()
        line = bytes(self._pending[:end]).rstrip(b"\r")
        del self._pending[: end + 1]
        return line

    async def _more(self) -> None:
        if self._end is not None:
            raise self._end
        self._news.clear()
        if self._transport is not None:
            self._transport.resume_reading()
        await self._news.wait()

    def write_line(self, line: str) -> None:
        """Send a line."""
        if self._transport is not None:
            self._transport.write(line.encode() + b"\r\n")

    async def drain(self) -> None:
        """Read and forget until the server ends the connection."""
        while self._end is None:
            self._pending.clear()
            await self._more()
