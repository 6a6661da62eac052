"""Real servers that fail again and again, and such that wait for a person."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from config.checks import Check, NoCheck
from config.model import VirtualService
from config.pool_rules import Amount, Floor, HoldDown, PoolRules
from lvsd.core import overrides, views
from lvsd.core.effects import RememberOverrides, Tell
from lvsd.core.events import ConfigChanged, MaintenanceSeen, OverridesSet, Ticked
from lvsd.core.flapping import Flaps, failed
from lvsd.core.overrides import Asked, Refused
from lvsd.core.pool_state import Override, OverrideKind
from lvsd.ctl import render
from tests.unit.core.world import Bench, config, real, table, virtual

A, B, C = "1.1.1.17", "1.1.1.18", "1.1.1.19"
UP, DOWN = State.UP, State.DOWN
RULE = HoldDown(10.0, 60.0, 100.0)
DAMPED = replace(virtual(real(A), real(B)), rules=PoolRules(hold_down=RULE))
MANUAL = replace(virtual(real(A), real(B)), rules=PoolRules(manual_resume=True))


def started(service: VirtualService = DAMPED) -> Bench:
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    return bench


def flap(bench: Bench, seconds: float = 1.0) -> bool:
    """Fail, and pass again so much later: whether it serves then."""
    bench.hear({A: DOWN})
    bench.now += seconds
    bench.hear({A: UP})
    return A in bench.weights(DAMPED)


def seconds_out(bench: Bench) -> int:
    """How long it stays out, in whole seconds of ticks."""
    for passed in range(1000):
        if A in bench.weights(DAMPED):
            return passed
        bench.now += 1
        bench.feed(Ticked())
    return 1000


def test_the_first_failure_costs_nothing_and_each_further_one_twice_as_much() -> None:
    bench = started()
    assert flap(bench)
    found = []
    for _ in range(5):
        assert not flap(bench)
        found.append(seconds_out(bench) + 1)
    assert found == [10, 20, 40, 60, 60]


def test_failures_are_forgotten_after_good_service() -> None:
    assert failed(RULE, Flaps(3, 120.0), 219.9) == Flaps(4, 219.9 + 40)
    assert failed(RULE, Flaps(3, 120.0), 220.0) == Flaps(1, 220.0)
    assert failed(RULE, Flaps(10**6, 120.0), 121.0) == Flaps(10**6 + 1, 181.0)


def test_who_is_down_longer_than_its_hold_comes_back_at_once() -> None:
    bench = started()
    flap(bench)
    assert flap(bench, 10.0)


def test_maintenance_is_no_failure() -> None:
    bench = started()
    flap(bench)
    bench.feed(MaintenanceSeen(frozenset({A})))
    bench.feed(MaintenanceSeen(frozenset()))
    assert A in bench.weights(DAMPED)


def test_it_is_told_once_and_shown() -> None:
    bench = started()
    flap(bench)
    flap(bench)
    told = [one for one in bench.effects if isinstance(one, Tell)]
    assert [(one.event, one.fields.get("failures")) for one in told] == [("real_server_held_down", 2)]
    reply = views.status(bench.director, bench.now)
    row = reply.services[0].real_servers[0]
    assert (row.standing, row.state, row.hold) == ("out", "up", "flapping")
    assert "held down after failures; tcp ok" in render.status(reply)
    bench.now += 1
    bench.feed(Ticked())
    assert bench.effects == []
    bench.now += 10
    bench.feed(Ticked())
    assert bench.told() == ["real_server_up", "table_changed"]


def test_while_its_checks_fail_they_alone_are_told() -> None:
    bench = started()
    flap(bench)
    bench.hear({A: DOWN})
    bench.feed(Ticked())
    assert bench.told() == []
    assert [one.hold for one in views.status(bench.director, bench.now).services[0].real_servers] == ["", ""]


def test_a_reload_without_the_rule_lets_it_in() -> None:
    bench = started()
    flap(bench)
    assert not flap(bench)
    bench.feed(ConfigChanged(config(replace(DAMPED, rules=PoolRules()))))
    assert A in bench.weights(DAMPED)
    assert bench.director.pools == {}


def test_the_floor_calls_back_who_is_well_first() -> None:
    service = replace(DAMPED, rules=PoolRules(Floor(Amount(1)), hold_down=RULE))
    bench = started(service)
    flap(bench)
    assert not flap(bench)
    bench.hear({B: DOWN})
    assert bench.weights(service) == {A: 1}  # not B, whose checks fail
    bench.feed(MaintenanceSeen(frozenset({A})))
    assert bench.weights(service) == {B: 1}


def test_with_manual_resume_it_stays_out_until_a_person_enables_it() -> None:
    bench = started(MANUAL)
    bench.hear({A: DOWN})
    assert bench.told() == ["real_server_down", "table_changed"]
    (remembered,) = (one for one in bench.effects if isinstance(one, RememberOverrides))
    assert [one.kind for one in remembered.overrides.values()] == [OverrideKind.AWAIT]
    bench.now += 5
    bench.hear({A: UP})
    assert bench.weights(MANUAL) == {B: 1}
    assert "awaits `lvsctl enable` since 5.0s; tcp ok" in render.status(views.status(bench.director, bench.now))
    bench.feed(ConfigChanged(config(MANUAL)))
    assert bench.weights(MANUAL) == {B: 1}
    changes = overrides.decided(bench.director, Asked(A, None, 0), bench.now)
    assert not isinstance(changes, Refused)
    bench.feed(OverridesSet(changes))
    assert bench.weights(MANUAL) == {A: 1, B: 1}


def test_at_the_start_nobody_waits() -> None:
    bench = Bench(config(MANUAL))
    bench.hear({A: DOWN, B: UP})
    bench.hear({A: UP})
    assert bench.weights(MANUAL) == {A: 1, B: 1}


def test_maintenance_needs_no_enabling() -> None:
    bench = started(MANUAL)
    bench.feed(MaintenanceSeen(frozenset({A})))
    bench.feed(MaintenanceSeen(frozenset()))
    assert bench.weights(MANUAL) == {A: 1, B: 1}


def test_a_reload_to_automatic_ends_the_waiting() -> None:
    bench = started(MANUAL)
    bench.hear({A: DOWN})
    bench.hear({A: UP})
    bench.feed(ConfigChanged(config(replace(MANUAL, rules=PoolRules()))))
    assert bench.weights(MANUAL) == {A: 1, B: 1}


def test_each_is_reckoned_with_by_itself() -> None:
    service = replace(DAMPED, real_servers=(*DAMPED.real_servers, real("1.1.1.19")))
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP, "1.1.1.19": UP})
    for left in (({A, B, "1.1.1.19"}), {"1.1.1.19"}):  # the first failure of each, and the second
        for address in (A, B):
            bench.hear({address: DOWN})
            bench.now += 1
            bench.hear({address: UP})
        assert set(bench.weights(service)) == left


def test_a_hold_never_leaves_nobody() -> None:
    bench = started()
    for _ in range(3):
        bench.hear({A: DOWN, B: DOWN})
        bench.now += 1
        bench.hear({A: UP, B: UP})
        assert bench.weights(DAMPED) == {A: 1, B: 1}


@pytest.mark.parametrize("gone", ["failed", "maintenance", "drained"])
def test_who_is_held_is_let_go_for_good_when_the_others_leave(gone: str) -> None:
    bench = started()
    flap(bench)
    assert not flap(bench)
    match gone:
        case "failed":
            bench.hear({B: DOWN})
        case "maintenance":
            bench.feed(MaintenanceSeen(frozenset({B})))
        case _:
            drained = Override(OverrideKind.DRAIN, 0, since=bench.now)
            bench.feed(OverridesSet({f"tcp 1.1.1.12:80 > {B}:80": drained}))
    assert bench.weights(DAMPED).get(A) == 1
    bench.feed(MaintenanceSeen(frozenset()))
    bench.feed(OverridesSet({f"tcp 1.1.1.12:80 > {B}:80": None}))
    bench.hear({B: UP})
    assert bench.weights(DAMPED) == {A: 1, B: 1}
    assert not flap(bench)
    assert seconds_out(bench) + 1 == 20  # the third failure: being let go was none


def test_a_hold_does_not_take_a_service_below_its_floor() -> None:
    service = replace(virtual(real(A), real(B), real(C)), rules=PoolRules(Floor(Amount(2)), hold_down=RULE))
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP, C: UP})
    flap(bench)
    assert not flap(bench)
    bench.hear({B: DOWN})
    assert bench.weights(service) == {A: 1, C: 1}
    assert "floor_broken" not in bench.told()


def test_one_that_was_not_probed_yet_and_serves_lets_nobody_go() -> None:
    bench = Bench(config(DAMPED), table((DAMPED, {A: 1, B: 1})))
    bench.hear({A: UP})
    flap(bench)
    assert not flap(bench)


def test_a_hold_does_not_hand_a_service_to_its_fallback() -> None:
    service = replace(
        virtual(real(A), real(B), real(C), fallback=(real("1.1.1.30", check=Check(NoCheck())),)),
        quorum=2,
        rules=PoolRules(hold_down=RULE),
    )
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP, C: UP})
    flap(bench)
    assert not flap(bench)
    assert bench.weights(service) == {B: 1, C: 1}
    bench.hear({B: DOWN})
    assert bench.weights(service) == {A: 1, C: 1}
    alone = replace(service, fallback=())
    bench = Bench(config(alone))
    bench.hear({A: UP, B: UP, C: UP})
    flap(bench)
    assert not flap(bench)
    bench.hear({B: DOWN})
    assert bench.weights(alone) == {C: 1}  # without a fallback a quorum holds nobody
