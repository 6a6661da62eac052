"""Failures all at once: suspected, held, confirmed or not; through the director with a clock moved by hand."""

from __future__ import annotations

from msgspec.structs import replace

from checkers.core.messages import State
from config.checks import Check, NoCheck, TcpCheck, Timing
from config.model import VirtualService
from config.pool_rules import Amount, CorrelatedFailure, Floor, PoolRules
from lvsd.core import views
from lvsd.core.correlation import HURRY_SECONDS, LEAST, PATIENCE
from lvsd.core.effects import HurryChecks
from lvsd.core.events import ConfigChanged, MaintenanceSeen, Ticked
from lvsd.ctl import render
from tests.unit.core.world import Bench, config, real, table, virtual

A, B, C, D = (f"10.0.0.{number}" for number in range(1, 5))
OTHER = "10.0.0.50"
SPARE = "10.0.0.99"
UP, DOWN = State.UP, State.DOWN
INTERVAL, TIMEOUT = 5.0, 3.0
TIMING = Timing(interval=INTERVAL, timeout=TIMEOUT)


def ruled(*addresses: str, share: int = 100, hold: int = 2, floor: Floor | None = None) -> VirtualService:
    reals = (real(address, check=Check(TcpCheck(), TIMING)) for address in addresses)
    spare = (real(SPARE, check=Check(NoCheck())),)
    return replace(virtual(*reals, fallback=spare), rules=PoolRules(floor, CorrelatedFailure(share, hold)))


OF_THREE = ruled(A, B, C)
BESIDE = virtual(real(OTHER, check=Check(TcpCheck(), TIMING)), port=81, name="other")


def started(*services: VirtualService) -> Bench:
    bench = Bench(config(*services))
    bench.hear(dict.fromkeys((A, B, C, D, OTHER), UP))
    bench.now += 100
    return bench


def fail(bench: Bench, *addresses: str) -> list[str]:
    """Each fails a second after the one before."""
    told: list[str] = []
    for address in addresses:
        bench.now += 1
        bench.hear({address: DOWN})
        told += bench.told()
    return told


def probe(bench: Bench, down: tuple[str, ...], up: tuple[str, ...] = ()) -> None:
    """Fresh verdicts that change no state: `since` stays, as a worker reports it."""
    before = dict(bench.director.verdicts)
    bench.hear(dict.fromkeys(down, DOWN) | dict.fromkeys(up, UP))
    kept = {
        identity: replace(one, since=before[identity].since)
        for identity, one in bench.director.verdicts.items()
        if before[identity].state is one.state
    }
    object.__setattr__(bench.director, "verdicts", {**bench.director.verdicts, **kept})


def tick(bench: Bench, seconds: float) -> list[str]:
    bench.now += seconds
    bench.feed(Ticked())
    return bench.told()


def test_the_last_of_all_to_fail_calls_the_others_back_and_the_fallback_waits() -> None:
    bench = started(OF_THREE)
    told = fail(bench, A, B)
    assert told.count("real_server_down") == 2
    assert bench.weights(OF_THREE) == {C: 1}
    told = fail(bench, C)
    assert "failure_suspected" in told
    assert bench.weights(OF_THREE) == {A: 1, B: 1, C: 1}


def test_confirmed_they_go() -> None:
    bench = started(OF_THREE, BESIDE)
    fail(bench, A, B, C)
    bench.now += 2 * INTERVAL
    probe(bench, (A, B, C), (OTHER,))
    told = tick(bench, 0)
    assert told[0] == "failure_confirmed"
    assert told.count("real_server_down") == 3
    assert bench.weights(OF_THREE) == {SPARE: 1}
    assert "failure_suspected" not in fail(bench, A, B, C)


def test_not_before_the_hold_is_over() -> None:
    bench = started(OF_THREE, BESIDE)
    fail(bench, A, B, C)
    bench.now += 2 * INTERVAL - 0.1
    probe(bench, (A, B, C), (OTHER,))
    assert tick(bench, 0) == []
    assert tick(bench, 0.1)[0] == "failure_confirmed"


