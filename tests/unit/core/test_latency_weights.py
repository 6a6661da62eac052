"""Weights that follow latencies: compared with the others, in steps, seldom, and never against other words."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from checkers.core.messages import State, Verdicts
from checkers.core.outcome import Reason, Unhealthy
from config.model import VirtualService
from config.pool_rules import LatencyWeights, PoolRules
from config.words import WEIGHING_SCHEDULERS
from lvsd.core import views
from lvsd.core.events import ConfigChanged, OverridesSet, Ticked, VerdictsHeard
from lvsd.core.identity import check_id, real_id
from lvsd.core.latency import NOISE_SECONDS, PACE_SECONDS, Speed, measured, shared, weight
from lvsd.core.pool_state import Override, OverrideKind
from lvsd.ctl import render
from tests.unit.core.world import Bench, config, real, virtual
from tests.unit.core.world import verdict as verdict_of

A, B, C = "1.1.1.17", "1.1.1.18", "1.1.1.19"
UP, DOWN = State.UP, State.DOWN
RULE = LatencyWeights()
WEB = replace(virtual(real(A, 100), real(B, 100), real(C, 100)), rules=PoolRules(latency_weights=RULE))
EVEN = {A: 0.02, B: 0.02, C: 0.02}


def hear(bench: Bench, latencies: dict[str, float], times: int = 1) -> None:
    """So many verdicts on each, a pace apart."""
    for _ in range(times):
        bench.now += PACE_SECONDS
        heard = tuple(
            replace(verdict_of(check_id(service, one), UP, bench.now), latency=latencies[one.address])
            for service in bench.director.config.services
            for one in service.real_servers
            if one.address in latencies
        )
        bench.feed(VerdictsHeard(Verdicts(bench.director.generation, heard)))


def settled(service: VirtualService = WEB) -> Bench:
    bench = Bench(config(service))
    hear(bench, EVEN, 4)
    return bench


def test_who_is_slow_gets_less_and_all_of_it_when_it_is_fast_again() -> None:
    bench = settled()
    assert bench.weights(WEB) == {A: 100, B: 100, C: 100}
    hear(bench, {**EVEN, A: 0.06}, 30)
    slow = bench.weights(WEB)
    assert (slow[B], slow[C]) == (100, 100)
    assert 45 <= slow[A] <= 56  # 150 % of the median is bearable, three times as long is half
    hear(bench, EVEN, 30)
    assert bench.weights(WEB) == {A: 100, B: 100, C: 100}


def test_never_below_the_minimum() -> None:
    bench = settled()
    hear(bench, {**EVEN, A: 5.0}, 10)
    assert bench.weights(WEB)[A] == 25


def test_all_slow_together_is_nobody_slow() -> None:
    bench = settled()
    hear(bench, dict.fromkeys(EVEN, 2.0), 10)
    assert bench.weights(WEB) == {A: 100, B: 100, C: 100}


def test_a_difference_that_is_small_in_itself_is_none() -> None:
    bench = Bench(config(WEB))
    hear(bench, {A: NOISE_SECONDS, B: 0.0001, C: 0.0001}, 20)
    assert bench.weights(WEB) == {A: 100, B: 100, C: 100}


def test_it_is_seldom_set() -> None:
    bench = settled()
    plans = 0
    for _ in range(100):
        bench.now -= PACE_SECONDS - 1
        hear(bench, {**EVEN, A: 0.06 if bench.now % 2 else 0.07})
        plans += bool(bench.operations())
    assert 1 <= plans <= 100 / PACE_SECONDS


def test_a_share_is_set_again_only_a_pace_later() -> None:
    """A verdict may come at any time, as outcomes change."""
    fast, slow = Speed(0.02, 1.0), Speed(0.06, 1.0)
    first = shared(RULE, {"a": fast, "b": slow}, 100.0)
    assert first["b"].share == 50
    slower = {**first, "b": replace_speed(first["b"], 0.2)}
    assert shared(RULE, slower, 100.0 + PACE_SECONDS - 1)["b"].share == 50
    assert shared(RULE, slower, 100.0 + PACE_SECONDS)["b"].share == 25


def replace_speed(speed: Speed, seconds: float) -> Speed:
    return dataclasses.replace(speed, seconds=seconds)


def test_what_is_repeated_counts_once() -> None:
    once = measured(Speed(0.02, 10.0), 0.06, 25.0)
    assert once.seconds == pytest.approx(0.03)
    assert measured(once, 0.06, 25.0) == once


def test_a_failure_says_nothing_of_speed() -> None:
    bench = settled()
    before = bench.director.pools
    refused = replace(
        verdict_of(check_id(WEB, WEB.real_servers[0]), UP, bench.now + 1, Unhealthy(Reason.REFUSED)), latency=9.0
    )
    bench.feed(VerdictsHeard(Verdicts(1, (refused,))))
    assert bench.director.pools == before


@pytest.mark.parametrize("scheduler", ["sh", "mh", "dh", "rr", "lc", "fo", "ovf"])
def test_only_where_weights_are_shares(scheduler: str) -> None:
    assert scheduler not in WEIGHING_SCHEDULERS
    service = replace(WEB, scheduler=scheduler, flags=8 if scheduler in ("sh", "mh") else 0)
    bench = settled(service)
    hear(bench, {**EVEN, A: 5.0}, 10)
    assert bench.weights(service) == {A: 100, B: 100, C: 100}
    assert not bench.director.pools


def test_a_persons_weight_counts_and_the_servers_own_is_what_the_share_is_of() -> None:
    bench = settled()
    hear(bench, {**EVEN, A: 5.0}, 10)
    name = real_id(WEB, WEB.real_servers[0])
    bench.feed(OverridesSet({name: Override(OverrideKind.WEIGHT, 70)}))
    assert bench.weights(WEB)[A] == 70
    bench.feed(OverridesSet({name: None}))
    bench.hear_check(A, 1, UP, weight=40)
    assert bench.weights(WEB)[A] == 10


def test_not_while_it_starts_slowly_and_one_that_failed_begins_anew() -> None:
    service = replace(WEB, rules=PoolRules(latency_weights=RULE, slow_start=60.0))
    bench = settled(service)
    hear(bench, {**EVEN, A: 5.0}, 10)
    assert bench.weights(service)[A] == 25
    bench.hear({A: DOWN})
    bench.hear({A: UP})
    assert bench.weights(service)[A] == 10
    hear(bench, {**EVEN, A: 5.0}, 1)
    bench.now += 15
    bench.feed(Ticked())
    assert bench.weights(service)[A] == 60  # half a minute of its slow start
    bench.now += 60
    bench.feed(Ticked())
    assert bench.weights(service)[A] == 100
    hear(bench, {**EVEN, A: 5.0}, 3)
    assert bench.weights(service)[A] == 25


def test_a_reload_without_the_rule_gives_all_of_it_back() -> None:
    bench = settled()
    hear(bench, {**EVEN, A: 5.0}, 10)
    bench.feed(ConfigChanged(config(replace(WEB, rules=PoolRules()))))
    assert bench.weights(WEB) == {A: 100, B: 100, C: 100}
    assert bench.director.pools == {}


def test_it_is_shown() -> None:
    bench = settled()
    hear(bench, {**EVEN, A: 5.0}, 10)
    rows = views.status(bench.director, bench.now).services[0].real_servers
    assert [one.latency_share for one in rows] == [25, None, None]
    assert "slow: 25 % of its weight; tcp ok" in render.status(views.status(bench.director, bench.now))


@pytest.mark.parametrize(("whole", "share", "given"), [(100, 25, 25), (1, 25, 1), (0, 25, 0), (3, 50, 1), (7, 100, 7)])
def test_parts(whole: int, share: int, given: int) -> None:
    assert weight(whole, share) == given


def test_one_alone_has_its_whole_share() -> None:
    assert shared(RULE, {"a": Speed(9.0, 1.0, 25)}, 100.0)["a"].share == 100
