"""Slots: fixed, never in the past, never made up for, well spread."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.schedule import EARLY_SECONDS, early_moment, first_slot, jitter_of, next_slot, slot_after_early

MOMENTS = st.floats(0, 1e7)
INTERVALS = st.floats(0.05, 3600)
JITTERS = st.floats(0, 1, exclude_max=True)
DELAYS = st.floats(0, 1e5)
TOLERANCE = 1e-6  # of an interval: seconds are floats


@given(MOMENTS, INTERVALS, JITTERS)
def test_the_first_slot_is_within_one_interval(now: float, interval: float, jitter: float) -> None:
    assert now <= first_slot(now, interval, jitter) <= now + interval


@given(MOMENTS, INTERVALS, JITTERS)
def test_what_is_not_known_is_probed_within_a_second(now: float, interval: float, jitter: float) -> None:
    assert now <= early_moment(now, interval, jitter) <= now + EARLY_SECONDS


@given(MOMENTS, INTERVALS, JITTERS, st.floats(0, 10))
def test_the_rhythm_after_an_early_probe_keeps_its_distance_and_its_slots(
    now: float, interval: float, jitter: float, took: float
) -> None:
    slot = first_slot(now, interval, jitter)
    ended = early_moment(now, interval, jitter) + took
    following = slot_after_early(slot, interval, ended)
    assert following > ended
    assert following - ended >= interval / 2 * (1 - TOLERANCE) or following - slot >= interval * (1 - TOLERANCE)
    turns = (following - slot) / interval
    assert abs(turns - round(turns)) < 1e-3


@given(MOMENTS, INTERVALS, DELAYS)
def test_the_next_slot_is_the_first_after_now(slot: float, interval: float, delay: float) -> None:
    now = slot + delay
    following = next_slot(slot, interval, now)
    assert now < following <= now + interval * (1 + TOLERANCE) + 1e-6


@given(MOMENTS, INTERVALS, DELAYS)
def test_slots_do_not_drift(slot: float, interval: float, delay: float) -> None:
    turns = (next_slot(slot, interval, slot + delay) - slot) / interval
    assert abs(turns - round(turns)) < 1e-3
    assert round(turns) >= 1


@given(INTERVALS)
def test_a_probe_that_takes_no_time_is_followed_an_interval_later(interval: float) -> None:
    assert next_slot(100.0, interval, 100.0) == 100.0 + interval


def test_a_stall_is_not_made_up_for() -> None:
    slot, fired = 0.0, []
    now = 0.0
    for took in (0.1, 17.3, 0.1, 0.1):
        now = max(now, slot)
        fired.append(now)
        now += took
        slot = next_slot(slot, 5.0, now)
    assert fired == [0.0, 5.0, 25.0, 30.0]


@given(st.text())
def test_jitter_is_always_the_same_and_below_one(identity: str) -> None:
    assert 0 <= jitter_of(identity) < 1
    assert jitter_of(identity) == jitter_of(identity)


def test_a_thousand_checks_are_spread() -> None:
    """No tenth of the interval has less than half or more than twice its share."""
    tenths = [0] * 10
    for number in range(1000):
        tenths[int(jitter_of(f"tcp 1.1.1.12:80 > 10.1.{number // 250}.{number % 250}:80") * 10)] += 1
    assert min(tenths) > 50
    assert max(tenths) < 200
