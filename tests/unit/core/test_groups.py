"""Priority groups: who serves, who stands by, and how that goes with all the other rules."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from config.checks import Check, NoCheck
from config.model import VirtualService
from config.pool_rules import Amount, CorrelatedFailure, Floor, FloorAction, PoolRules
from lvsd.core import groups, overrides, views
from lvsd.core.effects import Level, Tell
from lvsd.core.events import ConfigChanged, MaintenanceSeen, OverridesSet, Ticked
from lvsd.core.overrides import Asked, Refused
from lvsd.core.pool_state import OverrideKind
from lvsd.ctl import render
from netlink.operations import SetDestination
from tests.unit.core.world import Bench, config, real, virtual

A, B, C, D, E, SPARE = (f"10.0.0.{number}" for number in range(1, 7))
UP, DOWN = State.UP, State.DOWN
ALL = dict.fromkeys((A, B, C, D, E), UP)


def grouped(rules: PoolRules | None = None, **more: object) -> VirtualService:
    """A and B in group 1, C and D in group 2, E in group 5."""
    numbers = {A: 1, B: 1, C: 2, D: 2, E: 5}
    reals = tuple(replace(real(address, 10), priority_group=group) for address, group in numbers.items())
    return replace(virtual(*reals), rules=rules or PoolRules(), **more)


def started(service: VirtualService) -> Bench:
    bench = Bench(config(service))
    bench.hear(ALL)
    return bench


def serving(bench: Bench, service: VirtualService) -> str:
    """The letters of those with a weight."""
    letters = dict(zip((A, B, C, D, E, SPARE), "ABCDES", strict=True))
    return "".join(sorted(letters[address] for address, weight in bench.weights(service).items() if weight))


def test_the_lowest_group_serves_and_the_others_stand_by_at_weight_zero() -> None:
    service = grouped()
    bench = started(service)
    assert bench.weights(service) == {A: 10, B: 10, C: 0, D: 0, E: 0}
    assert not {"priority_group_called", "priority_group_released"} & set(bench.told())


def test_the_next_serves_with_them_while_too_few_are_up() -> None:
    service = grouped(PoolRules(group_minimum=Amount(2)))
    bench = started(service)
    bench.hear({A: DOWN})
    assert bench.weights(service) == {B: 10, C: 10, D: 10, E: 0}
    assert all(isinstance(one, SetDestination) for one in bench.operations()[:2])  # made before A's leaving breaks
    bench.hear({C: DOWN})
    assert serving(bench, service) == "BD"
    bench.hear({D: DOWN})
    assert serving(bench, service) == "BE"
    bench.hear({A: UP})
    assert bench.weights(service) == {A: 10, B: 10, E: 0}


def test_a_share_is_of_the_groups_that_serve() -> None:
    service = grouped(PoolRules(group_minimum=Amount(75, percent=True)))
    bench = started(service)
    bench.hear({A: DOWN})  # 1 of 2, and 3 of 4
    assert serving(bench, service) == "BCD"
    bench.hear({C: DOWN})  # 2 of 4
    assert serving(bench, service) == "BDE"


def test_who_fails_while_standing_by_leaves_and_comes_back_to_stand_by() -> None:
    service = grouped()
    bench = started(service)
    bench.hear({C: DOWN})
    assert bench.weights(service) == {A: 10, B: 10, D: 0, E: 0}
    bench.hear({C: UP})
    assert bench.weights(service) == {A: 10, B: 10, C: 0, D: 0, E: 0}


@pytest.mark.parametrize(
    ("scheduler", "flags", "waits"), [("wrr", 0, 0), ("sh", 0, None), ("sh", 8, 0), ("mh", 0, None), ("dh", 0, None)]
)
def test_a_scheduler_that_refuses_at_weight_zero_has_them_outside(
    scheduler: str, flags: int, waits: int | None
) -> None:
    service = replace(grouped(), scheduler=scheduler, flags=flags)
    bench = started(service)
    assert bench.weights(service).get(C) == waits
    assert groups.standby_weight(service) == waits
    bench.hear({A: DOWN, B: DOWN})
    assert serving(bench, service) == "CD"


def test_at_the_start_nobody_is_called_before_the_lowest_is_known() -> None:
    service = grouped()
    bench = Bench(config(service))
    bench.hear({C: UP, D: UP})
    assert serving(bench, service) == ""
    bench.hear({A: DOWN})
    assert serving(bench, service) == ""
    bench.hear({B: DOWN})
    assert serving(bench, service) == "CD"


def test_over_a_restart_the_same_serve() -> None:
    service = grouped()
    bench = started(service)
    bench.hear({A: DOWN, B: DOWN})
    bench = bench.restarted()
    assert serving(bench, service) == "CD"
    bench.hear({A: DOWN})
    assert serving(bench, service) == "CD"
    bench.hear({B: UP, C: UP, D: UP})
    assert serving(bench, service) == "B"


def test_a_drain_and_maintenance_call_the_next_group() -> None:
    service = grouped()
    bench = started(service)
    for address in (A, B):
        changes = overrides.decided(bench.director, Asked(address, OverrideKind.DRAIN, 0), bench.now)
        assert not isinstance(changes, Refused)
        bench.feed(OverridesSet(changes))
    assert bench.weights(service) == {A: 0, B: 0, C: 10, D: 10, E: 0}
    bench.feed(MaintenanceSeen(frozenset({C, D})))
    assert serving(bench, service) == "E"


def test_the_floor_counts_all_groups_and_whom_it_keeps_makes_no_group_full() -> None:
    service = grouped(PoolRules(Floor(Amount(2))))
    bench = started(service)
    bench.hear({A: DOWN, B: DOWN})
    assert serving(bench, service) == "CD"
    bench.hear({C: DOWN, D: DOWN, E: DOWN})
    assert len(serving(bench, service)) == 2  # kept, all groups being called
    bench.hear({A: UP})
    assert serving(bench, service) == "A"  # who is kept stands by while it is not needed


def test_fail_open_calls_all_groups() -> None:
    service = grouped(PoolRules(Floor(Amount(3), FloorAction.FAIL_OPEN)))
    bench = started(service)
    bench.hear({C: DOWN, D: DOWN})
    assert serving(bench, service) == "AB"
    bench.hear({B: DOWN})
    assert serving(bench, service) == "ABCDE"


def test_a_suspected_failure_calls_nobody_until_it_is_confirmed() -> None:
    reals = tuple(replace(real(f"10.0.1.{n}"), priority_group=1 if n < 4 else 2) for n in range(1, 7))
    service = replace(virtual(*reals), rules=PoolRules(correlated_failure=CorrelatedFailure(50)))
    names = [one.address for one in reals]
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(names, UP))
    bench.now += 100
    bench.hear(dict.fromkeys(names[:3], DOWN))
    assert "failure_suspected" in bench.told()
    assert {one for one, weight in bench.weights(service).items() if weight} == set(names[:3])


def test_who_starts_slowly_sends_nobody_away_before_it_has_its_weight() -> None:
    service = grouped(PoolRules(slow_start=10.0))
    bench = started(service)
    bench.hear({A: DOWN, B: DOWN})
    assert serving(bench, service) == "CD"
    bench.hear({A: UP})
    assert bench.weights(service) == {A: 1, C: 10, D: 10, E: 0}
    for _ in range(8):
        bench.now += 1
        bench.feed(Ticked())
        assert serving(bench, service) == "ACD"
    bench.now += 1
    bench.feed(Ticked())
    assert bench.weights(service) == {A: 10, C: 0, D: 0, E: 0}


def test_the_quorum_counts_who_stands_by_and_the_fallback_takes_all_places() -> None:
    spare = (real(SPARE, check=Check(NoCheck())),)
    service = grouped(quorum=30, fallback=spare)
    bench = started(service)
    bench.hear({A: DOWN, C: DOWN})
    assert serving(bench, service) == "B"
    bench.hear({D: DOWN})
    assert serving(bench, service) == "S"
    bench.hear({D: UP})
    assert serving(bench, service) == "B"


def test_a_reload_takes_the_new_groups_over_and_none_ends_them() -> None:
    service = grouped()
    bench = started(service)
    reals = tuple(replace(one, priority_group=3 - min(one.priority_group, 2)) for one in service.real_servers)
    bench.feed(ConfigChanged(config(replace(service, real_servers=reals))))
    assert serving(bench, service) == "CDE"
    flat = replace(service, real_servers=tuple(replace(one, priority_group=1) for one in reals))
    bench.feed(ConfigChanged(config(flat)))
    assert serving(bench, service) == "ABCDE"
    assert bench.director.pools == {}


def test_it_is_told_once_and_shown() -> None:
    service = grouped(PoolRules(group_minimum=Amount(2)))
    bench = started(service)
    row = views.status(bench.director, bench.now).services[0].real_servers[2]
    assert (row.standing, row.weight_wanted, row.priority_group) == ("standby", 0, 2)
    assert "standby" in render.status(views.status(bench.director, bench.now))
    bench.hear({A: DOWN})
    told = [one for one in bench.effects if isinstance(one, Tell) and one.event.startswith("priority")]
    assert [(one.level, one.event, one.fields) for one in told] == [
        (Level.WARNING, "priority_group_called", {"service": "http", "priority_group": 2, "up": 1, "needed": 2}),
    ]
    bench.hear({A: DOWN})
    assert bench.told() == []
    bench.hear({A: UP})
    assert [one for one in bench.told() if one.startswith("priority")] == ["priority_group_released"]


def test_whom_the_floor_keeps_is_no_reason_to_call_nobody() -> None:
    service = grouped(PoolRules(Floor(Amount(5))))
    bench = started(service)
    bench.hear({A: DOWN, B: DOWN})
    assert serving(bench, service) == "ABCD"  # both are kept, and their clients have better servers beside them
