"""A hand-over through the director: ordered, waited for, told."""

from __future__ import annotations

import asyncio
from typing import cast

from msgspec.structs import replace as changed

from lvsd.control.messages import ErrorReply, FailoverReply, FailoverRequest
from lvsd.core.state import Director, Vrrp
from lvsd.runtime.director_runtime import Runtime
from lvsd.runtime.failovers import fail_over
from lvsd.vrrp.messages import Failover, InstanceStatus, Role, ToVrrp, VrrpStatus
from tests.unit.core.test_failover_decisions import ALL, BEFORE, MOVED, status

THERE = changed(MOVED, active_router="1.1.1.2", active_priority=100)
TWO, THREE = status("two"), status("three")


class Played:
    """A runtime whose vrrp process reports what the test says, one report for each that is waited for."""

    def __init__(self, *reports: tuple[InstanceStatus, ...]) -> None:
        self.belief: Director = ALL
        self.orders: list[ToVrrp] = []
        self._reports = list(reports)

    def order(self, order: ToVrrp) -> None:
        self.orders.append(order)

    async def next_report(self) -> None:
        if not self._reports:
            await asyncio.Event().wait()
        heard = VrrpStatus(1, 42, self._reports.pop(0))
        self.belief = Director(config=self.belief.config, vrrp=Vrrp(heard, connected=True))


async def ordered(played: Played, *names: str, back: bool = False) -> FailoverReply | ErrorReply:
    return await fail_over(cast("Runtime", played), FailoverRequest(names, back, 0.05))


def outcomes(reply: FailoverReply | ErrorReply) -> dict[str, str]:
    assert isinstance(reply, FailoverReply)
    return {row.name: row.outcome for row in reply.instances}


async def test_it_ends_when_all_of_the_group_have_gone() -> None:
    gone = changed(THERE, name="two")
    played = Played((BEFORE, TWO, THREE), (MOVED, TWO, THREE), (THERE, TWO, THREE), (THERE, gone, THREE))
    reply = await ordered(played, "one")
    assert played.orders == [Failover(("one", "two"))]
    assert outcomes(reply) == {"one": "handed_over", "two": "handed_over"}
    assert isinstance(reply, FailoverReply)
    assert reply.done
    assert [row.active_router for row in reply.instances] == ["1.1.1.2"] * 2


async def test_the_time_is_up_when_nobody_takes_over() -> None:
    reply = await ordered(Played((BEFORE, TWO, changed(MOVED, name="three"))), "three")
    assert outcomes(reply) == {"three": "nobody"}
    assert isinstance(reply, FailoverReply)
    assert not reply.done


async def test_what_was_taken_back_is_not_done() -> None:
    reply = await ordered(Played((BEFORE, TWO, changed(THREE, transitions=5))), "three")
    assert outcomes(reply) == {"three": "taken_back"}
    assert isinstance(reply, FailoverReply)
    assert not reply.done


async def test_back_is_ordered_as_such() -> None:
    played = Played((BEFORE, TWO, THREE))
    assert outcomes(await ordered(played, "three", back=True)) == {"three": "returned"}
    assert played.orders == [Failover(("three",), back=True)]


async def test_what_is_refused_is_not_ordered() -> None:
    played = Played()
    assert isinstance(await ordered(played, "four"), ErrorReply)
    assert played.orders == []


def test_the_roles_of_these_tests_are_what_they_seem() -> None:
    assert (BEFORE.role, MOVED.role) == (Role.ACTIVE, Role.BACKUP)
