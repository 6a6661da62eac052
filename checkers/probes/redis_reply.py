"""Redis' protocol (RESP 2): commands as bytes, and the replies that a check reads."""

from __future__ import annotations

from checkers.core.outcome import Reason
from checkers.probes.failures import Failed
from checkers.probes.octets import Octets

LINE_LIMIT_BYTES = 2048  # the longest that Redis itself says, why it is in protected mode, has 900
BULK_LIMIT_BYTES = 512
ELEMENTS_LIMIT = 1024

NOT_READY_WORDS = frozenset({b"LOADING", b"MASTERDOWN"})
LOGIN_WORDS = frozenset({b"NOAUTH", b"WRONGPASS", b"NOPERM"})


def command(*words: str) -> bytes:
    """A command. No word can add another, whatever is in it."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


async def status(octets: Octets, refusal: Reason) -> bytes:
    """The words of a status reply. Raises Failed: for an error as `failure`, GARBLED for a reply of another kind."""
    line = await octets.read_line(LINE_LIMIT_BYTES)
    if line[:1] == b"+":
        return line[1:]
    raise failure(line[1:], refusal) if line[:1] == b"-" else _garbled(line)


async def first_of_array(octets: Octets, refusal: Reason) -> bytes:
    """The first element of an array of at least one, which must be a string; what follows is left. Raises Failed."""
    line = await octets.read_line(LINE_LIMIT_BYTES)
    if line[:1] == b"-":
        raise failure(line[1:], refusal)
    if line[:1] != b"*" or not 1 <= _number(line) <= ELEMENTS_LIMIT:
        raise _garbled(line)
    return await _string(octets)


async def _string(octets: Octets) -> bytes:
    line = await octets.read_line(LINE_LIMIT_BYTES)
    if line[:1] == b"+":
        return line[1:]
    if line[:1] != b"$" or (size := _number(line)) < 0:
        raise _garbled(line)
    if size > BULK_LIMIT_BYTES:
        raise Failed(Reason.TOO_LARGE, f"a string of {size} bytes")
    return await octets.read_exactly(size)


def failure(words: bytes, refusal: Reason) -> Failed:
    """An error of the server's. Its first word says of which kind; `refusal` is what any other means."""
    kind = words.partition(b" ")[0]
    if kind in NOT_READY_WORDS:
        return Failed(Reason.NOT_READY, words)
    return Failed(Reason.LOGIN_REFUSED if kind in LOGIN_WORDS else refusal, words)


def _number(line: bytes) -> int:
    digits = line[1:]
    return int(digits) if digits.isdigit() else -1  # no more of them than a line holds


def _garbled(line: bytes) -> Failed:
    return Failed(Reason.GARBLED, line or b"an empty line")
