"""Rise and fall over every short history, against a plain reading of the rule."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.health import Health, taken_over, unproven, worth_telling
from checkers.core.messages import AssignedCheck, State, Target
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from config.checks import TcpCheck, Timing

OUTCOMES = st.sampled_from(
    [
        Healthy("a"),
        Healthy("b"),
        Healthy("c", weight=7),
        Healthy("d", weight=0),
        Unhealthy(Reason.REFUSED),
        Unhealthy(Reason.STATUS),
        Inconclusive(),
    ]
)
HISTORIES = st.lists(OUTCOMES, max_size=12)
TIMINGS = st.builds(Timing, rise=st.integers(1, 3), fall=st.integers(1, 3))
STATES = st.sampled_from(State)


def after(known: State, history: Sequence[Outcome], timing: Timing) -> list[Health]:
    healths = [unproven(known, 0.0)]
    for moment, outcome in enumerate(history, 1):
        healths.append(healths[-1].observe(outcome, float(moment), 0.5, timing))
    return healths


def expected_state(known: State, history: list[Outcome], timing: Timing) -> State:
    """The rule read backwards: the state is that of the last run long enough, or of the first outcome ever."""
    state, run = known, 0
    for outcome in history:
        if isinstance(outcome, Inconclusive):
            continue
        seen = State.UP if isinstance(outcome, Healthy) else State.DOWN
        run = 0 if seen is state else run + 1
        needed = timing.rise if seen is State.UP else timing.fall
        if state is State.UNKNOWN or run >= needed:
            state, run = seen, 0
    return state


@given(STATES, HISTORIES, TIMINGS)
def test_the_state_follows_the_runs(known: State, history: list[Outcome], timing: Timing) -> None:
    assert after(known, history, timing)[-1].state is expected_state(known, history, timing)


@given(OUTCOMES, TIMINGS)
def test_the_first_outcome_decides_at_once_where_nothing_is_known(outcome: Outcome, timing: Timing) -> None:
    state = after(State.UNKNOWN, [outcome], timing)[-1].state
    match outcome:
        case Healthy():
            assert state is State.UP
        case Unhealthy():
            assert state is State.DOWN
        case Inconclusive():
            assert state is State.UNKNOWN


@given(STATES, HISTORIES, TIMINGS)
def test_an_inconclusive_outcome_changes_no_belief(known: State, history: list[Outcome], timing: Timing) -> None:
    before = after(known, history, timing)[-1]
    changed = before.observe(Inconclusive("no descriptors"), 99.0, 0.1, timing)
    assert (changed.state, changed.streak, changed.since) == (before.state, before.streak, before.since)
    assert changed.probes == before.probes + 1


@given(STATES, HISTORIES, TIMINGS)
def test_leaving_inconclusive_outcomes_out_changes_nothing(
    known: State, history: list[Outcome], timing: Timing
) -> None:
    conclusive = [outcome for outcome in history if not isinstance(outcome, Inconclusive)]
    assert after(known, history, timing)[-1].state is after(known, conclusive, timing)[-1].state


@given(STATES, HISTORIES, TIMINGS)
def test_since_is_the_moment_of_the_last_change(known: State, history: list[Outcome], timing: Timing) -> None:
    healths = after(known, history, timing)
    changes = [moment for moment in range(1, len(healths)) if healths[moment].state is not healths[moment - 1].state]
    assert healths[-1].since == (changes[-1] if changes else 0.0)


@given(STATES, HISTORIES, TIMINGS)
def test_the_counters_count(known: State, history: list[Outcome], timing: Timing) -> None:
    last = after(known, history, timing)[-1]
    assert last.probes == len(history)
    assert last.failures == sum(isinstance(outcome, Unhealthy) for outcome in history)
    assert 0 <= last.streak < max(timing.rise, timing.fall)


def reason(outcome: Outcome) -> object:
    return outcome.reason if isinstance(outcome, Unhealthy) else type(outcome)


@given(STATES, HISTORIES, TIMINGS)
def test_a_change_of_state_or_reason_or_weight_is_worth_telling_and_nothing_else(
    known: State, history: list[Outcome], timing: Timing
) -> None:
    fresh = [msgspec.structs.replace(outcome) for outcome in history]  # as probes find them: equal, and never the same
    for before, later in pairwise(after(known, fresh, timing)):
        of_before = before.state, before.weight, reason(before.outcome)
        assert worth_telling(before, later) is (of_before != (later.state, later.weight, reason(later.outcome)))


@given(STATES, HISTORIES, TIMINGS)
def test_the_verdict_says_what_is_believed(known: State, history: list[Outcome], timing: Timing) -> None:
    health = after(known, history, timing)[-1]
    verdict = health.verdict("x")
    assert (verdict.id, verdict.state, verdict.since, verdict.streak) == (
        "x",
        health.state,
        health.since,
        health.streak,
    )
    assert (verdict.outcome, verdict.probed_at, verdict.probes) == (health.outcome, health.probed_at, health.probes)
    assert (verdict.failures, verdict.latency, verdict.weight) == (health.failures, health.latency, health.weight)


@given(STATES, st.none() | st.integers(0, 9), st.none() | st.floats(0.0, 9.0))
def test_what_is_told_of_a_check_that_was_not_probed_is_what_the_director_said(
    known: State, weight: int | None, since: float | None
) -> None:
    assigned = AssignedCheck("x", Target("192.0.2.1", 80), TcpCheck(), Timing(), known, weight, since=since)
    verdict = taken_over(assigned, 7.0).verdict("x")
    begun = 7.0 if since is None else since
    assert (verdict.state, verdict.since, verdict.weight) == (known, begun, weight)
    assert (verdict.probes, verdict.streak) == (0, 0)


@given(STATES, HISTORIES, TIMINGS)
def test_the_weight_is_what_the_last_healthy_outcome_asked_for(
    known: State, history: list[Outcome], timing: Timing
) -> None:
    asked = [outcome.weight for outcome in history if isinstance(outcome, Healthy)]
    last = after(known, history, timing)[-1]
    assert last.weight == (asked[-1] if asked else None)
    assert last.verdict("x").weight == last.weight


@given(STATES, HISTORIES, TIMINGS, OUTCOMES)
def test_what_is_as_expected_takes_a_short_way_to_the_same_and_is_no_news(
    known: State, history: list[Outcome], timing: Timing, outcome: Outcome
) -> None:
    before = after(known, history, timing)[-1]
    later = before.observe(outcome, 99.0, 0.2, timing)
    if before.as_expected(outcome):
        assert before.again(outcome, 99.0, 0.2) == later
        assert not worth_telling(before, later)


class HaproxysCounter:
    """HAProxy's model of the same rule: a counter from 0 to rise + fall - 1, the server being up from `rise` on.

    What it has not: a beginning where nothing is known, which the first conclusive outcome ends.
    """

    def __init__(self, known: State, timing: Timing) -> None:
        self.rise, self.top = timing.rise, timing.rise + timing.fall - 1
        self.health = {State.UP: self.top, State.DOWN: 0, State.UNKNOWN: None}[known]

    def take(self, outcome: Outcome) -> None:
        if isinstance(outcome, Inconclusive):
            return
        healthy = isinstance(outcome, Healthy)
        if self.health is None:
            self.health = self.top if healthy else 0
        elif healthy and self.health < self.top:
            self.health += 1
            self.health = self.top if self.health >= self.rise else self.health
        elif not healthy and self.health > 0:
            self.health -= 1
            self.health = 0 if self.health < self.rise else self.health

    @property
    def state(self) -> State:
        if self.health is None:
            return State.UNKNOWN
        return State.UP if self.health >= self.rise else State.DOWN

    @property
    def settled(self) -> bool:
        """No outcome contradicts what is believed: HAProxy's `inter` or `downinter` counts, else its `fastinter`."""
        return self.health in (None, 0, self.top)


@given(STATES, st.lists(OUTCOMES, max_size=40), st.builds(Timing, rise=st.integers(1, 5), fall=st.integers(1, 5)))
def test_every_step_is_haproxys(known: State, history: list[Outcome], timing: Timing) -> None:
    model = HaproxysCounter(known, timing)
    for health, outcome in zip(after(known, history, timing)[1:], history, strict=True):
        model.take(outcome)
        assert health.state is model.state
        assert (health.streak == 0) is model.settled
