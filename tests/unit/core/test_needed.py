"""So many of a real server's checks are needed: one word on it, which changes only where that number is crossed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from checkers.core.outcome import Reason, Unhealthy
from config.checks import Check, ExternalCheck, TcpCheck
from lvsd.core import views
from lvsd.core.effects import Tell
from lvsd.core.health import together
from lvsd.ctl import render
from lvsd.ctl.explaining import explained
from tests.unit.core.world import Bench, config, real, virtual

A, B = "1.1.1.17", "1.1.1.18"
UP, DOWN, UNKNOWN = State.UP, State.DOWN, State.UNKNOWN
FURTHER = (Check(TcpCheck(), port=81), Check(ExternalCheck(("/bin/true",), dynamic=True)))
SERVICE = virtual(replace(real(A, 10), further_checks=FURTHER, needed=2), real(B))


@pytest.mark.parametrize(
    ("states", "needed", "found"),
    [
        ([UP, UP, UNKNOWN], 2, UP),
        ([UP, UNKNOWN, UNKNOWN], 2, UNKNOWN),
        ([UP, DOWN, UNKNOWN], 2, UNKNOWN),
        ([DOWN, DOWN, UNKNOWN], 2, DOWN),
        ([UP, DOWN, DOWN], 1, UP),
        ([UNKNOWN, DOWN, DOWN], 1, UNKNOWN),
        ([DOWN, DOWN, DOWN], 1, DOWN),
        ([UP, UP, DOWN], 0, DOWN),
        ([UP, UP, UNKNOWN], 0, UNKNOWN),
        ([UP, UP], 5, UP),  # as many as there are, at most
    ],
)
def test_several_checks_as_one(states: list[State], needed: int, found: State) -> None:
    assert together(states, needed) is found


def test_it_serves_while_enough_are_up() -> None:
    bench = Bench(config(SERVICE))
    bench.hear_check(A, 1, UP)
    assert bench.weights(SERVICE) == {}
    bench.hear_check(A, 2, UP)
    assert bench.weights(SERVICE) == {A: 10}
    bench.hear_check(A, 1, DOWN)
    assert bench.weights(SERVICE) == {A: 10}
    bench.hear_check(A, 3, DOWN)
    assert bench.weights(SERVICE) == {}


def test_the_reason_is_of_the_check_that_decided() -> None:
    bench = Bench(config(SERVICE))
    for number in (1, 2, 3):
        bench.hear_check(A, number, UP)
    bench.now += 1
    bench.hear_check(A, 1, DOWN, Unhealthy(Reason.REFUSED))
    assert bench.told() == []
    bench.now += 1
    bench.hear_check(A, 2, DOWN, Unhealthy(Reason.STATUS, "503"))
    told = [one.fields["reason"] for one in bench.effects if isinstance(one, Tell) and one.event == "real_server_down"]
    assert told == ["status"]


def test_a_check_that_fails_has_no_say_in_the_weight() -> None:
    bench = Bench(config(SERVICE))
    bench.hear_check(A, 1, UP)
    bench.hear_check(A, 2, UP)
    bench.hear_check(A, 3, UP, weight=3)
    assert bench.weights(SERVICE) == {A: 3}
    bench.hear_check(A, 3, DOWN, weight=3)
    assert bench.weights(SERVICE) == {A: 10}


def test_lvsctl_counts_them() -> None:
    bench = Bench(config(SERVICE))
    bench.hear_check(A, 1, UP)
    bench.hear_check(A, 2, UP)
    bench.hear_check(A, 3, DOWN, Unhealthy(Reason.COMMAND_FAILED))
    reply = views.status(bench.director, bench.now)
    row = reply.services[0].real_servers[0]
    assert (row.checks_up, row.checks_needed, row.state, row.result) == (2, 2, "up", "ok")
    assert "2 of 3 checks up, 2 needed; tcp ok" in render.status(reply)
    assert "2 of its 3 checks are up, 2 are needed." in explained(reply.services[0], row)
