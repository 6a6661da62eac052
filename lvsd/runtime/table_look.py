"""The look at the kernel's table: has a stranger changed it? A large table is looked at with pauses.

A small table is read whole each second. Of a large one /proc tells each second, which knows no flags and no thresholds;
it is read whole every half a minute, and whenever somebody wants to know. While that goes on the director decides and
sends as always: what it sent meanwhile is read once more at the end, so that nobody is taken for a stranger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar

from lvsd.core.events import Event, TableRead, TableSuspected, TableUnreadable
from netlink.errors import NetlinkError
from netlink.operations import AddService, DeleteService, Operation, SetService
from netlink.proc_ip_vs import Print, blocks_of, print_of, print_of_block
from netlink.table import Entry, ServiceKey, Table

SMALL_TABLE = 500  # services and destinations: read whole in some milliseconds
WHOLE_LOOK_TICKS = 30
SLICE_SERVICES = 50
PART_SIZE = 50  # services and destinations: some tenths of a millisecond
HELD_SECONDS = 0.003  # of the loop's time in one go, and what the part takes during which they are over
TOUCHED_AT_ONCE = 20  # of more most are read again with pauses first, as long as they become fewer
TOUCHED_ROUNDS = 3
TOUCHED_MOST = 500  # of more the second reading would hold everything up: the whole look is tried again

_T = TypeVar("_T")


class Reader(Protocol):
    """A table that can be read, also with pauses."""

    def read_table(self) -> Table:
        """All of it."""

    def read_in_parts(self, size: int) -> Iterator[tuple[Entry, ...]]:
        """All of it, about so many services and destinations at a time; a part may be empty."""

    def read_entry(self, key: ServiceKey) -> Entry | None:
        """One service; None: there is none."""


class _Seen(NamedTuple):
    """What a look at /proc found to conform."""

    belief: Table
    expected: dict[str, frozenset[str]]
    """What /proc says of each service of that belief, but for counters."""
    hashes: frozenset[int]
    """Of what it said, counters and all."""


class TableLook:
    """Looks, and feeds the director what it finds."""

    def __init__(
        self,
        reader: Reader,
        read_text: Callable[[], Iterable[str]],
        belief: Callable[[], Table],
        feed: Callable[[Event], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`reader` may be anybody else's: nothing is left open on it between two parts. `read_text` reads /proc."""
        self._reader = reader
        self._read_text = read_text
        self._belief = belief
        self._feed = feed
        self._clock = clock
        self._since = 0.0  # of the loop's turn that we have
        self._ticks = 0
        self._prints: dict[ServiceKey, tuple[Entry, Print]] = {}
        self._seen: _Seen | None = None
        self._task: asyncio.Task[None] | None = None
        self._wanted = False
        self._touched: set[ServiceKey] = set()

    def tick(self) -> None:
        """Once a second. A look that still goes on is not begun again."""
        self._ticks += 1
        if self._is_small():
            self._look_at_once()
        elif not self.is_busy():
            self._begin(self._look_whole() if self._ticks % WHOLE_LOOK_TICKS == 0 else self._look_cheaply())

    def wanted(self) -> bool:
        """Have the table read with pauses, if it is large; TableRead follows."""
        if self._is_small():
            return False
        if self.is_busy():
            self._wanted = True
        else:
            self._begin(self._read_whole())
        return True

    def sent(self, operations: Iterable[Operation]) -> None:
        """Hear what goes to the kernel."""
        if self.is_busy():
            self._touched.update(map(_service_of, operations))

    def close(self) -> None:
        """End the look that goes on."""
        if self._task is not None:
            self._task.cancel()

    def _is_small(self) -> bool:
        held = 0
        for entry in self._belief().values():
            held += 1 + len(entry.destinations)
            if held > SMALL_TABLE:
                return False
        return True

    def is_busy(self) -> bool:
        """Whether a look goes on."""
        return self._task is not None and not self._task.done()

    def _begin(self, look: Coroutine[None, None, None]) -> None:
        self._touched.clear()
        self._since = self._clock()
        self._task = asyncio.get_running_loop().create_task(self._to_its_end(look))

    async def _to_its_end(self, look: Coroutine[None, None, None]) -> None:
        try:
            await look
            while self._wanted:
                self._wanted = False
                await self._read_whole()
        except NetlinkError as error:
            self._feed(TableUnreadable(str(error)))

    async def _pause(self) -> None:
        """Let others have their turn, when ours has taken long enough."""
        if self._clock() - self._since >= HELD_SECONDS:
            await asyncio.sleep(0)
            self._since = self._clock()

    def _look_at_once(self) -> None:
        try:
            table = self._reader.read_table()
        except NetlinkError as error:
            self._feed(TableUnreadable(str(error)))
            return
        if table != self._belief():
            self._feed(TableRead(table))

    async def _look_whole(self) -> None:
        table = await self._with_pauses()
        if table is not None and not same(table, self._belief()):
            await self._tell(table)

    async def _read_whole(self) -> None:
        table = await self._with_pauses()
        if table is None:
            self._wanted = True
        else:
            await self._tell(table)

    async def _tell(self, table: Table) -> None:
        """What was believed before ends by and by: to end thousands of things takes its time, too."""
        before = list(self._belief().values())
        self._seen = None
        self._feed(TableRead(table))
        while before:
            del before[-SLICE_SERVICES:]
            await self._pause()

    async def _with_pauses(self) -> Table | None:
        """The table as it is now; None: too much of it changed meanwhile. An entry that is as believed is that one."""
        self._touched.clear()
        table: dict[ServiceKey, Entry] = {}
        for part in self._reader.read_in_parts(PART_SIZE):
            believed = self._belief()
            for entry in part:
                key = entry.service.key
                held = believed.get(key)
                table[key] = held if held is not None and held == entry else entry
            await self._pause()
        await asyncio.sleep(0)  # what follows is one turn
        missed = [key for key in self._belief() if key not in table]
        if len(missed) <= TOUCHED_MOST:  # what is deleted while the kernel lists its services can hide others
            self._touched.update(missed)
        for _ in range(TOUCHED_ROUNDS):
            if TOUCHED_AT_ONCE < len(self._touched) <= TOUCHED_MOST:
                touched, self._touched = self._touched, set()
                for keys in _chunks(touched):
                    self._read_again(table, keys)
                    await self._pause()
        if len(self._touched) > TOUCHED_MOST:
            return None
        self._read_again(table, self._touched)
        return table

    def _read_again(self, table: dict[ServiceKey, Entry], keys: Iterable[ServiceKey]) -> None:
        for key in keys:
            found = self._reader.read_entry(key)
            if found is None:
                table.pop(key, None)
            else:
                table[key] = found

    async def _look_cheaply(self) -> None:
        """Whether /proc says of every service what was believed when it was read, and of none more."""
        before = self._belief()
        found = await asyncio.to_thread(lambda: blocks_of(self._read_text()))
        if await self._is_as_it_was(before, found):
            return
        believed: dict[str, tuple[ServiceKey, frozenset[str]]] = {}
        for entries in _chunks(before.values()):
            for entry in entries:
                name, destinations = self._print_of(entry)
                believed[name] = entry.service.key, destinations
            await self._pause()
        expected = {name: destinations for name, (_, destinations) in believed.items()}
        changed: set[ServiceKey | None] = set()
        for some in _chunks(found):
            for name, destinations in map(print_of_block, some):
                key, wanted = believed.pop(name, (None, None))
                if destinations != wanted:
                    changed.add(key)
            await self._pause()
        changed.update(key for key, _ in believed.values())
        self._seen = None if changed else _Seen(before, expected, frozenset(map(hash, found)))
        self._suspect(changed, before)

    async def _is_as_it_was(self, before: Table, found: list[str]) -> bool:
        """Whether all that is not, to the letter and counter, what conformed a look ago conforms, too."""
        seen = self._seen
        if seen is None or seen.belief is not before or len(found) != len(seen.expected):
            return False
        for some in _chunks([block for block in found if hash(block) not in seen.hashes]):
            for name, destinations in map(print_of_block, some):
                if seen.expected.get(name) != destinations:
                    return False
            await self._pause()
        self._seen = seen._replace(hashes=frozenset(map(hash, found)))
        return True

    def _suspect(self, changed: set[ServiceKey | None], before: Table) -> None:
        """What we changed ourselves since is no suspect; a service nobody knows is one only if nothing was changed."""
        now = self._belief()
        self._prints = {key: kept for key, kept in self._prints.items() if key in now}
        if any(before.get(key) is now.get(key) if key is not None else before is now for key in changed):
            self._feed(TableSuspected())

    def _print_of(self, entry: Entry) -> Print:
        """Kept from look to look, since most entries never change."""
        kept = self._prints.get(entry.service.key)
        if kept is None or kept[0] is not entry:
            kept = self._prints[entry.service.key] = entry, print_of(entry)
        return kept[1]


def same(table: Table, believed: Table) -> bool:
    """Whether two tables are equal, most of whose entries are one and the same."""
    return len(table) == len(believed) and all(
        (held := believed.get(key)) is entry or held == entry for key, entry in table.items()
    )


def _service_of(operation: Operation) -> ServiceKey:
    match operation:
        case AddService(service) | SetService(service):
            return service.key
        case DeleteService(key):
            return key
        case _:
            return operation.service


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, SLICE_SERVICES)):
        yield chunk
