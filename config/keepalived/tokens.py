"""A line of keepalived.conf to words and braces, each with the place where it was written. Pure.

Measured on keepalived 2.2.7: `#` and `!` begin a comment anywhere outside quotes, also inside a word; a quote begins
a word of its own and knows no escapes; braces need no space around them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec

from config import codes
from config.nodes import Place
from config.reading import Reading

LINE_LIMIT: Final = 65536
"""Characters of one line, before and after its definitions are filled in."""


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    OPEN = "{"
    CLOSE = "}"
    END = "the end of a line"


class Token(msgspec.Struct, frozen=True):
    """A word, a brace or the end of a line."""

    kind: Kind
    text: str
    place: Place

    def __repr__(self) -> str:
        """Hide the text: it may be a password."""
        return f"Token({self.kind.name}, place={self.place})"


class Piece(msgspec.Struct, frozen=True):
    """Where a part of a line comes from: from `offset` on, the text stands at `column` (all of it, if `fixed`)."""

    offset: int
    column: int
    fixed: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """One line with its definitions filled in."""

    text: str
    file: str
    number: int
    pieces: tuple[Piece, ...] = (Piece(0, 1),)

    def place(self, offset: int) -> Place:
        """Where the character at `offset` was written; of a definition's value, where the definition is used."""
        pieces = self.pieces
        piece = pieces[bisect_right(pieces, offset, key=lambda one: one.offset) - 1 if len(pieces) > 1 else 0]
        return Place(self.file, self.number, piece.column + (0 if piece.fixed else offset - piece.offset))


_TOKEN: Final = re.compile(
    r'"(?P<quoted>[^"]*)(?P<end>"?)'
    r"|(?P<brace>[{}])"
    r"|(?P<comment>[#!].*)"
    r'|(?P<word>(?:\$\{\w+\}|[^\s"{}#!])+)',
    re.DOTALL | re.ASCII,
)


def tokens(line: Line, reading: Reading) -> Iterator[Token]:
    """The words and braces of a line, and its end."""
    word_end = -1
    for found in _TOKEN.finditer(line.text):
        place = line.place(found.start())
        match found.lastgroup:
            case "brace":
                yield Token(Kind(found["brace"]), found["brace"], place)
            case "comment":
                if found.start() == word_end:
                    _note_cut(found["comment"][0], place, reading)
                break
            case "word":
                word_end = found.end()
                yield Token(Kind.WORD, found["word"], place)
            case _:
                if not found["end"]:
                    reading.error(codes.UNBALANCED, place, "the quote that begins here does not end on this line")
                yield Token(Kind.WORD, found["quoted"], place)
    yield Token(Kind.END, "", line.place(len(line.text)))


def _note_cut(sign: str, place: Place, reading: Reading) -> None:
    message = f"a comment begins inside a word: `{sign}` and what follows is not read"
    reading.warning(codes.WORD_CUT, place, message, 'put the word in double quotes: "..."')
