"""aioimaplib's protocol, made fit for a check.

The library's client opens its own connection, asks for capabilities nobody needs, and waits for ever where
the greeting is a refusal or the connection ends. No message of its exceptions may show: they can hold the
whole LOGIN command.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from aioimaplib import AUTH, CONNECTED, NONAUTH, AioImapException, Command, IMAP4ClientProtocol

from checkers.core.outcome import Reason
from checkers.probes.failures import Failed

PARSER_ERRORS = (AioImapException, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What the library's parser raises when it meets what is not IMAP."""

Answer = TypeVar("Answer")


class Conversation(IMAP4ClientProtocol):  # type: ignore[misc] # aioimaplib has no types
    """The library's protocol, with a greeting one can wait for and an end one can hear of."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        loop = asyncio.get_running_loop()
        super().__init__(loop)
        self.greeting: asyncio.Future[bytes] = loop.create_future()
        self.lost = asyncio.Event()
        self._lost_by: Exception | None = None

    @property
    def authenticated(self) -> bool:
        """Whether no login is needed (any more)."""
        return bool(self.state == AUTH)

    def _handle_line(self, line: bytes, current_cmd: Command) -> Command | None:
        """Take the greeting here: the library would make a task of every line that comes until `state` changes."""
        if self.state != CONNECTED:
            return super()._handle_line(line, current_cmd)
        if line and not self.greeting.done():
            self.greeting.set_result(line)
        return None

    def data_received(self, d: bytes) -> None:
        """Parse, and end the connection at what is not IMAP."""
        try:
            super().data_received(d)
        except PARSER_ERRORS:
            self._lost_by = Failed(Reason.GARBLED, "not an IMAP answer")
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits for an answer will get none."""
        self._lost_by = self._lost_by or exc
        self.lost.set()

    def switch(self, transport: asyncio.Transport) -> None:
        """Go on over TLS. What came in clear after the server agreed is no part of it (RFC 3501 section 6.2.1)."""
        self.transport = transport
        self.incomplete_line = b""
        self.current_command = None

    async def greeted(self) -> bytes:
        """The greeting's words. Raises Failed, EOFError or what ended the connection."""
        line = await self._first(self.greeting)
        mark, _, words = line.partition(b" ")
        status, _, rest = words.partition(b" ")
        match mark, status.upper():
            case b"*", b"OK":
                self.state = NONAUTH
            case b"*", b"PREAUTH":
                self.state = AUTH
            case b"*", b"BYE":
                raise Failed(Reason.ERROR_REPLY, rest)
            case _:
                raise Failed(Reason.GARBLED, line)
        return rest

    async def ask(self, refusal: Reason, name: str, *arguments: str) -> None:
        """One command. Raises Failed when it is not answered OK: with `refusal`, or ERROR_REPLY when the
        server says that it cannot now (RFC 5530: [UNAVAILABLE]).
        """
        asked = asyncio.ensure_future(self.execute(Command(name, self.new_tag(), *arguments, loop=self.loop)))
        try:
            response = await self._first(asked)
        finally:
            asked.cancel()
        if response.result != "OK":
            words = bytes(response.lines[-1]) if response.lines else b""
            raise Failed(Reason.ERROR_REPLY if words.startswith(b"[UNAVAILABLE]") else refusal, words)

    async def log_out(self) -> None:
        """LOGOUT, and wait until the server ends the connection."""
        self.send(f"{self.new_tag()} LOGOUT")
        await self.lost.wait()

    async def _first(self, answer: asyncio.Future[Answer]) -> Answer:
        lost = asyncio.ensure_future(self.lost.wait())
        try:
            await asyncio.wait((answer, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        if answer.done():
            return answer.result()
        raise self._lost_by or EOFError
