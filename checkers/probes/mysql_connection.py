"""aiomysql's connection, made fit for a check.

It speaks over a connection that the session opened (and counts), closes nothing by itself when it is
cancelled, so that a COM_QUIT can still be said, and never gives the password away because a server asks for it
in clear. aiomysql reads a packet whole: the session's allowance is what bounds it.
"""

from __future__ import annotations

import asyncio
import struct

import aiomysql

from checkers.core.outcome import Reason
from checkers.probes.failures import Failed

PROTOCOL_VERSION = 10
COM_QUIT = b"\x01\x00\x00\x00\x01"  # length 1, sequence 0, command 1
DISCARD_BYTES = 65536
CLIENT_ERRORS = (2000, 2999)
PARSER_ERRORS = (struct.error, LookupError, ValueError, AssertionError, TypeError, RuntimeError, AttributeError)
"""What aiomysql and pymysql raise when they meet what is not MySQL, or an answer that nobody asked for."""

REVEALING_PLUGINS = frozenset({b"mysql_clear_password", b"mysql_old_password"})


class Connection(aiomysql.Connection):  # type: ignore[misc] # aiomysql has no types
    """One login over a given stream. Cells come as bytes, unconverted; LOAD LOCAL INFILE is off."""

    def __init__(self, user: str, password: str, database: str | None) -> None:
        """Nothing is opened."""
        super().__init__(
            user=user,
            password=password,
            db=database,
            charset="utf8mb4",
            use_unicode=False,
            conv={},
            local_infile=False,
            program_name="lvsd",
        )
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._next_seq_id = 0
        self._answered = False

    async def log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the greeting and log in. Raises Failed, and what aiomysql raises."""
        self._reader, self._writer = reader, writer
        await self._get_server_information()
        if self.protocol_version != PROTOCOL_VERSION:
            raise Failed(Reason.GARBLED, f"protocol version {self.protocol_version}")
        self._answered = True
        await self._request_authentication()

    async def part(self) -> None:
        """COM_QUIT, and read to the end: only then has the server seen it, and counts nothing as aborted.

        A server that has not greeted yet is left without a word: there is none it would understand.
        """
        try:
            if self._answered and self._reader is not None and self._writer is not None:
                self._writer.write(COM_QUIT)
                while await self._reader.read(DISCARD_BYTES):
                    pass
        finally:
            self._reader = self._writer = None

    async def limit(self, rows: int, seconds: float) -> None:
        """Have the server itself end a query at `seconds` and a result at `rows`.

        So no check leaves a query running on a server that is slow already, and none reads a whole table.
        A server that does not know how is asked all the same: its refusal is ignored.
        """
        if "mariadb" in str(self.get_server_info()).lower():
            time = f"max_statement_time={seconds:.3f}"
        else:
            time = f"max_execution_time={max(1, round(seconds * 1000))}"
        try:
            await self.query(f"SET SESSION sql_select_limit={rows}, {time}")
        except aiomysql.MySQLError as error:
            if not is_from_server(error):
                raise

    def close(self) -> None:
        """Nothing, though aiomysql calls it for a cancelled read: the session closes, after `part`."""

    async def _process_auth(self, plugin_name: bytes, auth_packet: object) -> object:
        if plugin_name in REVEALING_PLUGINS:
            raise Failed(Reason.LOGIN_REFUSED, b"the server asks for the password in clear: " + plugin_name)
        return await super()._process_auth(plugin_name, auth_packet)


def code_of(error: aiomysql.MySQLError) -> int:
    """The error's number, 0 without one."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def is_from_server(error: aiomysql.MySQLError) -> bool:
    """Whether the server said it. The numbers from 2000 to 2999 are the client's own (errmsg.h)."""
    code = code_of(error)
    return code > 0 and not CLIENT_ERRORS[0] <= code <= CLIENT_ERRORS[1]
