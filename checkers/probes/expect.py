"""Whether an answer holds what a check expects. Works on bytes: an answer's encoding is nobody's promise."""

from __future__ import annotations

import re
from functools import lru_cache

from checkers.probes.failures import Stuck
from config.checks import Expect

REGEX_LIMIT_BYTES = 65536  # of an answer that a regular expression is run over: it may be a slow one
PATTERNS_LIMIT = 4096


class Search:
    """Looks for the expected in an answer that comes in pieces, in constant memory."""

    def __init__(self, expect: Expect) -> None:
        """Raises Stuck when the regular expression is none."""
        self._text = expect.text.encode() if expect.text is not None else None
        self._pattern = _compiled(expect.regex) if expect.regex is not None else None
        self._tail = bytearray()  # what a text may still begin in
        self._head = bytearray()  # what the expression is run over

    @property
    def wants_more(self) -> bool:
        """Whether a text is still missing, or bytes that the expression would look at."""
        if self._text is not None:
            return True
        return self._pattern is not None and len(self._head) < REGEX_LIMIT_BYTES

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        if self._pattern is not None:
            self._head += piece[: REGEX_LIMIT_BYTES - len(self._head)]
        if self._text is not None:
            self._tail += piece
            if self._text in self._tail:
                self._text = None
            else:
                del self._tail[: max(0, len(self._tail) - len(self._text) + 1)]

    def found(self) -> bool:
        """Whether everything expected was in what came. The expression is run now."""
        return self._text is None and (self._pattern is None or self._pattern.search(self._head) is not None)


def holds(answer: bytes, expect: Expect) -> bool:
    """Whether a whole answer holds the expected. Raises Stuck when the regular expression is none."""
    search = Search(expect)
    search.feed(answer)
    return search.found()


@lru_cache(maxsize=PATTERNS_LIMIT)
def _compiled(regex: str) -> re.Pattern[bytes]:
    try:
        return re.compile(regex.encode())
    except (re.error, OverflowError, RecursionError) as error:
        text = f"not a regular expression: {error}"
        raise Stuck(text) from error
