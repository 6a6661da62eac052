"""What an HTTP answer's body is looked at for, as it comes in pieces."""

from __future__ import annotations

import hashlib

from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy, escaped
from checkers.probes.expect import Search

BODY_LIMIT_BYTES = 1024 * 1024  # a text is looked for in that much
COURTESY_BYTES = 65536  # a body up to that size is read to its end, so that the server can finish


class Body:
    """Read to its end, or to where nothing more is to be learned, or to the limit."""

    def __init__(self, search: Search, digest: str | None) -> None:
        """`digest`: the MD5 it must have, hexadecimal."""
        self._search = search
        self._wanted = digest
        self._digest = hashlib.md5(usedforsecurity=False)
        self._size = 0
        self.enough = False  # nothing more is to be read

    def take(self, piece: bytes) -> None:
        """The next piece."""
        self._search.feed(piece)
        self._digest.update(piece)
        self._size += len(piece)
        learned = self._size >= COURTESY_BYTES and not self._search.wants_more and self._wanted is None
        self.enough = self._size >= BODY_LIMIT_BYTES or learned

    def judged(self, line: str) -> Outcome:
        """When it has ended or is `enough`; `line` is the answer's status."""
        if not self._search.found():
            if self.enough:
                return Unhealthy(Reason.TOO_LARGE, "the expected was not found in as much as a check reads")
            return Unhealthy(Reason.NO_MATCH, escaped(f"{line}, without the expected"))
        if self._wanted is not None:
            if self.enough:
                return Unhealthy(Reason.TOO_LARGE, "the body has no end in as much as a check reads")
            if self._digest.hexdigest() != self._wanted.lower():
                return Unhealthy(Reason.NO_MATCH, escaped(f"{line}, digest {self._digest.hexdigest()}"))
        return Healthy(escaped(line))
