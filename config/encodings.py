"""Files of other programs that are not UTF-8: read nevertheless, as Latin-1, and told. Pure.

Comments in Latin-1 or GBK are common in files that those programs read without a word, since they only ever look at
bytes. In Latin-1 every byte is a character, so nothing is lost, and all that is ASCII is what it was.
"""

from __future__ import annotations

from config import codes
from config.nodes import Place
from config.problems import Problem
from config.reading import Reading

_COMMENTS = (b"#", b"!")


def not_utf8(path: str, error: UnicodeDecodeError) -> Problem:
    """Where the first byte that is not UTF-8 stands."""
    place = _place(path, error)
    first = bytes(error.object[:2])
    hint = "it looks like UTF-16" if first in (b"\xff\xfe", b"\xfe\xff") else "is it a text, and saved as UTF-8?"
    message = f"the byte 0x{error.object[error.start]:02x} is not UTF-8"
    return Problem(codes.NOT_UTF8, place.file, place.line, place.column, message, hint)


def as_latin1(error: UnicodeDecodeError) -> str | None:
    """The text of what could not be read as UTF-8; None when it is no text at all."""
    content = bytes(error.object)
    return None if b"\0" in content else content.decode("latin-1")


def note_latin1(path: str, error: UnicodeDecodeError, reading: Reading) -> None:
    """Tell of a file read as Latin-1, and of the first line where it matters."""
    hint = f"iconv -f LATIN1 -t UTF-8 {path}, or as it was written"
    message = f"the byte 0x{error.object[error.start]:02x} is not UTF-8: the file is read as Latin-1"
    reading.warning(codes.OTHER_ENCODING, _place(path, error), message, hint)
    lines = enumerate(bytes(error.object).split(b"\n"), 1)
    number = next((number for number, line in lines if not line.isascii() and _matters(line)), None)
    if number is not None:
        message = "characters outside of a comment here: where lvsd sends them it sends them as UTF-8"
        reading.warning(codes.OTHER_ENCODING, Place(path, number, 1), message, hint)


def _matters(line: bytes) -> bool:
    """Whether a character that is not ASCII stands before any comment."""
    for mark in _COMMENTS:
        line = line.partition(mark)[0]
    return not line.isascii()


def _place(path: str, error: UnicodeDecodeError) -> Place:
    before = bytes(error.object[: error.start])
    return Place(path, before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
