"""A conversation with PostgreSQL: messages in, errors named."""

from __future__ import annotations

from checkers.core.outcome import Reason
from checkers.probes import pgsql_messages as messages
from checkers.probes.failures import Failed
from checkers.probes.octets import Octets

MESSAGE_LIMIT_BYTES = 262144  # a row of a check's query, or an error with its context
MESSAGES_LIMIT = 4096  # that may come before the answer waited for
LENGTH_BYTES = 4

LOGIN_CLASSES = ("28", "3D", "42")  # authorization, no such database, no right to it
UNWELL_CLASSES = ("53", "57", "58", "XX")  # resources, operator intervention, system and internal errors
CANCELED = "57014"  # statement_timeout


class Talk:
    """Reads messages; answers of no interest (notices, parameters) are passed over."""

    def __init__(self, octets: Octets) -> None:
        """Over a connection that stands."""
        self.octets = octets

    async def hear(self, *, at_login: bool = False) -> tuple[bytes, bytes]:
        """The next message that matters: its type and body. Raises Failed for the server's errors, EOFError."""
        for _ in range(MESSAGES_LIMIT):
            kind = await self.octets.read_exactly(1)
            if not kind.isalnum():
                raise Failed(Reason.GARBLED, "not a PostgreSQL message")
            body = await self.rest()
            match kind:
                case b"N" | b"S" | b"A" | b"K" | b"v":  # notice, parameter, notification, key, negotiation
                    continue
                case b"E":
                    raise failure(messages.error(body), at_login=at_login)
                case _:
                    return kind, body
        raise Failed(Reason.TOO_LARGE, f"more than {MESSAGES_LIMIT} messages")

    async def rest(self) -> bytes:
        """The body of a message whose type was read."""
        size = messages.word(await self.octets.read_exactly(LENGTH_BYTES)) - LENGTH_BYTES
        if size < 0:
            raise Failed(Reason.GARBLED, "not a PostgreSQL message")
        if size > MESSAGE_LIMIT_BYTES:
            raise Failed(Reason.TOO_LARGE, f"a message of {size} bytes")
        return await self.octets.read_exactly(size)

    async def until_ready(self, *, at_login: bool = False) -> list[list[bytes]]:
        """The rows that come before the next ReadyForQuery."""
        rows: list[list[bytes]] = []
        while True:
            kind, body = await self.hear(at_login=at_login)
            match kind:
                case b"Z":
                    return rows
                case b"D":
                    rows.append(messages.cells(body))
                case b"C" | b"I" | b"s" | b"T" | b"1" | b"2" | b"n":  # command's end, description, steps
                    pass
                case _:  # a COPY in either direction is no query
                    raise Failed(Reason.GARBLED, "an answer that nobody asked for")

    async def part(self) -> None:
        """Terminate, and wait until the server ends the connection."""
        self.octets.write(messages.TERMINATE)
        await self.octets.drain()


def failure(error: messages.ServerError, *, at_login: bool) -> Failed:
    """An ErrorResponse as a failure. SQLSTATE: PostgreSQL's documentation, appendix A."""
    words = f"{error.code} ".encode() + error.words
    family = error.code[:2]
    if error.code == CANCELED:
        return Failed(Reason.REPLY_TIMEOUT, words)
    if family in UNWELL_CLASSES:
        return Failed(Reason.ERROR_REPLY, words)
    if not at_login:
        return Failed(Reason.QUERY_FAILED, words)
    return Failed(Reason.LOGIN_REFUSED if family in LOGIN_CLASSES else Reason.ERROR_REPLY, words)
