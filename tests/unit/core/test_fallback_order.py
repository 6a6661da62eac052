"""Fallback servers whose health is checked: the first that is well serves alone."""

from __future__ import annotations

from msgspec.structs import replace

from checkers.core.messages import State, Verdicts
from config.checks import Check, NoCheck
from config.model import VirtualService
from config.pool_rules import Amount, Floor, FloorAction, PoolRules
from config.words import OnFailure
from lvsd.core import views
from lvsd.core.assignment import assigned_checks
from lvsd.core.effects import Tell
from lvsd.core.events import ConfigChanged, MaintenanceSeen, VerdictsHeard
from lvsd.core.identity import check_id
from lvsd.ctl import render
from netlink.operations import AddDestination, DeleteDestination
from tests.unit.core.world import Bench, config, real, virtual
from tests.unit.core.world import verdict as verdict_of

A, B = "1.1.1.17", "1.1.1.18"
FIRST, SECOND, LAST = "1.1.1.91", "1.1.1.92", "1.1.1.99"
UP, DOWN = State.UP, State.DOWN
SERVICE = virtual(real(A), real(B), fallback=(real(FIRST), real(SECOND, 7), real(LAST, check=Check(NoCheck()))))
CHECKED = replace(SERVICE, fallback=SERVICE.fallback[:2])


def spares(bench: Bench, states: dict[str, State]) -> None:
    """A worker's report on fallback servers."""
    heard = tuple(
        verdict_of(check_id(service, one), states[one.address], bench.now)
        for service in bench.director.config.services
        for one in service.fallback
        if one.address in states
    )
    bench.feed(VerdictsHeard(Verdicts(bench.director.generation, heard)))


def lost(service: VirtualService, **states: State) -> Bench:
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    spares(bench, {FIRST: states.get("first", UP), SECOND: states.get("second", UP)})
    bench.hear({A: DOWN, B: DOWN})
    return bench


def test_their_checks_are_assigned() -> None:
    bench = Bench(config(SERVICE))
    bench.greet()
    assert [one.id.rpartition(" ")[2] for one in assigned_checks(bench.director, 1)] == [
        f"{address}:80" for address in (A, B, FIRST, SECOND)
    ]


def test_the_first_that_is_well_serves_alone() -> None:
    bench = lost(SERVICE)
    assert bench.weights(SERVICE) == {FIRST: 1}
    spares(bench, {FIRST: DOWN})
    assert bench.weights(SERVICE) == {SECOND: 7}
    kinds = [type(one) for one in bench.operations()]
    assert kinds == [AddDestination, DeleteDestination]
    spares(bench, {SECOND: DOWN})
    assert bench.weights(SERVICE) == {LAST: 1}  # without a check: always healthy
    spares(bench, {SECOND: UP})
    assert bench.weights(SERVICE) == {SECOND: 7}
    spares(bench, {FIRST: UP})
    assert bench.weights(SERVICE) == {FIRST: 1}
    bench.hear({A: UP})
    assert bench.weights(SERVICE) == {A: 1}


def test_without_any_check_all_serve() -> None:
    spare = tuple(real(address, check=Check(NoCheck())) for address in (FIRST, SECOND))
    service = replace(SERVICE, fallback=spare)
    bench = Bench(config(service))
    bench.hear({A: DOWN, B: DOWN})
    assert bench.weights(service) == {FIRST: 1, SECOND: 1}


def test_one_never_seen_well_is_passed_over() -> None:
    bench = Bench(config(SERVICE))
    bench.hear({A: DOWN, B: DOWN})
    assert bench.weights(SERVICE) == {LAST: 1}
    spares(bench, {FIRST: UP})
    assert bench.weights(SERVICE) == {FIRST: 1}


def test_one_that_serves_goes_on_over_a_restart() -> None:
    bench = lost(SERVICE, first=DOWN).restarted()
    bench.hear({A: DOWN, B: DOWN})
    assert bench.weights(SERVICE) == {SECOND: 7}
    spares(bench, {FIRST: DOWN, SECOND: UP})
    assert bench.weights(SERVICE) == {SECOND: 7}


def test_where_none_is_well_the_real_servers_that_are_go_on() -> None:
    service = replace(CHECKED, quorum=2)
    bench = lost(service, first=DOWN, second=DOWN)
    assert bench.weights(service) == {}
    bench.hear({A: UP})
    assert bench.weights(service) == {A: 1}
    spares(bench, {SECOND: UP})
    assert bench.weights(service) == {SECOND: 7}


def test_a_broken_floor_that_says_sorry_takes_them_in_order_too() -> None:
    service = replace(CHECKED, rules=PoolRules(Floor(Amount(2), FloorAction.SORRY)))
    bench = lost(service, first=DOWN)
    bench.hear({A: UP})
    assert bench.weights(service) == {SECOND: 7}


def test_who_waits_in_the_table_waits_at_weight_zero() -> None:
    waiting = tuple(replace(one, on_failure=OnFailure.QUIESCE) for one in CHECKED.fallback)
    service = replace(CHECKED, fallback=waiting)
    assert lost(service).weights(service) == {FIRST: 1, SECOND: 0}


def test_one_in_maintenance_is_passed_over() -> None:
    bench = lost(SERVICE)
    bench.feed(MaintenanceSeen(frozenset({FIRST})))
    assert bench.weights(SERVICE) == {SECOND: 7}
    bench.feed(MaintenanceSeen(frozenset()))
    assert bench.weights(SERVICE) == {FIRST: 1}


def test_a_real_server_may_be_a_checked_fallback_of_its_own_service() -> None:
    service = replace(virtual(real(A), real(B), fallback=(real(A, 9), real(FIRST))), quorum=2)
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    spares(bench, {FIRST: UP})
    bench.hear({B: DOWN})
    assert bench.weights(service) == {A: 9}
    bench.hear({A: DOWN})
    assert bench.weights(service) == {FIRST: 1}


def test_their_health_is_told_once_and_shown() -> None:
    bench = Bench(config(SERVICE))
    spares(bench, {FIRST: UP, SECOND: UP})
    assert bench.told() == ["fallback_server_up", "fallback_server_up"]
    spares(bench, {FIRST: DOWN})
    told = [one for one in bench.effects if isinstance(one, Tell)]
    assert [(one.event, one.fields["real_server"]) for one in told] == [("fallback_server_down", f"{FIRST}:80")]
    bench.feed(ConfigChanged(config(SERVICE)))
    assert "fallback_server_down" not in bench.told()
    rows = views.status(bench.director, bench.now).services[0].real_servers
    assert [(one.standing, one.state, one.check) for one in rows if one.fallback] == [
        ("out", "down", "tcp"), ("spare", "up", "tcp"), ("spare", "up", "fallback"),
    ]  # fmt: skip
    assert "tcp refused" in render.status(views.status(bench.director, bench.now))


def test_it_runs_no_hook_and_starts_no_ramp() -> None:
    hooked = replace(real(FIRST), on_up=("/bin/up",), on_down=("/bin/down",))
    rules = PoolRules(slow_start=30.0, manual_resume=True)
    service = replace(SERVICE, fallback=(hooked,), rules=rules)
    bench = Bench(config(service))
    spares(bench, {FIRST: UP})
    spares(bench, {FIRST: DOWN})
    assert bench.commands() == []
    spares(bench, {FIRST: UP})
    assert bench.commands() == []
    assert not bench.director.overrides
    assert not bench.director.pools
