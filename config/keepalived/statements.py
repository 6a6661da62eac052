"""Tokens to statements: a keyword with its words, and the block it opens. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from config import codes
from config.keepalived.tokens import Kind, Token
from config.nodes import At, Place
from config.reading import Reading, shown

DEPTH_LIMIT: Final = 32


class Statement(msgspec.Struct, frozen=True):
    """One line: its words, and the statements between its braces (None where it has no braces)."""

    words: tuple[At[str], ...]
    body: tuple[Statement, ...] | None = None

    @property
    def keyword(self) -> str:
        """The first word."""
        return self.words[0].value

    @property
    def place(self) -> Place:
        """Where the first word stands."""
        return self.words[0].place

    def __repr__(self) -> str:
        """Hide the words: a password may be one of them."""
        return f"Statement({self.keyword}, place={self.place})"


class _Open:
    """A block while it is read: the statement that opened it (None for the file itself) and what it holds so far."""

    def __init__(self, opener: Statement | None) -> None:
        self.opener = opener
        self.found: list[Statement] = []


class _Parser:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._open = [_Open(None)]
        self._words: list[At[str]] = []
        self._too_deep = False

    def take(self, token: Token) -> None:
        """One token."""
        match token.kind:
            case Kind.WORD:
                self._words.append(At(token.text, token.place))
            case Kind.END:
                self._finish()
            case Kind.OPEN:
                self._begin(token.place)
            case Kind.CLOSE:
                self._finish()
                self._close(token.place)

    def result(self) -> tuple[Statement, ...]:
        """The whole file's statements, after its last token."""
        self._finish()
        missing = len(self._open) - 1
        if missing:
            opener = self._open[-1].opener
            place = opener.place if opener else Place("")
            message = f"{missing} closing brace{'s are' if missing > 1 else ' is'} missing at the end"
            hint = "keepalived closes what is open at the end; this block is one"
            self._reading.warning(codes.UNBALANCED, place, message, hint)
        while len(self._open) > 1:
            self._pop()
        return tuple(self._open[0].found)

    def _finish(self) -> None:
        if self._words:
            self._open[-1].found.append(Statement(tuple(self._words)))
            self._words = []

    def _begin(self, place: Place) -> None:
        """A `{`: it belongs to the words before it, or to the statement of the line before."""
        self._finish()
        level = self._open[-1].found
        if not level or level[-1].body is not None:
            message = "a brace opens a block that has no name"
            self._reading.warning(codes.UNBALANCED, place, message, "keepalived ignores the brace, and so is it here")
        elif len(self._open) > DEPTH_LIMIT:
            if not self._too_deep:
                self._reading.error(codes.TOO_MUCH, place, f"blocks are nested deeper than {DEPTH_LIMIT} levels")
            self._too_deep = True
        else:
            self._open.append(_Open(level.pop()))

    def _close(self, place: Place) -> None:
        if len(self._open) > 1:
            self._pop()
        elif not self._too_deep:
            message = "this closing brace closes nothing"
            self._reading.warning(codes.UNBALANCED, place, message, "keepalived ignores it, and so is it here")

    def _pop(self) -> None:
        done = self._open.pop()
        words = done.opener.words if done.opener else ()
        self._open[-1].found.append(Statement(words, tuple(done.found)))


def statements(tokens: Iterable[Token], reading: Reading) -> tuple[Statement, ...]:
    """The statements of a file and of what it includes."""
    parser = _Parser(reading)
    for token in tokens:
        parser.take(token)
    return parser.result()


def no_more(statement: Statement, wanted: int, reading: Reading) -> None:
    """Note words after those that count."""
    if len(statement.words) > wanted:
        word = statement.words[wanted]
        message = f"{shown(word.value)} and what follows on this line is not read"
        hint = "one statement a line; keepalived too reads no further, without a word"
        reading.warning(codes.WORDS_IGNORED, word.place, message, hint)