def test_not_before_each_was_probed_again() -> None:
    bench = started(OF_THREE, BESIDE)
    fail(bench, A, B, C)
    bench.now += 2 * INTERVAL
    probe(bench, (A, B), (OTHER,))
    assert tick(bench, 1000) == []  # the worker may be gone: its last words stand
    assert bench.weights(OF_THREE) == {A: 1, B: 1, C: 1}


def test_they_recover_and_nobody_has_left() -> None:
    bench = started(OF_THREE)
    fail(bench, A, B, C)
    bench.now += INTERVAL
    bench.hear({A: UP, B: UP})
    assert bench.told() == []
    bench.hear({C: UP})
    assert bench.told() == ["failure_not_confirmed"]
    assert bench.weights(OF_THREE) == {A: 1, B: 1, C: 1}
    assert "failure_suspected" in fail(bench, A, B, C)


def test_the_checker_finds_nothing_healthy_anywhere_it_is_held_longer_but_not_for_ever() -> None:
    bench = started(OF_THREE, BESIDE)
    fail(bench, A, B, C, OTHER)
    bench.now += 2 * INTERVAL
    probe(bench, (A, B, C, OTHER))
    assert tick(bench, 0) == []
    assert tick(bench, 2 * INTERVAL * (PATIENCE - 1))[0] == "failure_confirmed"


def test_an_old_success_elsewhere_proves_nothing() -> None:
    bench = started(OF_THREE, BESIDE)
    fail(bench, A, B, C)
    bench.now += 2 * INTERVAL
    probe(bench, (A, B, C))
    assert tick(bench, 0) == []
    probe(bench, (), (OTHER,))
    assert tick(bench, 0)[0] == "failure_confirmed"


def test_a_success_that_failed_since_proves_nothing() -> None:
    bench = started(OF_THREE, BESIDE)
    fail(bench, A, B, C)
    bench.now += 2 * INTERVAL
    probe(bench, (A, B, C), (OTHER,))
    shaken = {
        identity: replace(one, streak=1) if one.state is UP else one
        for identity, one in bench.director.verdicts.items()
    }
    object.__setattr__(bench.director, "verdicts", shaken)
    assert tick(bench, 0) == []


def test_with_nobody_else_to_probe_the_hold_is_enough() -> None:
    bench = started(OF_THREE)
    fail(bench, A, B, C)
    bench.now += 2 * INTERVAL
    probe(bench, (A, B, C))
    assert tick(bench, 0)[0] == "failure_confirmed"


def test_a_neighbour_in_the_same_service_may_prove_it() -> None:
    service = ruled(A, B, C, D, share=75)
    bench = started(service)
    fail(bench, A, B, C)
    bench.now += 2 * INTERVAL
    probe(bench, (A, B, C))
    assert tick(bench, 0) == []
    probe(bench, (), (D,))
    assert tick(bench, 0)[0] == "failure_confirmed"


def hurried(bench: Bench) -> set[str]:
    """Whose checks are to be probed now, by what was done last."""
    names = {name for one in bench.effects if isinstance(one, HurryChecks) for name in one.checks}
    return {address for address in (A, B, C, D) if any(address in name for name in names)}


def test_suspects_are_probed_now_and_then_as_often_as_who_is_up() -> None:
    rarely = Check(TcpCheck(), replace(TIMING, down_interval=600.0))
    service = replace(ruled(A, B, C, D, share=75), real_servers=tuple(real(one, check=rarely) for one in (A, B, C, D)))
    bench = started(service)
    fail(bench, A, B)
    assert hurried(bench) == set()
    assert "failure_suspected" in fail(bench, C)
    assert hurried(bench) == {A, B, C}
    bench.feed(Ticked())
    assert hurried(bench) == set()  # a moment ago
    tick(bench, HURRY_SECONDS)
    assert hurried(bench) == {A, B, C}  # whoever had just been probed was passed over
    probe(bench, (A, B), (D,))
    tick(bench, HURRY_SECONDS)
    assert hurried(bench) == {C}
    probe(bench, (C,))
    tick(bench, INTERVAL - HURRY_SECONDS)
    assert hurried(bench) == {A, B}
    probe(bench, (A, B), (D,))
    assert tick(bench, INTERVAL)[0] == "failure_confirmed"
    tick(bench, 2 * INTERVAL)
    assert hurried(bench) == set()


