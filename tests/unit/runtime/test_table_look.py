"""The look at a large table: strangers are seen, our own changes are not taken for theirs."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from lvsd.core.events import Event, TableRead, TableSuspected, TableUnreadable
from lvsd.core.reconcile import applied
from lvsd.runtime import table_look
from lvsd.runtime.table_look import (
    HELD_SECONDS,
    PART_SIZE,
    SLICE_SERVICES,
    SMALL_TABLE,
    TOUCHED_AT_ONCE,
    TOUCHED_MOST,
    WHOLE_LOOK_TICKS,
    TableLook,
)
from netlink.errors import NetlinkError
from netlink.memory import MemoryTable
from netlink.operations import AddService, DeleteService, Operation, SetDestination, SetService
from netlink.proc_ip_vs import Print, print_of, print_of_block
from netlink.table import Destination, DestinationKey, Entry, Family, Service, ServiceKey, Table

MANY = SMALL_TABLE + SLICE_SERVICES
PEER = DestinationKey("192.0.2.11", 80)


def key(number: int) -> ServiceKey:
    return ServiceKey(Family.INET, 6, f"10.{number >> 8}.{number & 255}.1", 80)


def entry(number: int) -> Entry:
    return Entry(Service(key(number), "wrr"), {PEER: Destination(PEER, 3, 1)})


def heavier(number: int) -> Operation:
    return SetDestination(key(number), Destination(PEER, 3, 7))


class Scene:
    """A kernel, what we believe of it, and a look. `between` happens once, while it looks."""

    def __init__(self, services: int) -> None:
        self.belief: Table = {key(number): entry(number) for number in range(services)}
        self.kernel = MemoryTable(self.belief)
        self.fed: list[Event] = []
        self.between: Callable[[], None] = lambda: None
        self.broken = False
        self.connections = 0  # as the file counts them
        self.read: list[str] = []  # the services whose part of the file was read
        self.clock: Callable[[], float] = count().__next__  # time is always over
        self.look = TableLook(self, self.text, lambda: self.belief, self.fed.append, self.seconds)

    def seconds(self) -> float:
        return self.clock()

    def text(self) -> Iterator[str]:
        self._once_between()
        lines = ["", "", ""]
        for one in self.kernel.read_table().values():
            service, destinations = print_of(one)
            busy = self.connections if one.service.key == key(5) else 0
            lines += [service, *(f"  -> {destination} {busy} 0" for destination in destinations)]
        yield "\n".join(lines)

    def read_table(self) -> Table:
        if self.broken:
            raise NetlinkError("gone")
        return self.kernel.read_table()

    def read_in_parts(self, size: int) -> Iterator[tuple[Entry, ...]]:
        for part in self.kernel.read_in_parts(size):
            if self.broken:
                raise NetlinkError("gone")
            yield part
            self._once_between()

    def _once_between(self) -> None:
        between, self.between = self.between, lambda: None
        between()

    def read_entry(self, one: ServiceKey) -> Entry | None:
        return self.kernel.read_entry(one)

    def ours(self, *operations: Operation) -> None:
        """We change something."""
        self.look.sent(operations)
        assert self.kernel.apply(operations) == ()
        self.belief = applied(self.belief, operations)

    async def tick(self, number: int = 1) -> list[Event]:
        """What is fed by that many ticks, each with its look."""
        for _ in range(number):
            self.look.tick()
            await self.settled()
        return self.fed

    async def settled(self) -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait_for(task, 30)


async def test_a_quiet_table_says_nothing() -> None:
    assert await Scene(MANY).tick(WHOLE_LOOK_TICKS) == []


async def test_what_is_as_it_was_to_the_letter_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(MANY)

    def noted(block: str) -> Print:
        scene.read.append(block)
        return print_of_block(block)

    monkeypatch.setattr(table_look, "print_of_block", noted)
    assert await scene.tick() == []
    assert len(scene.read) == MANY
    scene.connections = 1
    assert await scene.tick(2) == []
    assert len(scene.read) == MANY + 1
    scene.ours(heavier(7))
    assert await scene.tick(2) == []
    assert len(scene.read) == 2 * MANY + 1


@pytest.mark.parametrize(
    "operations",
    [
        [heavier(5)],
        [heavier(9)],
        [DeleteService(key(9))],
        [AddService(Service(key(MANY), "rr"))],
        [DeleteService(key(9)), AddService(Service(key(MANY), "rr"))],
    ],
)
async def test_a_stranger_is_seen_where_all_was_as_it_was(operations: list[Operation]) -> None:
    scene = Scene(MANY)
    assert await scene.tick(2) == []
    scene.connections = 1
    scene.kernel.apply(operations)
    assert await scene.tick() == [TableSuspected()]
    assert await scene.tick() == [TableSuspected()] * 2


async def test_a_small_table_is_read_at_once() -> None:
    scene = Scene(3)
    scene.kernel.apply([heavier(1)])
    scene.look.tick()
    assert scene.fed == [TableRead(scene.kernel.read_table())]


async def test_a_weight_of_a_strangers_is_suspected() -> None:
    scene = Scene(MANY)
    scene.kernel.apply([heavier(MANY - 1)])
    assert await scene.tick() == [TableSuspected()]


@pytest.mark.parametrize(
    "operation", [DeleteService(key(5)), AddService(Service(key(MANY), "rr")), SetService(Service(key(5), "rr"))]
)
async def test_a_service_of_a_strangers_is_suspected(operation: Operation) -> None:
    scene = Scene(MANY)
    scene.kernel.apply([operation])
    assert await scene.tick() == [TableSuspected()]


async def test_what_we_change_while_we_look_is_not_suspected() -> None:
    scene = Scene(MANY)
    scene.between = lambda: scene.ours(heavier(5), DeleteService(key(6)), AddService(Service(key(MANY), "rr")))
    assert await scene.tick() == []
    assert await scene.tick() == []


async def test_a_whole_look_sees_what_proc_does_not() -> None:
    scene = Scene(MANY)
    scene.kernel.apply([SetService(Service(key(5), "wrr", flags=0x8))])
    assert await scene.tick(WHOLE_LOOK_TICKS - 1) == []
    assert await scene.tick() == [TableRead(scene.kernel.read_table())]


async def test_a_reading_knows_what_we_changed_meanwhile() -> None:
    scene = Scene(MANY)
    first = next(iter(scene.kernel.read_table().values())).service
    other = SetDestination(first.key, Destination(PEER, 3, 9))
    scene.between = lambda: scene.ours(other, DeleteService(key(MANY - 1)), AddService(Service(key(MANY), "rr")))
    assert scene.look.wanted()
    await scene.settled()
    assert scene.fed == [TableRead(scene.belief)]
    assert scene.belief == scene.kernel.read_table()


async def test_of_what_did_not_change_the_believed_entry_is_kept() -> None:
    scene = Scene(MANY)
    assert scene.look.wanted()
    await scene.settled()
    (read,) = scene.fed
    assert isinstance(read, TableRead)
    assert all(read.table[one] is held for one, held in scene.belief.items())


async def test_of_many_changes_most_are_read_again_with_pauses() -> None:
    scene = Scene(MANY)
    scene.between = lambda: scene.ours(*map(heavier, range(TOUCHED_MOST)))
    at_once = [0]
    look = asyncio.get_running_loop().call_soon

    def another_turn() -> None:
        at_once.append(0)
        if scene.look.is_busy():
            look(another_turn)
            if key(3) in scene.belief and sum(at_once) > TOUCHED_AT_ONCE:  # in the middle of them
                scene.ours(DeleteService(key(3)), heavier(TOUCHED_MOST + 1))

    def counted(one: ServiceKey) -> Entry | None:
        at_once[-1] += 1
        return scene.kernel.read_entry(one)

    scene.read_entry = counted  # type: ignore[method-assign]  # counted as it goes
    assert scene.look.wanted()
    look(another_turn)
    await scene.settled()
    assert scene.fed == [TableRead(scene.belief)]
    assert scene.belief == scene.kernel.read_table()
    assert key(3) not in scene.belief
    assert sum(at_once) >= TOUCHED_MOST
    assert max(at_once) <= SLICE_SERVICES + TOUCHED_AT_ONCE


@pytest.mark.parametrize(
    ("step_seconds", "parts_a_turn"), [(0.0, MANY), (HELD_SECONDS / 2.9, 3), (HELD_SECONDS * 1.1, 1)]
)
async def test_it_pauses_when_its_time_is_over(step_seconds: float, parts_a_turn: int) -> None:
    scene = Scene(MANY)
    now = [0.0]
    scene.clock = lambda: now[0]
    turns = [0]
    loop = asyncio.get_running_loop()

    def another_turn() -> None:
        turns.append(0)
        if scene.look.is_busy():
            loop.call_soon(another_turn)

    def taking_time(size: int) -> Iterator[tuple[Entry, ...]]:
        for part in scene.kernel.read_in_parts(size):
            now[0] += step_seconds
            turns[-1] += 1
            yield part

    scene.read_in_parts = taking_time  # type: ignore[method-assign]  # each part takes its time
    assert scene.look.wanted()
    loop.call_soon(another_turn)
    await scene.settled()
    assert scene.fed == [TableRead(scene.belief)]
    assert max(turns) == min(parts_a_turn, sum(turns))
    assert sum(turns) > MANY * 2 / PART_SIZE


class Ending(dict[DestinationKey, Destination]):
    """Destinations whose end is seen."""


async def test_what_was_believed_before_ends_by_and_by() -> None:
    scene = Scene(MANY)
    ended = [0]

    def end() -> None:
        ended[-1] += 1

    def another_turn() -> None:
        ended.append(0)
        if scene.look.is_busy():
            asyncio.get_running_loop().call_soon(another_turn)

    def believe(event: Event) -> None:
        assert isinstance(event, TableRead)
        scene.belief = event.table

    def noted(held: Entry) -> Entry:
        destinations = Ending(held.destinations)
        weakref.finalize(destinations, end)
        return Entry(held.service, destinations)

    scene.belief = {one: noted(held) for one, held in scene.belief.items()}
    assert await scene.tick() == []  # a look at /proc remembers the belief
    scene.look._prints.clear()  # these are replaced one by one
    scene.kernel = MemoryTable()
    scene.look._feed = believe
    assert scene.look.wanted()
    asyncio.get_running_loop().call_soon(another_turn)
    await scene.settled()
    assert scene.belief == {}
    assert sum(ended) == MANY
    assert max(ended) <= SLICE_SERVICES


async def test_a_service_that_the_listing_missed_is_asked_for() -> None:
    scene = Scene(MANY)
    parts = scene.kernel.read_in_parts

    def missing_one(size: int) -> Iterator[tuple[Entry, ...]]:
        return (tuple(one for one in part if one.service.key != key(7)) for part in parts(size))

    scene.read_in_parts = missing_one  # type: ignore[method-assign]  # as when another is deleted meanwhile
    assert scene.look.wanted()
    await scene.settled()
    assert scene.fed == [TableRead(scene.belief)]
    scene.kernel.apply([DeleteService(key(7))])
    assert scene.look.wanted()
    await scene.settled()
    assert scene.fed[1:] == [TableRead(scene.kernel.read_table())]
    scene.kernel = MemoryTable()
    scene.read_in_parts = scene.kernel.read_in_parts  # type: ignore[method-assign]
    scene.read_entry = lambda one: pytest.fail(str(one))  # type: ignore[method-assign]  # of a clearing nothing is left
    scene.belief = {key(number): entry(number) for number in range(TOUCHED_MOST + 1)}
    assert scene.look.wanted()
    await scene.settled()
    assert scene.fed[2:] == [TableRead({})]


async def test_too_many_changes_and_it_is_read_again() -> None:
    scene = Scene(MANY + TOUCHED_MOST)
    scene.between = lambda: scene.ours(*map(heavier, range(TOUCHED_MOST + 1)))
    assert scene.look.wanted()
    await scene.settled()
    assert scene.fed == [TableRead(scene.belief)]


async def test_a_reading_that_is_wanted_during_a_look_follows_it() -> None:
    scene = Scene(MANY)
    scene.look.tick()
    assert scene.look.wanted()
    await scene.settled()
    assert scene.fed == [TableRead(scene.belief)]


@pytest.mark.parametrize("services", [3, MANY])
async def test_a_table_that_cannot_be_read_is_told(services: int) -> None:
    scene = Scene(services)
    scene.broken = True
    assert TableUnreadable("gone") in await scene.tick(WHOLE_LOOK_TICKS)
