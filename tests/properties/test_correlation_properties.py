"""Suspicions of failures at once, on any real servers whatever: who is suspected, and when it is believed."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.messages import State
from config.pool_rules import CorrelatedFailure
from lvsd.core.correlation import LEAST, PATIENCE, Circumstances, Found, reviewed, suspected
from lvsd.core.pool_state import Suspicion

DOWN = State.DOWN
NOW, SPAN = 100.0, 8.0
NAMES = [f"rs{number}" for number in range(8)]

moments = st.integers(85, 100).map(float)
founds = st.builds(
    Found, st.sampled_from([DOWN, DOWN, DOWN, *State]), moments, moments, st.booleans(), st.none() | moments
)
farms = st.dictionaries(st.sampled_from(NAMES), founds, max_size=8)
rules = st.builds(CorrelatedFailure, st.integers(1, 100))
suspicions = st.builds(Suspicion, moments, st.frozensets(st.sampled_from(NAMES), min_size=1), st.booleans(), moments)
circumstances = st.builds(Circumstances, st.integers(0, 15).map(float), st.booleans())


def failed_at_once(one: Found) -> bool:
    """Down since a moment of the window, and it served until then, or serves still."""
    left = one.failed_at is not None and one.failed_at >= NOW - SPAN
    return one.state is DOWN and one.since >= NOW - SPAN and (one.serving or left)


@given(rules, farms)
def test_those_that_failed_at_once_are_suspected_if_they_are_three_and_share_enough(
    rule: CorrelatedFailure, farm: dict[str, Found]
) -> None:
    """The share is one of those that were up until then: who was down before, or never served, does not count."""
    suspicion = suspected(rule, farm, NOW, SPAN)
    members = {name for name, one in farm.items() if failed_at_once(one)}
    well = sum(one.state is not DOWN for one in farm.values())
    if len(members) >= LEAST and Fraction(len(members), len(members) + well) >= Fraction(rule.share, 100):
        assert suspicion == Suspicion(NOW, frozenset(members))
    else:
        assert suspicion is None


@given(suspicions, farms, circumstances)
def test_who_is_up_again_is_not_suspected_and_who_failed_before_never_becomes_it(
    suspicion: Suspicion, farm: dict[str, Found], seen: Circumstances
) -> None:
    after = reviewed(suspicion, farm, NOW, seen)
    members = after.members if after is not None else frozenset[str]()
    assert after is None or members
    for name, one in farm.items():
        assert (name in members) is (one.state is DOWN and (name in suspicion.members or one.since >= suspicion.since))
    assert members <= farm.keys()


@given(suspicions, farms, circumstances)
def test_it_is_believed_after_the_hold_if_each_failed_again_and_then_for_good(
    suspicion: Suspicion, farm: dict[str, Found], seen: Circumstances
) -> None:
    after = reviewed(suspicion, farm, NOW, seen)
    if after is None:
        return
    hold = seen.hold if seen.sound else seen.hold * PATIENCE
    over = NOW - suspicion.since >= hold
    again = all(farm[name].probed_at > suspicion.since for name in after.members)
    assert after.confirmed is (suspicion.confirmed or (over and again))
    assert (after.since, after.hurried_at) == (suspicion.since, suspicion.hurried_at)
