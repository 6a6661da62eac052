"""Thousands of checks reach a worker whole and in order, and nobody waits for them."""

from __future__ import annotations

import asyncio

import pytest

from checkers.core.assembly import Assembly
from checkers.core.messages import Assign, AssignedCheck, State, assignment, decode_to_worker
from lvsd.core.assignment import WRITTEN_AT_ONCE, Assigned
from lvsd.core.effects import AssignChecks
from lvsd.core.events import WorkerCame
from lvsd.runtime.handing import STEPS_A_TURN, Handing
from tests.unit.core.world import CONFINED, Bench, config, real, virtual

FEW, MANY = 3, 64 * STEPS_A_TURN * 2


def bench(number: int) -> Bench:
    reals = (real(f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}") for at in range(1, number + 1))
    return Bench(config(virtual(*reals)))


def order(begun: Bench) -> AssignChecks:
    """What a worker that comes is given."""
    return next(one for one in begun.feed(WorkerCame(CONFINED)) if isinstance(one, AssignChecks))


class Line:
    """What came through to a worker."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.handing = Handing(lambda _, packet: self.packets.append(packet))

    def whole(self) -> tuple[AssignedCheck, ...] | None:
        """What the worker makes of it in the end."""
        assembly, found = Assembly(), None
        for packet in self.packets:
            message = decode_to_worker(packet)
            assert isinstance(message, Assign)
            found = assembly.add(message) or found
        return found

    async def settled(self) -> int:
        """Until nothing is on its way: how many turns others had meanwhile."""
        turns = 0
        while self.handing._going:
            await asyncio.sleep(0)
            turns += 1
        return turns


@pytest.mark.parametrize("number", [FEW, WRITTEN_AT_ONCE + 1, MANY])
async def test_what_is_sent_with_pauses_is_what_would_be_sent_at_once(number: int) -> None:
    begun, line = bench(number), Line()
    begun.hear({"10.0.0.1": State.UP, "10.0.0.2": State.DOWN})
    given = order(begun)
    line.handing.give(given)
    turns = await line.settled()
    assert tuple(line.packets) == assignment(given.generation, tuple(given.checks))
    assert line.whole() == tuple(given.checks)
    assert [one.known for one in line.whole() or ()][:3] == [State.UP, State.DOWN, State.UNKNOWN]
    assert (turns >= 4) is (number == MANY)


def test_few_are_sent_before_anything_else_happens() -> None:
    line = Line()
    line.handing.give(order(bench(FEW)))
    assert len(line.packets) == 1
    line.handing.give(AssignChecks(7, ()))
    assert decode_to_worker(line.packets[1]) == Assign(7, 0, 1, ())


async def test_a_later_assignment_takes_the_place_of_one_on_its_way() -> None:
    begun, line = bench(MANY), Line()
    line.handing.give(order(begun))
    while not line.packets:
        await asyncio.sleep(0)
    later = order(begun)
    line.handing.give(later)
    await line.settled()
    generations = [
        message.generation for packet in line.packets if isinstance(message := decode_to_worker(packet), Assign)
    ]
    assert generations == sorted(generations)
    assert set(generations) == {later.generation - 1, later.generation}
    assert line.whole() == tuple(later.checks)


async def test_of_one_that_was_replaced_in_time_nothing_is_sent() -> None:
    begun, line = bench(MANY), Line()
    line.handing.give(order(begun))
    await asyncio.sleep(0)
    later = order(begun)
    line.handing.give(later)
    await line.settled()
    assert tuple(line.packets) == assignment(later.generation, tuple(later.checks))


async def test_who_has_gone_is_sent_nothing_more() -> None:
    line = Line()
    line.handing.give(order(bench(MANY)))
    line.handing.forget(1)
    assert await line.settled() == 0
    await asyncio.sleep(0)
    assert line.packets == []


def test_what_is_known_is_of_one_moment() -> None:
    begun = bench(WRITTEN_AT_ONCE + 1)
    checks = order(begun).checks
    begun.hear({"10.0.0.1": State.DOWN})
    assert isinstance(checks, Assigned)
    assert checks[0].known is State.UNKNOWN
    assert [one.known for one in checks[:2]] == [State.UNKNOWN, State.UNKNOWN]
    assert order(begun).checks[0].known is State.DOWN
