"""FTP's control connection: commands out, replies in, each bounded (RFC 959 section 4.2)."""

from __future__ import annotations

import re

import msgspec

from checkers.core.outcome import Reason
from checkers.probes.failures import Failed, Stuck
from checkers.probes.lines import Lines

LINE_LIMIT_BYTES = 4096
LINES_LIMIT = 500  # of one reply: some greet with a page of rules
PORT_LIMIT = 65535

UNWELL = 421  # closing, too many users
UNKNOWN_COMMAND = frozenset({500, 501, 502, 504, 522})

_CODE = re.compile(rb"[1-5]\d\d(?:[ -]|$)")
_EXTENDED_PORT = re.compile(rb"\(([!-~])\1\1(\d{1,5})\1\)")  # RFC 2428 section 3
_PORT = re.compile(rb"(?:\d{1,3},){4}(\d{1,3}),(\d{1,3})")  # RFC 1123 section 4.1.2.6: parentheses or none


class Reply(msgspec.Struct, frozen=True):
    """A reply's code, and its last line with it."""

    code: int
    words: bytes

    @property
    def good(self) -> bool:
        """Whether it tells of success."""
        return 200 <= self.code < 300  # noqa: PLR2004 - the code's first digit says it


class Control:
    """The control connection: one command at a time."""

    def __init__(self, lines: Lines) -> None:
        """Over a connection that stands."""
        self._lines = lines

    async def ask(self, command: str) -> Reply:
        """Send a command and read its reply. Raises as `hear`, and Stuck for a control character."""
        if any(character < " " or character == "\x7f" for character in command):
            text = "a name holds a control character"
            raise Stuck(text)
        self._lines.write_line(command)
        return await self.hear()

    async def hear(self) -> Reply:
        """The next reply. Raises Failed: ERROR_REPLY when the server is not well, GARBLED, TOO_LARGE; EOFError."""
        line = await self._lines.read_line(LINE_LIMIT_BYTES)
        if _CODE.match(line) is None:
            raise Failed(Reason.GARBLED, line)
        code = line[:3]
        if line[3:4] == b"-":
            line = await self._last_line(code + b" ")
        if int(code) == UNWELL:
            raise Failed(Reason.ERROR_REPLY, line)
        return Reply(int(code), line)

    async def _last_line(self, beginning: bytes) -> bytes:
        for _ in range(LINES_LIMIT):
            line = await self._lines.read_line(LINE_LIMIT_BYTES)
            if line.startswith(beginning):
                return line
        raise Failed(Reason.TOO_LARGE, f"a reply of more than {LINES_LIMIT} lines")

    async def passive_port(self) -> int:
        """Where the server waits for the data connection: EPSV, or PASV where it does not know that.

        The address that PASV tells is not looked at. Raises Failed.
        """
        reply = await self.ask("EPSV")
        if reply.code in UNKNOWN_COMMAND:
            reply = await self.ask("PASV")
        port = port_of(reply)
        if port is None:
            raise Failed(Reason.STATUS if not reply.good else Reason.GARBLED, reply.words)
        return port

    async def part(self) -> None:
        """QUIT, and wait until the server ends the connection."""
        self._lines.write_line("QUIT")
        await self._lines.drain()


def port_of(reply: Reply) -> int | None:
    """The port that a reply to EPSV (229) or PASV (227) names; None when it names none."""
    match reply.code:
        case 229:
            found = _EXTENDED_PORT.search(reply.words)
            port = int(found[2]) if found is not None else 0
        case 227:
            found = _PORT.search(reply.words)
            port = int(found[1]) * 256 + int(found[2]) if found is not None else 0
        case _:
            return None
    return port if 0 < port <= PORT_LIMIT else None
