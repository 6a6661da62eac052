"""Asks the checker workers for their books: one question at a time of each, so that no probe waits for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from checkers.core.books import Counts
from checkers.core.messages import Pages, ShowBooks
from lvsd.control.messages import BooksRow
from lvsd.core.book_views import Parcels, books_row

ANSWER_SECONDS = 2.0


@dataclass(slots=True)
class Found:
    """What was shown: the books by probe, and how late each worker's probes began."""

    books: dict[str, BooksRow] = field(default_factory=dict)
    lateness: dict[int, Counts] = field(default_factory=dict)


class BookDesk:
    """Whoever asks gets what comes in time; a worker that does not answer is not asked again."""

    def __init__(self, ask: Callable[[int, ShowBooks], bool]) -> None:
        """`ask` gives a question to the worker of that number: False when it is not there."""
        self._send = ask
        self._number = 0
        self._open: dict[int, tuple[int, asyncio.Future[Pages]]] = {}

    async def collect(self, parcels: Parcels) -> Found:
        """Ask for all of these."""
        found = Found()
        await asyncio.gather(*(self._ask(worker, packets, found) for worker, packets in parcels.items()))
        return found

    def shown(self, worker: int, pages: Pages) -> None:
        """An answer; one that nobody waits for any more is passed over."""
        asked, future = self._open.get(pages.number, (None, None))
        if asked == worker and future is not None and not future.done():
            future.set_result(pages)

    async def _ask(self, worker: int, packets: list[tuple[str, ...]], found: Found) -> None:
        for ids in packets:
            pages = await self._answer(worker, ids)
            if pages is None:
                return
            found.books |= {one: books_row(pages.pages[one]) for one in ids if one in pages.pages}
            found.lateness[worker] = pages.lateness

    async def _answer(self, worker: int, ids: tuple[str, ...]) -> Pages | None:
        self._number += 1
        number = self._number
        future: asyncio.Future[Pages] = asyncio.get_running_loop().create_future()
        self._open[number] = worker, future
        try:
            if not self._send(worker, ShowBooks(number, ids)):
                return None
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        except TimeoutError:
            return None
        finally:
            del self._open[number]