def test_one_and_two_are_never_suspected() -> None:
    assert LEAST == 3
    service = ruled(A, B)
    bench = started(service)
    told = fail(bench, A, B)
    assert "failure_suspected" not in told
    assert bench.weights(service) == {SPARE: 1}


def test_one_after_the_other_over_more_than_an_interval_is_no_coincidence() -> None:
    bench = started(OF_THREE)
    fail(bench, A)
    bench.now += INTERVAL + TIMEOUT
    told = fail(bench, B, C)
    assert "failure_suspected" not in told
    assert bench.weights(OF_THREE) == {SPARE: 1}


def test_within_an_interval_and_the_slowest_probe_it_is_one() -> None:
    bench = started(OF_THREE)
    fail(bench, A)
    bench.now += INTERVAL + TIMEOUT - 2
    assert "failure_suspected" in fail(bench, B, C)


def test_who_is_kept_by_the_floor_since_long_did_not_fail_now() -> None:
    service = ruled(A, B, C, D, floor=Floor(Amount(3)))
    bench = started(service)
    fail(bench, A)
    bench.now += 1000
    fail(bench, B)
    bench.now += 1000
    fail(bench, C)
    bench.now += 1000
    assert "failure_suspected" not in fail(bench, D)


def test_who_was_down_before_does_not_count_either_way() -> None:
    service = ruled(A, B, C, D)
    bench = started(service)
    fail(bench, D)
    bench.now += 1000
    assert "failure_suspected" in fail(bench, A, B, C)
    assert bench.weights(service) == {A: 1, B: 1, C: 1}


def test_who_is_in_maintenance_does_not_count() -> None:
    service = ruled(A, B, C)
    bench = started(service)
    bench.feed(MaintenanceSeen(frozenset({C})))
    assert "failure_suspected" not in fail(bench, A, B, C)


def test_who_is_well_in_maintenance_does_not_count_either() -> None:
    service = ruled(A, B, C, D)
    bench = started(service)
    bench.feed(MaintenanceSeen(frozenset({D})))
    assert "failure_suspected" in fail(bench, A, B, C)


def test_who_left_for_maintenance_and_failed_there_did_not_fail_in_service() -> None:
    service = ruled(A, B, C)
    bench = started(service)
    bench.feed(MaintenanceSeen(frozenset({A})))
    fail(bench, A)
    bench.feed(MaintenanceSeen(frozenset()))
    assert "failure_suspected" not in fail(bench, B, C)


def test_a_share_and_who_joins() -> None:
    service = ruled(A, B, C, D, share=75)
    bench = started(service)
    assert "failure_suspected" not in fail(bench, A, B)
    assert "failure_suspected" in fail(bench, C)
    assert fail(bench, D) == []
    assert bench.weights(service) == {A: 1, B: 1, C: 1, D: 1}


def test_the_first_verdicts_of_all_are_no_failures() -> None:
    bench = Bench(config(OF_THREE))
    bench.hear(dict.fromkeys((A, B, C), DOWN))
    assert "failure_suspected" not in bench.told()
    assert bench.weights(OF_THREE) == {SPARE: 1}


def test_after_a_restart_what_serves_in_the_kernel_fails_from_service() -> None:
    bench = Bench(config(OF_THREE), table((OF_THREE, {A: 1, B: 1, C: 1})), restarted=True)
    bench.hear(dict.fromkeys((A, B, C), DOWN))
    assert "failure_suspected" in bench.told()
    assert bench.weights(OF_THREE) == {A: 1, B: 1, C: 1}


