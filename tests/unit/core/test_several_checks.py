"""Several checks of one real server: one word on it, told once; the weight it asks for itself."""

from __future__ import annotations

from msgspec.structs import replace

from checkers.core.messages import State, Verdicts
from checkers.core.outcome import Reason, Unhealthy
from config.checks import Check, ExternalCheck, NoCheck, TcpCheck
from config.model import RealServer
from config.words import OnFailure
from lvsd.core import views
from lvsd.core.effects import AssignChecks, Tell
from lvsd.core.events import ConfigChanged, VerdictsHeard
from lvsd.core.health import WEIGHT_LIMIT
from lvsd.core.identity import check_id
from lvsd.ctl import render
from tests.unit.core.world import Bench, config, real, table, verdict, virtual

A, B = "1.1.1.17", "1.1.1.18"
DYNAMIC = Check(ExternalCheck(("/bin/true",), dynamic=True))


def checked_twice(address: str, *further: Check) -> RealServer:
    return replace(real(address), further_checks=further or (Check(TcpCheck(), port=8080),))


TWICE = virtual(checked_twice(A), real(B))


def test_a_real_server_is_up_when_all_its_checks_are() -> None:
    bench = Bench(config(TWICE))
    bench.hear_check(A, 1, State.UP)
    assert bench.weights(TWICE) == {}
    bench.hear_check(A, 2, State.UP)
    assert bench.weights(TWICE) == {A: 1}


def test_it_is_down_when_one_is_and_told_once_with_the_reason_of_that_one() -> None:
    bench = Bench(config(TWICE))
    bench.hear_check(A, 1, State.UP)
    bench.hear_check(A, 2, State.UP)
    bench.hear_check(A, 2, State.DOWN, Unhealthy(Reason.STATUS, "503"))
    told = [one for one in bench.effects if isinstance(one, Tell) and one.event == "real_server_down"]
    assert [(one.fields["reason"], one.fields["detail"]) for one in told] == [("status", "503")]
    assert bench.weights(TWICE) == {}
    bench.hear_check(A, 1, State.DOWN)
    assert "real_server_down" not in bench.told()
    bench.hear_check(A, 2, State.UP)
    assert bench.told() == []
    bench.hear_check(A, 1, State.UP)
    assert bench.told()[0] == "real_server_up"


def test_each_check_is_assigned_with_its_own_port_and_what_is_known_of_it() -> None:
    bench = Bench(config(TWICE))
    bench.hear_check(A, 2, State.DOWN)
    assigned = next(effect for effect in bench.greet() if isinstance(effect, AssignChecks)).checks
    assert [(one.id, one.target.port, one.known) for one in assigned] == [
        ("tcp 1.1.1.12:80 > 1.1.1.17:80", 80, State.UNKNOWN),
        ("tcp 1.1.1.12:80 > 1.1.1.17:80 #2", 8080, State.DOWN),
        ("tcp 1.1.1.12:80 > 1.1.1.18:80", 80, State.UNKNOWN),
    ]


def test_a_check_of_type_none_beside_another_says_nothing() -> None:
    service = virtual(replace(real(A, check=Check(NoCheck())), further_checks=(Check(TcpCheck()),)))
    bench = Bench(config(service))
    assert bench.weights(service) == {}
    bench.hear_check(A, 2, State.UP)
    assert bench.weights(service) == {A: 1}


def test_a_check_more_keeps_a_serving_real_server_until_it_is_judged() -> None:
    bench = Bench(config(virtual(real(A), real(B))), table((TWICE, {A: 1, B: 1})))
    bench.hear({A: State.UP, B: State.UP})
    bench.feed(ConfigChanged(config(TWICE)))
    assert bench.operations() == []
    bench.hear_check(A, 2, State.UP)
    assert bench.told() == []  # it was up all the time
    bench.hear_check(A, 2, State.DOWN)
    assert bench.weights(TWICE) == {B: 1}


def test_config_loaded_counts_real_servers_and_not_their_checks() -> None:
    bench = Bench(config(TWICE))
    told = [one for one in bench.feed(ConfigChanged(config(TWICE))) if isinstance(one, Tell)]
    assert told[0].fields["real_servers"] == 2


