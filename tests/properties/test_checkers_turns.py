"""Connections between whole probes: as many as were asked for, only where the real server is up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.health import unproven
from checkers.core.messages import State
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.core.turns import connection_of, connects_left, turn
from config.checks import (
    AgentCheck,
    AnyCheck,
    Credentials,
    DnsCheck,
    ExternalCheck,
    FollowCheck,
    HttpCheck,
    NoCheck,
    NtpCheck,
    PingCheck,
    PopCheck,
    RadiusCheck,
    RedisCheck,
    SipCheck,
    SynCheck,
    TcpCheck,
    Timing,
    UdpCheck,
)
from config.secret import Secret

GOOD, BAD, OURS = Healthy(), Unhealthy(Reason.STATUS), Inconclusive()
WHOLE = HttpCheck()


def asked(timing: Timing, outcomes: list[Outcome], known: State = State.UNKNOWN) -> list[bool]:
    """Whether each probe of a life was a whole one; one more than there are outcomes."""
    health, left, wholes = unproven(known, 0.0), 0, []
    for outcome in outcomes:
        wholes.append(turn(WHOLE, left) == WHOLE)
        health = health.observe(outcome, 1.0, 0.1, timing)
        left = connects_left(left, outcome, health.state, timing)
    return [*wholes, turn(WHOLE, left) == WHOLE]


def test_so_many_connections_follow_a_whole_probe() -> None:
    assert asked(Timing(connects=2), [GOOD] * 6) == [True, False, False, True, False, False, True]


def test_without_connects_every_probe_is_whole() -> None:
    assert asked(Timing(), [GOOD, BAD, OURS, GOOD]) == [True] * 5


def test_a_failed_connection_is_followed_by_a_whole_probe_until_one_succeeds() -> None:
    assert asked(Timing(connects=3, fall=3), [GOOD, BAD, BAD, GOOD]) == [True, False, True, True, False]


def test_a_server_comes_back_by_whole_probes_only() -> None:
    timing = Timing(connects=3, fall=1, rise=3)
    assert asked(timing, [BAD, GOOD, GOOD, GOOD, GOOD]) == [True, True, True, True, False, False]


def test_an_inconclusive_probe_is_asked_again() -> None:
    assert asked(Timing(connects=1), [GOOD, OURS, OURS, GOOD]) == [True, False, False, False, True]


@given(st.integers(0, 5), st.lists(st.sampled_from([GOOD, BAD, OURS]), max_size=20), st.sampled_from(State))
def test_never_more_connections_in_a_row_than_asked_for(connects: int, history: list[Outcome], known: State) -> None:
    left, health, timing = 0, unproven(known, 0.0), Timing(connects=connects)
    for outcome in history:
        health = health.observe(outcome, 1.0, 0.1, timing)
        left = connects_left(left, outcome, health.state, timing)
        assert 0 <= left <= connects


def test_fewer_connects_after_a_reload_count_at_once() -> None:
    assert connects_left(9, GOOD, State.UP, Timing(connects=2)) == 2
    assert connects_left(9, OURS, State.UP, Timing(connects=2)) == 2


@pytest.mark.parametrize(
    ("check", "connection"),
    [
        (HttpCheck(), TcpCheck()),
        (PopCheck(), TcpCheck()),
        (DnsCheck(tcp=True), TcpCheck()),
        (SipCheck(tcp=True), TcpCheck()),
        (DnsCheck(), PingCheck()),
        (SipCheck(), PingCheck()),
        (UdpCheck(), PingCheck()),
        (RadiusCheck(Credentials("a", Secret("b")), Secret("c")), PingCheck()),
        (TcpCheck(), TcpCheck()),
        (PingCheck(3), PingCheck(3)),
        (NoCheck(), NoCheck()),
        (ExternalCheck(("/bin/true",)), ExternalCheck(("/bin/true",))),
        (RedisCheck(), TcpCheck()),
        (NtpCheck(), PingCheck()),
        (AgentCheck(weight=7), AgentCheck(weight=7)),
        (SynCheck(), SynCheck()),
        (FollowCheck("web"), FollowCheck("web")),
    ],
)
def test_the_connection_of_a_check(check: AnyCheck, connection: AnyCheck) -> None:
    assert connection_of(check) == connection