def test_a_reload_that_takes_the_rule_away_ends_it() -> None:
    bench = started(OF_THREE)
    fail(bench, A, B, C)
    bench.feed(ConfigChanged(config(replace(OF_THREE, rules=PoolRules()))))
    assert bench.weights(OF_THREE) == {SPARE: 1}


def test_with_a_floor_the_suspicion_comes_first() -> None:
    service = ruled(A, B, C, floor=Floor(Amount(2)))
    bench = started(service)
    told = fail(bench, A, B)
    assert "real_server_kept_by_floor" in told
    assert "failure_suspected" in fail(bench, C)
    row = views.status(bench.director, bench.now).services[0]
    assert {one.hold for one in row.real_servers} == {"suspected", ""}
    assert "failure suspected; tcp refused" in render.status(views.status(bench.director, bench.now))


def test_who_has_no_check_cannot_fail_and_does_not_count() -> None:
    always = real(D, check=Check(NoCheck()))
    service = replace(OF_THREE, real_servers=(*OF_THREE.real_servers, always))
    bench = started(service)
    assert "failure_suspected" in fail(bench, A, B, C)


def test_with_nobody_to_probe_there_is_nobody_to_suspect() -> None:
    for reals in ((), (real(A, check=Check(NoCheck())),)):
        bench = Bench(config(replace(OF_THREE, real_servers=reals)))
        bench.feed(Ticked())
        assert bench.director.pools == {}


def test_the_slowest_check_makes_the_window_and_the_hold() -> None:
    slow = (Timing(interval=4 * INTERVAL, timeout=TIMEOUT), Timing(interval=INTERVAL, timeout=4 * TIMEOUT))
    for timing, hold in zip(slow, (4 * INTERVAL, INTERVAL), strict=True):
        reals = (*OF_THREE.real_servers[:2], real(C, check=Check(TcpCheck(), timing)))
        bench = started(replace(OF_THREE, real_servers=reals))
        fail(bench, A)
        bench.now += INTERVAL + TIMEOUT + 1
        assert "failure_suspected" in fail(bench, B, C)
        bench.now += 2 * hold - 1
        probe(bench, (A, B, C))
        assert tick(bench, 0) == []
        assert tick(bench, 1)[0] == "failure_confirmed"


def test_who_is_known_to_be_down_is_hurried_no_more() -> None:
    service = ruled(A, B, C, D, share=75)
    bench = started(service)
    fail(bench, A, B, C)
    bench.now += 2 * INTERVAL
    probe(bench, (A, B, C), (D,))
    tick(bench, 0)
    bench.now += 2 * INTERVAL
    bench.hear({D: DOWN})
    assert hurried(bench) == set()


def test_who_stands_by_and_fails_with_those_that_serve_fails_with_them() -> None:
    """Also when all of them are heard of at once, and nothing is heard of them any more."""
    reals = (*OF_THREE.real_servers[:2], replace(OF_THREE.real_servers[2], priority_group=2))
    service = replace(OF_THREE, real_servers=reals)
    bench = started(service)
    assert bench.weights(service) == {A: 1, B: 1, C: 0}
    bench.hear(dict.fromkeys((A, B, C), DOWN))
    assert "failure_suspected" in bench.told()
    assert bench.weights(service) == {A: 1, B: 1, C: 0}


def test_who_stood_by_and_was_never_seen_well_did_not_fail() -> None:
    reals = (*OF_THREE.real_servers[:2], replace(OF_THREE.real_servers[2], priority_group=2))
    bench = Bench(config(replace(OF_THREE, real_servers=reals)))
    bench.hear(dict.fromkeys((A, B), UP))
    bench.hear(dict.fromkeys((A, B, C), DOWN))
    assert "failure_suspected" not in bench.told()
