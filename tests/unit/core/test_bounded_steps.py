"""What a step costs does not grow with the farm: counted in calls, on a small farm and on one four times as large."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import TypeVar

import pytest
from msgspec.structs import replace

from checkers.core.messages import State, Verdicts
from config.model import Config, Daemon, Mail
from lvsd.core import groundwork, slices, views
from lvsd.core.assignment import Assigned
from lvsd.core.director import step
from lvsd.core.effects import Apply, AssignChecks, Effect, Tell, Yield
from lvsd.core.events import (
    ConfigChanged,
    Event,
    MaintenanceSeen,
    OverridesSet,
    PlanApplied,
    Resumed,
    TableRead,
    Ticked,
    VerdictsHeard,
    WorkerCame,
)
from lvsd.core.identity import check_id
from lvsd.core.pool_state import Override, OverrideKind
from lvsd.core.state import Director
from netlink.table import Table
from tests.unit.core.world import CONFINED, Bench, config, real, verdict, virtual

T = TypeVar("T")

SMALL, LARGE = 1200, 4800  # services of two real servers: both beyond `large.SMALL`
SLACK = 200  # calls: what a slice holds, and what few names cost where many are kept apart


def farm(services: int, first_weight: int = 1) -> Config:
    def address(at: int) -> str:
        return f"10.{at >> 14}.{at >> 7 & 127}.{at & 127}"

    return config(
        *(
            virtual(
                real(address(at * 2), first_weight if at == 0 else 1),
                real(address(at * 2 + 1)),
                port=at + 1,
                name=f"s{at}",
            )
            for at in range(services)
        )
    )


def begun(services: int) -> Director:
    """All are up and in the kernel."""
    bench = Bench(farm(services))
    names = [check_id(one, server) for one in bench.director.config.services for server in one.real_servers]
    for at in range(0, len(names), 64):
        bench.feed(VerdictsHeard(Verdicts(1, tuple(verdict(one, State.UP, 100.0) for one in names[at : at + 64]))))
    return bench.director


@pytest.fixture(scope="module")
def directors() -> tuple[Director, Director]:
    return begun(SMALL), begun(LARGE)


def counted(action: Callable[[], T]) -> tuple[int, T]:
    """How often any function, or the next of any generator, was called; and what came of it."""
    calls = 0

    def seen(_frame: FrameType, event: str, _what: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(seen)
    try:
        return_value = action()
    finally:
        sys.setprofile(None)
    return calls, return_value


def steps(director: Director, event: Event) -> tuple[list[int], list[Effect]]:
    """The calls of each step until all is settled, and all effects."""
    costs: list[int] = []
    seen: list[Effect] = []
    waiting = [event]
    while waiting:
        calls, (director, effects) = counted(partial(step, director, waiting.pop(0), 101.0))
        costs.append(calls)
        seen.extend(effects)
        waiting.extend(_following(effects))
    return costs, seen


def _following(effects: Iterable[Effect]) -> Iterable[Event]:
    for effect in effects:
        if isinstance(effect, Apply):
            yield PlanApplied(effect.operations, ())
        elif isinstance(effect, Yield):
            yield Resumed()


def one_down(director: Director) -> Event:
    first = director.config.services[0]
    return VerdictsHeard(Verdicts(1, (verdict(check_id(first, first.real_servers[0]), State.DOWN, 101.0),)))


def one_disabled(director: Director) -> Event:
    first = director.config.services[0]
    return OverridesSet({check_id(first, first.real_servers[0]): Override(OverrideKind.DISABLE, since=1.0)})


def reloaded(director: Director) -> Event:
    after = farm(len(director.config.services), first_weight=7)
    return ConfigChanged(after, groundwork.of(director, after))


def cleared(director: Director) -> Event:
    assert director.kernel.table
    empty: Table = {}
    return TableRead(empty)


EVENTS = {
    "one verdict": one_down,
    "a word on one": one_disabled,
    "a reload": reloaded,
    "a worker": lambda _: WorkerCame(CONFINED),
    "a tick": lambda _: Ticked(),
    "maintenance of one": lambda _: MaintenanceSeen(frozenset({"10.0.0.1"})),
    "a stranger clears the table": cleared,
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS.keys())
def test_no_step_costs_more_on_a_larger_farm(
    directors: tuple[Director, Director], event: Callable[[Director], Event]
) -> None:
    small, large = (steps(director, event(director)) for director in directors)
    assert max(large[0]) <= max(small[0]) + SLACK
    told = [[one.event for one in effects if isinstance(one, Tell)][:1] for _, effects in (small, large)]
    assert told[0] == told[1]


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS.keys())
def test_a_step_sends_no_more_than_a_slice(
    directors: tuple[Director, Director], event: Callable[[Director], Event]
) -> None:
    _, effects = steps(directors[1], event(directors[1]))
    sent = [len(one.operations) for one in effects if isinstance(one, Apply)]
    assert max(sent, default=0) <= slices.SLICE_REAL_SERVERS


def test_a_table_that_is_gone_is_found_in_one_step_and_mended_in_the_next(directors: tuple[Director, Director]) -> None:
    found, effects = step(directors[1], cleared(directors[1]), 101.0)
    assert [one.event for one in effects if isinstance(one, Tell)] == ["table_changed_by_stranger"]
    assert not any(isinstance(one, Apply) for one in effects)
    assert effects[-1] == Yield()
    _, effects = step(found, Resumed(), 101.0)
    assert sum(len(one.operations) for one in effects if isinstance(one, Apply)) > slices.SLICE_REAL_SERVERS // 2
    one_gone = dict(directors[1].kernel.table)
    one_gone.popitem()
    _, effects = step(directors[1], TableRead(one_gone), 101.0)
    assert sum(len(one.operations) for one in effects if isinstance(one, Apply)) == 3


def test_a_worker_s_checks_are_not_written_out_in_the_step(directors: tuple[Director, Director]) -> None:
    _, effects = steps(directors[1], WorkerCame(CONFINED))
    given = next(one for one in effects if isinstance(one, AssignChecks))
    assert isinstance(given.checks, Assigned)
    assert len(given.checks) == 2 * LARGE


def parted(services: int) -> tuple[int, list[Effect]]:
    """The longest step while two workers share the checks and one of them falls silent and speaks again."""
    whole = farm(services)
    director = Bench(replace(whole, daemon=Daemon(workers=2))).director
    longest = 0
    seen: list[Effect] = []
    director, _ = step(director, WorkerCame(replace(CONFINED, worker=2)), 100.0)
    for second in range(101, 110):
        waiting: list[Event] = [Ticked(), VerdictsHeard(Verdicts(0, ()), 1)]
        waiting += [VerdictsHeard(Verdicts(0, ()), 2)] if second > 108 else []
        while waiting:
            calls, (director, effects) = counted(partial(step, director, waiting.pop(0), float(second)))
            longest = max(longest, calls)
            seen.extend(effects)
            waiting.extend(_following(effects))
    return longest, seen


def test_a_worker_that_falls_silent_or_speaks_again_costs_no_step_more_on_a_larger_farm() -> None:
    (small, _), (large, effects) = parted(SMALL), parted(LARGE)
    assert large <= small + SLACK
    given = [len(one.checks) for one in effects if isinstance(one, AssignChecks)]
    assert len(given) == 4
    assert given[0] == 2 * LARGE
    assert given[1] == 0
    assert sum(given[2:]) == 2 * LARGE


def ticked_with_mails(services: int) -> tuple[int, int]:
    """The longest step of a tick in which somebody wants to be told again of each service, and how many there are."""
    mail = Mail(to=("ops@example.com",), repeat=1.0)
    whole = farm(services)
    bench = Bench(replace(whole, services=tuple(replace(one, mail=mail) for one in whole.services)))
    costs, _ = steps(bench.director, Ticked())
    return max(costs), len(costs)


def test_a_tick_with_mails_for_all_costs_no_step_more_on_a_larger_farm() -> None:
    (small, few), (large, many) = ticked_with_mails(SMALL // 2), ticked_with_mails(LARGE // 2)
    assert large <= small + SLACK
    assert many > few


def test_a_service_s_row_costs_no_more_on_a_larger_farm(directors: tuple[Director, Director]) -> None:
    rows = [counted(partial(views.service_row, one.config.services[0], one, 101.0))[0] for one in directors]
    assert rows[0] == rows[1]
