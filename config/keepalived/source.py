"""A keepalived.conf and what it includes as one stream of tokens: conditions, definitions, templates. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from config import codes
from config.encodings import as_latin1, note_latin1
from config.files import FileTooLarge
from config.keepalived.definitions import Definitions
from config.keepalived.repetition import BEGINS, repetition
from config.keepalived.tokens import LINE_LIMIT, Kind, Token, tokens
from config.nodes import Place
from config.passwords import relative_to
from config.reading import Reading, shown

INCLUDE_DEPTH_LIMIT: Final = 8
FILE_LIMIT: Final = 256
LINES_LIMIT: Final = 200_000
TOKEN_LIMIT: Final = 250_000
REPEATED_LIMIT: Final = 4_000_000
"""Characters that lines may come to by repeating themselves."""
NESTING_LIMIT: Final = 8
"""Repetitions in one line."""
HOST_NAMES: Final = ("/proc/sys/kernel/hostname", "/etc/hostname")
"""Where the host's name stands: the kernel's, and the one it is given at boot."""
_CONDITION: Final = re.compile(r"\s*@(\^?)(\S+)(?:\s+|$)")
_INCLUDE: Final = re.compile(r"\s*include[a-z]?\s+(\S.*?)\s*")
_WILDCARDS: Final = frozenset("*?[{")


class Source:
    """The reading of one keepalived.conf. `sources` holds the texts of the files it named, itself apart."""

    def __init__(self, reading: Reading) -> None:
        """Nothing read yet."""
        self._reading = reading
        self._definitions = Definitions(reading)
        self._identity: str | None = None
        self._lines = self._tokens = self._repeated_characters = 0
        self.too_large = False
        self.sources: dict[str, str] = {}

    def tokens(self, path: str, text: str) -> Iterator[Token]:
        """Everything the file and its includes hold, in order, within the limits."""
        for token in self._file(path, text, (path,)):
            if token.kind is not Kind.END:
                self._tokens += 1
            if self._tokens > TOKEN_LIMIT:
                self._reading.error(codes.TOO_MUCH, token.place, f"more than {TOKEN_LIMIT} words")
                self.too_large = True
                return
            yield token

    def _file(self, path: str, text: str, chain: tuple[str, ...]) -> Iterator[Token]:
        numbered = enumerate(_split(text, LINES_LIMIT - self._lines + 1), 1)
        for number, line in numbered:
            self._lines += 1
            if self._lines > LINES_LIMIT or len(line) > LINE_LIMIT:
                self._refuse_size(Place(path, number, 1))
                return
            if line and not line.isspace():
                yield from self._line(*self._continued(line, number, numbered), path, chain)

    def _refuse_size(self, place: Place) -> None:
        what = (
            f"more than {LINES_LIMIT} lines"
            if self._lines > LINES_LIMIT
            else f"a line of more than {LINE_LIMIT} characters"
        )
        self._reading.error(codes.TOO_MUCH, place, what, "is it a keepalived.conf?")
        self._lines = LINES_LIMIT + 1
        self.too_large = True

    def _continued(self, line: str, number: int, rest: Iterator[tuple[int, str]]) -> tuple[str, int]:
        """A definition goes on after a backslash at the end of its line; other lines do not."""
        if not line.lstrip().startswith("$"):
            return line, number
        whole = line.rstrip()
        while whole.endswith("\\") and len(whole) <= LINE_LIMIT:
            _number, following = next(rest, (0, ""))
            self._lines += 1
            whole = f"{whole[:-1].rstrip()}\n{following.strip()}" if following else whole[:-1]
        return whole, number

    def _line(self, line: str, number: int, path: str, chain: tuple[str, ...]) -> Iterator[Token]:
        start = Place(path, number, len(line) - len(line.lstrip()) + 1)
        chosen = self._chosen(line, start)
        if chosen is None or self._definitions.define(chosen, start):
            return
        yield from self._repeated(chosen, number, path, chain)

    def _repeated(self, text: str, number: int, path: str, chain: tuple[str, ...], depth: int = 0) -> Iterator[Token]:
        """The line once for each value of its `~SEQ` and `~LST`, which blanks replace so that columns stay."""
        if not BEGINS.match(text):
            yield from self._filled(text, number, path, chain)
            return
        found = repetition(text) if depth < NESTING_LIMIT else None
        if found is None:
            message = "this line does not repeat as it is written"
            hint = f"~SEQ(NAME, START, STEP, END) or ~LST(NAME, VALUE, VALUE ...), {NESTING_LIMIT} a line at most"
            self._reading.error(codes.MALFORMED, Place(path, number, len(text) - len(text.lstrip()) + 1), message, hint)
            return
        rest = " " * found.rest + text[found.rest :]
        for values in found.rounds:
            self._lines += 1
            self._repeated_characters += len(rest)
            if self._lines > LINES_LIMIT or self._repeated_characters > REPEATED_LIMIT:
                self._lines = LINES_LIMIT + 1
                self._refuse_size(Place(path, number, 1))
                return
            with self._definitions.holding(values):
                yield from self._repeated(rest, number, path, chain, depth + 1)

    def _filled(self, text: str, number: int, path: str, chain: tuple[str, ...]) -> Iterator[Token]:
        for filled in self._definitions.fill_in(text, path, number):
            included = _INCLUDE.fullmatch(_without_comment(filled.text))
            if included is None:
                yield from tokens(filled, self._reading)
            else:
                yield from self._include(included[1].strip('"'), filled.place(included.start(1)), chain)

    def _chosen(self, line: str, place: Place) -> str | None:
        """The line without its condition, which blanks replace so that columns stay; None when it does not hold."""
        found = _CONDITION.match(line)
        if found is None:
            return line
        if (self._name(place) == found[2]) == bool(found[1]):
            return None
        return " " * found.end() + line[found.end() :]

    def _name(self, place: Place) -> str:
        """What `@` lines are compared with: the host's name up to its first dot (-i is not known)."""
        if self._identity is None:
            read = (self._try(path) for path in HOST_NAMES)
            self._identity = next((text.strip().partition(".")[0] for text in read if text.strip()), "")
            if not self._identity:
                message = "the host's name, which decides whether this line counts, cannot be read"
                self._reading.error(codes.UNREADABLE, place, message, f"it is looked for in {' and '.join(HOST_NAMES)}")
        return self._identity

    def _try(self, path: str) -> str:
        try:
            return self._reading.files.read(path)
        except (OSError, UnicodeDecodeError, FileTooLarge):
            return ""

    def _include(self, pattern: str, place: Place, chain: tuple[str, ...]) -> Iterator[Token]:
        files = self._found(pattern, place)
        if not files:
            message = f"no file matches {shown(pattern)}"
            self._reading.warning(
                codes.INCLUDE_EMPTY, place, message, "keepalived goes on without it, and so is it here"
            )
        for path in files:
            if path in chain:
                loop = " -> ".join((*chain[chain.index(path) :], path))
                self._reading.error(codes.INCLUDE, place, f"{path} includes itself", loop)
            elif len(chain) >= INCLUDE_DEPTH_LIMIT or len(self.sources) >= FILE_LIMIT:
                limits = f"{INCLUDE_DEPTH_LIMIT} levels and {FILE_LIMIT} files"
                self._reading.error(codes.INCLUDE, place, f"includes go beyond {limits}")
                return
            else:
                text = self._text(path, place)
                if text is not None:
                    self.sources[path] = text
                    yield from self._file(path, text, (*chain, path))

    def _found(self, pattern: str, place: Place) -> list[str]:
        if not _WILDCARDS & set(pattern):
            return [relative_to(pattern, place.file)]
        found: dict[str, None] = {}
        try:
            for one in _alternatives(pattern):
                found.update(dict.fromkeys(map(posixpath.normpath, self._reading.files.glob(one, place.file))))
        except (OSError, ValueError) as error:
            self._reading.error(codes.UNREADABLE, place, f"{shown(pattern)}: {error}")
        return list(found)

    def _text(self, path: str, place: Place) -> str | None:
        try:
            return self._reading.files.read(path)
        except FileNotFoundError:
            hint = "keepalived goes on without it, and so is it here"
            self._reading.warning(codes.INCLUDE_EMPTY, place, f"there is no file {shown(path)}", hint)
        except UnicodeDecodeError as error:
            text = as_latin1(error)
            if text is not None:
                note_latin1(path, error, self._reading)
                return text
            self._reading.error(codes.NOT_UTF8, place, f"{shown(path)} is no text file")
        except FileTooLarge as error:
            self._reading.error(codes.TOO_LARGE, place, f"{shown(path)} is larger than {error.limit_bytes} bytes")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._reading.error(codes.UNREADABLE, place, f"{shown(path)}: {reason}")
        return None


def _split(text: str, limit: int) -> Iterator[str]:
    """The first `limit` lines."""
    return (line.removesuffix("\r") for line in islice(text.split("\n", max(limit, 1)), max(limit, 0)))


def _without_comment(text: str) -> str:
    return re.split(r"(?<!\S)[#!]", text, maxsplit=1)[0] if "include" in text else text


def _alternatives(pattern: str) -> Mapping[str, None]:
    """The patterns that the first `{a,b}` of a pattern stands for."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        return {pattern: None}
    return {pattern[: found.start()] + one + pattern[found.end() :]: None for one in found[1].split(",")}
