"""Real servers that come back get their weight in steps; never at the start."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from config.model import VirtualService
from config.pool_rules import PoolRules
from lvsd.core import views
from lvsd.core.events import ConfigChanged, MaintenanceSeen, OverridesSet, Ticked
from lvsd.core.pool_state import Override, OverrideKind
from lvsd.core.slow_start import STEPS, step, weight
from lvsd.ctl import render
from tests.unit.core.world import Bench, config, real, table, virtual

A, B = "1.1.1.17", "1.1.1.18"
UP, DOWN = State.UP, State.DOWN
SLOW = replace(virtual(real(A, 100), real(B, 100)), rules=PoolRules(slow_start=30.0))


def returned(service: VirtualService = SLOW) -> Bench:
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    bench.hear({A: DOWN})
    bench.hear({A: UP})
    return bench


def tick(bench: Bench, seconds: float) -> int:
    bench.now += seconds
    bench.feed(Ticked())
    return bench.weights(SLOW)[A]


@pytest.mark.parametrize(
    ("elapsed", "at"), [(0.0, 1), (2.9, 1), (3.0, 2), (15.0, 6), (26.9, 9), (27.0, 10), (99.0, 10)]
)
def test_steps(elapsed: float, at: int) -> None:
    assert step(100.0, 30.0, 100.0 + elapsed) == at


@pytest.mark.parametrize(
    ("whole", "at", "part"), [(100, 1, 10), (100, 10, 100), (5, 1, 1), (5, 5, 2), (1, 1, 1), (0, 1, 0)]
)
def test_parts(whole: int, at: int, part: int) -> None:
    assert weight(whole, at) == part


def test_the_weight_grows_with_time() -> None:
    bench = returned()
    assert bench.weights(SLOW) == {A: 10, B: 100}
    assert [tick(bench, 3.0) for _ in range(STEPS)] == [20, 30, 40, 50, 60, 70, 80, 90, 100, 100]
    assert tick(bench, 1.0) == 100
    assert bench.effects == []
    assert bench.director.pools == {}


def test_without_the_rule_all_of_it_at_once() -> None:
    service = replace(SLOW, rules=PoolRules())
    assert returned(service).weights(service) == {A: 100, B: 100}


def test_nothing_is_sent_between_two_steps() -> None:
    bench = returned()
    tick(bench, 1.0)
    assert bench.operations() == []


def test_not_at_the_start_and_not_at_a_restart() -> None:
    bench = Bench(config(SLOW))
    bench.hear({A: UP, B: UP})
    assert bench.weights(SLOW) == {A: 100, B: 100}
    again = Bench(config(SLOW), table((SLOW, {B: 100})), restarted=True)
    again.hear({A: UP, B: UP})
    assert again.weights(SLOW) == {A: 100, B: 100}


def test_who_leaves_on_its_way_begins_anew() -> None:
    bench = returned()
    assert tick(bench, 15.0) == 60
    bench.hear({A: DOWN})
    assert bench.director.pools == {}
    bench.now += 1
    bench.hear({A: UP})
    assert bench.weights(SLOW)[A] == 10


def test_after_maintenance_too() -> None:
    bench = returned()
    tick(bench, 60.0)
    bench.feed(MaintenanceSeen(frozenset({A})))
    bench.feed(MaintenanceSeen(frozenset()))
    assert bench.weights(SLOW)[A] == 10


def test_a_persons_weight_counts_at_once() -> None:
    bench = returned()
    identity = f"tcp 1.1.1.12:80 > {A}:80"
    bench.feed(OverridesSet({identity: Override(OverrideKind.WEIGHT, 70)}))
    assert bench.weights(SLOW)[A] == 70


def test_the_quorum_counts_the_whole_weight() -> None:
    service = replace(SLOW, quorum=200)
    bench = returned(service)
    assert "quorum_gained" in bench.told()


def test_a_reload_without_the_rule_gives_the_whole_weight() -> None:
    bench = returned()
    bench.feed(ConfigChanged(config(replace(SLOW, rules=PoolRules()))))
    assert bench.weights(SLOW) == {A: 100, B: 100}
    bench.feed(Ticked())
    assert bench.effects == []


def test_a_reload_with_it_goes_on() -> None:
    bench = returned()
    tick(bench, 15.0)
    bench.feed(ConfigChanged(config(SLOW)))
    assert bench.weights(SLOW)[A] == 60


def test_it_is_shown() -> None:
    bench = returned()
    assert tick(bench, 15.0) == 60
    reply = views.status(bench.director, bench.now)
    assert [one.slow_start for one in reply.services[0].real_servers] == [60, None]
    assert "slow start at 60 %; tcp ok" in render.status(reply)


def test_several_are_on_their_way_each_by_its_own_clock() -> None:
    bench = returned()
    tick(bench, 15.0)
    bench.hear({B: DOWN})
    bench.hear({B: UP})
    assert bench.weights(SLOW) == {A: 60, B: 10}
    tick(bench, 12.0)
    assert bench.weights(SLOW) == {A: 100, B: 50}
    tick(bench, 6.0)
    assert bench.weights(SLOW) == {A: 100, B: 70}
