"""What the director has yet to be told: levels, read when there is room to say them, never a queue. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from checkers.core.messages import CHECKS_A_PACKET, Garbled, Hello, Pages, ShowBooks, Verdict, Verdicts, encode

ASKED_LIMIT = 64  # questions for books that wait


class Outbox:
    """Names what is to be said. It holds identities only, so a director that does not listen costs nothing."""

    def __init__(self, hello: Hello) -> None:
        """Nothing was said yet."""
        self._hello = hello
        self._greet = True
        self._confirm = False
        self._said = 0  # packets of verdicts, over this connection
        self._marked: dict[str, None] = {}
        self._offered: tuple[str, ...] = ()
        self._asked: deque[ShowBooks] = deque(maxlen=ASKED_LIMIT)
        self._answering = False

    @property
    def greeted(self) -> bool:
        """Whether this connection has had its Hello."""
        return not self._greet

    def reconnected(self) -> None:
        """A new connection: the Hello comes first."""
        self._greet = True
        self._said = 0
        self._asked.clear()

    def asked(self, request: ShowBooks) -> None:
        """Show these books when their turn comes. A director that asks beyond all measure loses its first questions."""
        self._asked.append(request)

    def confirm(self) -> None:
        """Say the generation, even if there is no verdict to tell: an assignment took effect, or we are still here."""
        self._confirm = True

    def mark(self, identities: Iterable[str]) -> None:
        """These are to be told, as they will be when their turn comes."""
        self._marked.update(dict.fromkeys(identities))

    def packet(
        self,
        generation: int,
        verdict_of: Callable[[str], Verdict | None],
        pages_of: Callable[[ShowBooks], Pages] | None = None,
    ) -> bytes | None:
        """The next packet, or None when all is said. It stays the next one until `sent`.

        Before the first assignment (generation 0) there is nothing to tell but the Hello. Books come last: verdicts
        matter more.
        """
        if self._greet:
            return encode(self._hello)
        if generation == 0 or not (self._marked or self._confirm):
            self._answering = bool(self._asked) and pages_of is not None
            return encode(pages_of(self._asked[0])) if self._asked and pages_of is not None else None
        self._answering = False
        self._offered = tuple(self._marked)[:CHECKS_A_PACKET]
        while True:
            verdicts = tuple(verdict for name in self._offered if (verdict := verdict_of(name)) is not None)
            try:
                return encode(Verdicts(generation, verdicts, self._said + 1))
            except Garbled:
                if len(self._offered) == 1:  # a verdict that fits no packet can never be told
                    del self._marked[self._offered[0]]
                    return self.packet(generation, verdict_of)
                self._offered = self._offered[: len(self._offered) // 2]

    def sent(self) -> None:
        """The packet offered last has left."""
        if self._greet:
            self._greet = False
            return
        if self._answering:
            self._answering = False
            self._asked.popleft()
            return
        self._said += 1
        self._confirm = False
        for identity in self._offered:
            self._marked.pop(identity, None)
        self._offered = ()
