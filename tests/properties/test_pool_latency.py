"""Shares by latency: within their bounds, in the order of the latencies, at rest when nothing changes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from config.pool_rules import WHOLE, LatencyWeights
from lvsd.core.latency import NOISE_SECONDS, PACE_SECONDS, STEP, Speed, measured, shared, weight

rules = st.builds(LatencyWeights, st.integers(1, 100), st.integers(100, 1000))
latencies = st.floats(0, 100, allow_nan=False)
speeds = st.dictionaries(
    st.text(max_size=3), st.builds(Speed, latencies, st.just(0.0), st.integers(1, WHOLE)), max_size=8
)


def fresh(found: dict[str, Speed]) -> dict[str, Speed]:
    return {name: replace(one, share=WHOLE) for name, one in found.items()}


@given(rules, speeds)
def test_a_share_is_within_its_bounds_and_half_of_them_are_whole(rule: LatencyWeights, found: dict[str, Speed]) -> None:
    after = shared(rule, fresh(found), 100.0)
    assert all(rule.minimum <= one.share <= WHOLE for one in after.values())
    assert sum(one.share == WHOLE for one in after.values()) >= len(after) / 2
    middle = min((one.seconds for one in after.values()), default=0.0)
    assert all(one.share == WHOLE for one in after.values() if one.seconds <= middle + NOISE_SECONDS)


@given(rules, speeds)
def test_who_is_slower_has_no_more(rule: LatencyWeights, found: dict[str, Speed]) -> None:
    after = sorted(shared(rule, fresh(found), 100.0).values(), key=lambda one: one.seconds)
    steps = [one.share for one in after]
    for faster, slower in pairwise(steps):
        assert slower <= faster or (faster * WHOLE > (WHOLE - STEP) * slower)  # within a step of each other


@given(rules, speeds, st.integers(1, 1000))
def test_it_comes_to_rest(rule: LatencyWeights, found: dict[str, Speed], whole: int) -> None:
    once = shared(rule, found, 100.0)
    assert shared(rule, once, 100.0 + PACE_SECONDS * 10) == once
    assert all(1 <= weight(whole, one.share) <= whole for one in once.values())


@given(st.lists(latencies, min_size=1, max_size=30))
def test_the_average_stays_among_what_was_measured(found: list[float]) -> None:
    speed: Speed | None = None
    for moment, seconds in enumerate(found):
        speed = measured(speed, seconds, float(moment))
        assert min(found) * 0.999 - 1e-9 <= speed.seconds <= max(found) * 1.001 + 1e-9