def test_status_shows_the_worst_check_and_on_demand_all() -> None:
    bench = Bench(config(TWICE))
    bench.hear_check(A, 1, State.UP)
    bench.hear_check(A, 2, State.DOWN, Unhealthy(Reason.STATUS, "503"))
    reply = views.status(bench.director, bench.now)
    assert [one.state for one in reply.services[0].real_servers[0].checks] == ["up", "down"]
    short = render.status(reply).splitlines()
    assert short[1].split()[4:] == ["1.1.1.17:80", "out", "0.0s", "-", "0.0s", "2.0ms", "tcp", "status:", "503"]
    assert short[2].split()[0] == "1.1.1.18:80"
    every = render.status(reply, every_check=True).splitlines()
    assert every[2].split() == ["tcp", "up", "0.0s", "0.0s", "2.0ms", "tcp", "ok"]
    assert every[3].split() == ["tcp", "port", "8080", "down", "0.0s", "0.0s", "2.0ms", "tcp", "status:", "503"]


def test_a_real_servers_own_on_failure_replaces_the_services() -> None:
    own = virtual(replace(real(A), on_failure=OnFailure.QUIESCE), real(B))
    bench = Bench(config(own), table((own, {A: 1, B: 1})))
    bench.hear({A: State.DOWN, B: State.DOWN})
    assert bench.weights(own) == {A: 0}
    other = virtual(replace(real(A), on_failure=OnFailure.REMOVE), real(B), on_failure=OnFailure.QUIESCE)
    bench = Bench(config(other), table((other, {A: 1, B: 1})))
    bench.hear({A: State.DOWN, B: State.DOWN})
    assert bench.weights(other) == {B: 0}


def test_the_weight_a_real_server_asks_for_counts_while_it_is_up() -> None:
    service = virtual(real(A, weight=10, check=DYNAMIC), real(B))
    bench = Bench(config(service))
    bench.hear({B: State.UP})
    bench.hear_check(A, 1, State.UP, weight=7)
    assert bench.weights(service) == {A: 7, B: 1}
    bench.hear_check(A, 1, State.UP, weight=3)
    assert bench.weights(service) == {A: 3, B: 1}
    assert bench.told() == ["table_changed"]
    assert " 3 (asked) " in render.status(views.status(bench.director, bench.now))
    bench.hear_check(A, 1, State.UP)
    assert bench.weights(service) == {A: 10, B: 1}
    bench.hear_check(A, 1, State.DOWN, weight=3)
    assert bench.weights(service) == {B: 1}


def test_who_asks_for_weight_zero_stays_in_the_table() -> None:
    service = virtual(real(A, check=DYNAMIC), real(B))
    bench = Bench(config(service))
    bench.hear({B: State.UP})
    bench.hear_check(A, 1, State.UP, weight=0)
    assert bench.weights(service) == {A: 0, B: 1}
    assert bench.told() == ["real_server_up", "table_changed"]


def test_a_worker_that_lies_about_weights_is_held_within_limits() -> None:
    service = virtual(checked_twice(A, DYNAMIC))
    bench = Bench(config(service))
    bench.hear_check(A, 1, State.UP, weight=1 << 40)
    bench.hear_check(A, 2, State.UP, weight=1 << 50)
    assert bench.weights(service) == {A: WEIGHT_LIMIT}
    bench.hear_check(A, 2, State.UP, weight=-5)
    assert bench.weights(service) == {A: 0}


def test_down_outweighs_what_is_not_known() -> None:
    bench = Bench(config(TWICE), table((TWICE, {A: 1, B: 1})))
    bench.hear_check(A, 2, State.DOWN)
    assert bench.weights(TWICE) == {B: 1}


def test_of_two_that_are_up_the_one_that_begins_to_fail_speaks() -> None:
    bench = Bench(config(TWICE))
    bench.hear_check(A, 1, State.UP)
    failing = replace(verdict(check_id(TWICE, TWICE.real_servers[0], 2), State.UP, bench.now), streak=2)
    bench.feed(VerdictsHeard(Verdicts(1, (failing,))))
    assert views.status(bench.director, bench.now).services[0].real_servers[0].streak == 2


def test_a_check_that_probes_speaks_before_one_that_does_not() -> None:
    service = virtual(replace(real(A, check=Check(NoCheck())), further_checks=(Check(TcpCheck()),)))
    bench = Bench(config(service))
    bench.hear_check(A, 2, State.UP)
    assert views.status(bench.director, bench.now).services[0].real_servers[0].check == "tcp"
