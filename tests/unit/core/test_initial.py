"""What is believed of a real server before its first verdict: the table, or what the configuration says."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from checkers.core.messages import AssignedCheck, State, Verdict, Verdicts
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from config.checks import Check, NoCheck, TcpCheck
from config.model import RealServer
from config.words import Initial, OnFailure
from lvsd.core import views
from lvsd.core.effects import AssignChecks
from lvsd.core.events import ConfigChanged, VerdictsHeard
from lvsd.core.identity import check_id, service_key
from tests.unit.core.world import Bench, config, real, table, virtual

A, B = "1.1.1.17", "1.1.1.18"
FAILED = Unhealthy(Reason.REFUSED)
SORRY = real("1.1.1.99", check=Check(NoCheck()))


def first(initial: Initial, address: str = A, weight: int = 1) -> RealServer:
    return replace(real(address, weight), initial=initial)


def assigned(bench: Bench) -> dict[str, tuple[State, bool]]:
    checks: Sequence[AssignedCheck] = next(one for one in bench.greet() if isinstance(one, AssignChecks)).checks
    return {one.target.address: (one.known, one.unseen) for one in checks}


def report(bench: Bench, state: State, outcome: Outcome, probes: int = 1, number: int = 1) -> None:
    """Of A, by a worker that has probed so often."""
    service = bench.director.config.services[0]
    identity = check_id(service, service.real_servers[0], number)
    verdict = Verdict(identity, state, bench.now, outcome, bench.now, 0.002, 0, probes, 0)
    bench.feed(VerdictsHeard(Verdicts(bench.director.generation, (verdict,))))


def test_each_initial_on_an_empty_table() -> None:
    serves = {}
    for initial in Initial:
        service = virtual(first(initial))
        bench = Bench(config(service))
        serves[initial] = bench.weights(service)
        assert assigned(bench)[A][1] is (initial is not Initial.ADOPT)
    assert serves == {Initial.ADOPT: {}, Initial.UNKNOWN: {}, Initial.UP: {A: 1}, Initial.DOWN: {}}


def test_a_table_that_is_not_ours_is_adopted_or_not() -> None:
    for initial in Initial:
        service = virtual(first(initial), real(B))
        bench = Bench(config(service), table((service, {A: 1, B: 1})))
        serves = initial in (Initial.ADOPT, Initial.UP)
        assert bench.weights(service) == ({A: 1, B: 1} if serves else {B: 1}), initial


def test_a_service_that_serves_is_never_emptied() -> None:
    for initial in (Initial.UNKNOWN, Initial.DOWN):
        service = virtual(first(initial), first(initial, B))
        bench = Bench(config(service), table((service, {A: 1})))
        assert bench.weights(service) == {A: 1}
        bench.hear({A: State.DOWN})
        assert bench.weights(service) == {}


def test_who_serves_alone_leaves_where_another_one_is_presumed_up() -> None:
    service = virtual(first(Initial.DOWN), first(Initial.UP, B))
    bench = Bench(config(service), table((service, {A: 1})))
    assert bench.weights(service) == {B: 1}


def test_a_table_of_ours_that_serves_is_a_predecessors_word_on_all() -> None:
    for initial in Initial:
        service = virtual(first(initial), real(B), first(Initial.UP, "1.1.1.19"))
        ours = frozenset({service_key(service.virtual)})
        bench = Bench(config(service), table((service, {A: 1, B: 1})), ours, restarted=True)
        assert bench.weights(service) == {A: 1, B: 1}  # 1.1.1.19 was down when the predecessor ended
        assert assigned(bench) == dict.fromkeys((A, B, "1.1.1.19"), (State.UNKNOWN, False))


def test_an_empty_table_of_ours_says_nothing() -> None:
    service = virtual(first(Initial.UP))
    bench = Bench(config(service), table((service, {})), frozenset({service_key(service.virtual)}))
    assert bench.weights(service) == {A: 1}


def test_who_joins_by_a_reload_is_presumed_and_who_is_known_is_not() -> None:
    before, after = virtual(real(A), real(B)), virtual(first(Initial.UP), real(B), first(Initial.UP, "1.1.1.19"))
    bench = Bench(config(before))
    bench.hear({A: State.DOWN, B: State.UP})
    bench.feed(ConfigChanged(config(after)))
    assert bench.weights(after) == {B: 1, "1.1.1.19": 1}


def test_a_presumption_outlives_a_reload_until_it_is_said_otherwise() -> None:
    service = virtual(first(Initial.UP), real(B))
    bench = Bench(config(service))
    bench.feed(ConfigChanged(config(replace(service, scheduler="rr"))))
    assert bench.weights(service) == {A: 1}
    bench.feed(ConfigChanged(config(virtual(first(Initial.DOWN), real(B)))))
    assert assigned(bench)[A] == (State.UNKNOWN, False)
    assert not bench.director.presumed


def test_who_is_presumed_up_leaves_when_its_worker_says_so_and_not_before() -> None:
    service = virtual(first(Initial.UP))
    bench = Bench(config(service))
    assert assigned(bench)[A] == (State.UP, True)
    assert bench.told() == ["worker_connected"]
    report(bench, State.UP, Inconclusive(), probes=0)  # the worker repeats what it was told
    assert not bench.director.verdicts
    report(bench, State.UP, FAILED)  # the first of three
    assert bench.weights(service) == {A: 1}
    assert not bench.director.presumed
    report(bench, State.DOWN, FAILED, probes=3)
    assert bench.weights(service) == {}


def test_who_is_presumed_down_waits_for_all_its_successes_without_being_down_for_anybody() -> None:
    service = virtual(first(Initial.DOWN), fallback=(SORRY,))
    bench = Bench(config(service))
    assert assigned(bench)[A] == (State.DOWN, True)
    report(bench, State.DOWN, Healthy())
    row = views.status(bench.director, bench.now).services[0].real_servers[0]
    assert (row.standing, row.result) == ("unknown", "ok")
    assert "real_server_down" not in bench.told()
    assert bench.weights(service) == {}  # the fallback waits, as at every start
    report(bench, State.UP, Healthy(), probes=2)
    assert bench.weights(service) == {A: 1}
    assert "real_server_up" in bench.told()


def test_who_is_presumed_down_and_fails_is_down() -> None:
    service = virtual(first(Initial.DOWN), fallback=(SORRY,))
    bench = Bench(config(service))
    report(bench, State.DOWN, Inconclusive())
    assert bench.director.presumed
    report(bench, State.DOWN, FAILED, probes=2)
    assert "real_server_down" in bench.told()
    assert bench.weights(service) == {"1.1.1.99": 1}


def test_one_that_is_withheld_keeps_its_place_at_weight_zero_where_servers_do() -> None:
    service = virtual(first(Initial.UNKNOWN), real(B), on_failure=OnFailure.QUIESCE)
    bench = Bench(config(service), table((service, {A: 1, B: 1})))
    assert bench.weights(service) == {A: 0, B: 1}


def test_all_checks_are_presumed_but_those_that_are_not_probed() -> None:
    service = virtual(replace(first(Initial.UNKNOWN), further_checks=(Check(NoCheck()), Check(TcpCheck(), port=81))))
    bench = Bench(config(service))
    assert list(bench.director.presumed) == [check_id(service, service.real_servers[0], number) for number in (1, 3)]
    report(bench, State.UP, Healthy())
    assert bench.weights(service) == {}
    report(bench, State.UP, Healthy(), number=3)
    assert bench.weights(service) == {A: 1}
