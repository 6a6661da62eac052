"""A script with its arguments, as keepalived splits it: no shell. Pure."""

from __future__ import annotations

import re
from typing import Final

from config import codes
from config.keepalived.statements import Statement
from config.reading import Reading

_ARGUMENT: Final = re.compile(r"\s*(?:((?:[^\s'\"\\]|\\.|'[^']*'|\"[^\"]*\")+))", re.DOTALL)
_PART: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"|\\(.)|([^'\"\\]+)", re.DOTALL)
_SHELL: Final = re.compile(r"[|&<>]|;$|^\$\(")
_PLACEHOLDERS: Final = ("{address}", "{port}", "{virtual_address}", "{virtual_port}")


def command(statement: Statement, limit_bytes: int, reading: Reading) -> tuple[str, ...]:
    """The program and its arguments; empty, told, when there is none that can be run."""
    words = tuple(at.value for at in statement.words[1:])
    place = statement.words[1].place if words else statement.place
    found = split(words[0]) if len(words) == 1 else words
    if not found or not found[0].startswith("/"):
        reading.error(codes.MALFORMED, place, "a command begins with a program's absolute path", 'misc_path "/..."')
        return ()
    if sum(len(one.encode(errors="surrogatepass")) for one in found) > limit_bytes:
        reading.error(codes.TOO_LARGE, place, f"a command of more than {limit_bytes} bytes")
        return ()
    if any(not c.isprintable() and c not in "\n\t" for one in found for c in one):
        reading.error(codes.MALFORMED, place, "a control character in a command")
        return ()
    if any(mark in one for one in found for mark in _PLACEHOLDERS):
        message = "lvsd fills in {address}, {port} and the like in a command"
        reading.warning(codes.FORCED, place, message, "keepalived does not")
    if any(_SHELL.search(one) for one in found[1:]):
        message = "there is no shell: | & < > and ; are arguments like any other"
        reading.warning(codes.NOT_TAKEN, place, message, "keepalived has none either; put it into a script")
    return found


def split(text: str) -> tuple[str, ...]:
    """A text to arguments: quotes group, a backslash takes the next character as it is."""
    found = []
    for argument in _ARGUMENT.finditer(text):
        parts = (part[1] or part[2] or part[3] or part[4] or "" for part in _PART.finditer(argument[1]))
        found.append("".join(parts))
    return tuple(found)
