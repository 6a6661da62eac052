"""Slots: fixed, never in the past, never made up for, well spread."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.schedule import (
    EARLY_SECONDS,
    Rhythm,
    early_moment,
    first_slot,
    grain,
    jitter_of,
    next_slot,
    phase_of,
    slot_after_early,
)
from config.checks import Timing

MOMENTS = st.floats(0, 1e7)
INTERVALS = st.floats(0.05, 3600)
JITTERS = st.floats(0, 1, exclude_max=True)
DELAYS = st.floats(0, 1e5)
TOLERANCE = 1e-6  # of an interval: seconds are floats


@given(MOMENTS, INTERVALS, JITTERS)
def test_the_first_slot_is_within_one_interval(now: float, interval: float, jitter: float) -> None:
    assert now <= first_slot(now, interval, jitter) <= now + interval * (1 + TOLERANCE) + 1e-6


@given(MOMENTS, DELAYS, INTERVALS, JITTERS)
def test_whoever_takes_over_a_check_goes_on_in_its_slots(
    began: float, later: float, interval: float, jitter: float
) -> None:
    before, after = first_slot(began, interval, jitter), first_slot(began + later, interval, jitter)
    turns = (after - before) / interval
    assert abs(turns - round(turns)) < 1e-3


@given(MOMENTS, INTERVALS, JITTERS)
def test_what_is_not_known_is_probed_within_a_second(now: float, interval: float, jitter: float) -> None:
    assert now <= early_moment(now, interval, jitter) <= now + EARLY_SECONDS


@given(MOMENTS, INTERVALS, JITTERS)
def test_what_is_not_known_is_spread_over_that_second_or_a_shorter_interval(
    now: float, interval: float, jitter: float
) -> None:
    """A whole table after a boot is no burst, and nobody waits longer than it would in its rhythm."""
    within = min(interval, EARLY_SECONDS)
    assert early_moment(now, interval, jitter) - now == pytest.approx(jitter * within, abs=1e-6)


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
def test_a_slot_is_not_used_twice_however_early_its_probe_ended(slot: float, interval: float, early: float) -> None:
    assert next_slot(slot, interval, slot - early) == slot + interval


@pytest.mark.parametrize("timing", [Timing(10.0), Timing(10.0, fast_interval=1.0), Timing(10.0, down_interval=60.0)])
def test_a_probe_that_takes_most_of_its_interval_loses_no_slot(timing: Timing) -> None:
    assert Rhythm(100.0).after(109.0, timing, contradicted=False).moment == 110.0
    assert Rhythm(100.0).after(111.0, timing, contradicted=False).moment == 120.0


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


@pytest.mark.parametrize("timing", [Timing(5.0), Timing(5.0, down_interval=60.0), Timing(60.0, down_interval=7.0)])
@pytest.mark.parametrize("down", [False, True])
def test_a_thousand_checks_are_spread(timing: Timing, *, down: bool) -> None:
    """No tenth of their interval has less than half or more than twice its share, be they up or all down at once."""
    interval = timing.down_interval if down and timing.down_interval else timing.interval
    tenths = [0] * 10
    for number in range(1000):
        jitter = jitter_of(f"tcp 1.1.1.12:80 > 10.1.{number // 250}.{number % 250}:80")
        rhythm = Rhythm(first_slot(1000.0, timing.interval, jitter))
        for _ in range(3):
            rhythm = rhythm.after(rhythm.moment, timing, contradicted=False, down=jitter if down else None)
        tenths[int(rhythm.moment % interval / interval * 10) % 10] += 1
    assert min(tenths) > 50
    assert max(tenths) < 200


PROBES = st.lists(st.tuples(st.floats(0, 30), st.booleans()), min_size=1, max_size=20)
"""How long each probe takes, and whether its outcome contradicts what is believed."""


def lived(rhythm: Rhythm, timing: Timing, probes: list[tuple[float, bool]]) -> list[tuple[float, Rhythm]]:
    """A check's life under a simulated clock: the moment each probe ended, and the rhythm after it."""
    now, life = 0.0, []
    for took, contradicted in probes:
        now = max(now, rhythm.moment) + took
        rhythm = rhythm.after(now, timing, contradicted=contradicted)
        life.append((now, rhythm))
    return life


@given(PROBES, st.floats(0.5, 60), st.floats(0.1, 60))
def test_a_contradiction_is_looked_at_again_after_the_fast_interval(
    probes: list[tuple[float, bool]], interval: float, fast: float
) -> None:
    timing = Timing(interval=interval, fast_interval=fast)
    for (_, contradicted), (now, rhythm) in zip(probes, lived(Rhythm(1.0), timing, probes), strict=True):
        if contradicted:
            assert rhythm.moment == now + fast
        else:
            assert now < rhythm.moment <= now + 1.5 * interval * (1 + TOLERANCE)
            assert rhythm.moment == rhythm.slot


@given(PROBES, st.floats(0.5, 60), st.floats(0.1, 60))
def test_the_slots_stay_where_they_were_through_every_hurry(
    probes: list[tuple[float, bool]], interval: float, fast: float
) -> None:
    timing = Timing(interval=interval, fast_interval=fast)
    for _, rhythm in lived(Rhythm(1.0), timing, probes):
        turns = (rhythm.slot - 1.0) / interval
        assert abs(turns - round(turns)) < 1e-3


@given(PROBES, st.floats(0.5, 60))
def test_without_a_fast_interval_nothing_hurries(probes: list[tuple[float, bool]], interval: float) -> None:
    calm = [(took, False) for took, _ in probes]
    timing = Timing(interval=interval)
    assert lived(Rhythm(1.0), timing, probes) == lived(Rhythm(1.0), timing, calm)


def test_a_death_is_confirmed_in_the_fast_interval_and_the_slots_go_on() -> None:
    """Interval 10, fast interval 1, three failures: known 2 seconds after the first, where it would have been 20."""
    timing = Timing(interval=10.0, fast_interval=1.0, fall=3)
    life = lived(Rhythm(10.0), timing, [(0.0, False), (0.0, True), (0.0, True), (0.0, False), (0.0, False)])
    assert [now for now, _ in life] == [10.0, 20.0, 21.0, 22.0, 30.0]


def test_a_slot_right_behind_a_hurried_probe_is_left_out() -> None:
    timing = Timing(interval=10.0, fast_interval=4.0)
    life = lived(Rhythm(10.0), timing, [(0.0, True), (0.0, True), (0.0, False), (0.0, False)])
    assert [now for now, _ in life] == [10.0, 14.0, 18.0, 30.0]


DOWN_PROBES = st.lists(st.tuples(st.floats(0, 30), st.sampled_from(["up", "down", "doubted"])), min_size=1, max_size=20)
"""How long each probe takes, and what is believed after it: up, down, or down while the outcome contradicts it."""


@given(DOWN_PROBES, st.floats(0.5, 60), st.floats(0.5, 60), st.none() | st.floats(0.1, 60), JITTERS)
def test_who_is_down_is_probed_in_slots_of_its_own(
    probes: list[tuple[float, str]], interval: float, slow: float, fast: float | None, jitter: float
) -> None:
    timing = Timing(interval=interval, fast_interval=fast, down_interval=slow)
    now, rhythm, before = 0.0, Rhythm(first_slot(0.0, interval, jitter)), "up"
    base = rhythm.slot
    for took, belief in probes:
        now = max(now, rhythm.moment) + took
        down = None if belief == "up" else jitter
        rhythm = rhythm.after(now, timing, contradicted=belief == "doubted", down=down)
        assert abs((rhythm.slot - base) / interval - round((rhythm.slot - base) / interval)) < 1e-3
        if belief == "down":
            assert 0 < rhythm.moment - now <= slow * (1 if before == "down" else 1.5) * (1 + TOLERANCE) + 1e-6
            turns = rhythm.moment / slow - jitter
            assert abs(turns - round(turns)) < 1e-3
        elif belief == "doubted" and fast is not None:
            assert rhythm.moment == now + fast
        else:
            assert rhythm.moment == rhythm.slot
        before = belief


def test_a_server_that_hangs_keeps_the_rhythm_of_those_that_are_down() -> None:
    """Probes that take more than half of the interval are no reason to leave every second slot out."""
    timing = Timing(interval=1.0, down_interval=10.0)
    rhythm, moments = Rhythm(100.0), []
    for _ in range(4):
        moments.append(rhythm.moment)
        rhythm = rhythm.after(rhythm.moment + 6.0, timing, contradicted=False, down=0.5)
    assert moments == [100.0, 115.0, 125.0, 135.0]


@pytest.mark.parametrize(
    ("timing", "apart"),
    [
        (Timing(10.0), 0.05),
        (Timing(1.0), 0.05),
        (Timing(1.0, fast_interval=0.2), 0.05),
        (Timing(0.5), 0.025),
        (Timing(1.0, down_interval=0.5), 0.025),
        (Timing(1.0, down_interval=60.0), 0.05),
        (Timing(0.5, down_interval=60.0), 0.025),
    ],
)
def test_phases_are_a_share_of_the_interval_apart(timing: Timing, apart: float) -> None:
    assert grain(timing) == pytest.approx(apart)


@pytest.mark.parametrize("timing", [Timing(10.0), Timing(1.0), Timing(0.3), Timing(1.0, down_interval=0.5)])
def test_checks_share_few_phases_evenly(timing: Timing) -> None:
    phases = Counter(round(phase_of(f"check {number}", timing) * timing.interval, 6) for number in range(2000))
    step = grain(timing)
    count = round(timing.interval / step)
    assert all(abs(phase / step - round(phase / step)) < 1e-6 for phase in phases)
    assert len(phases) == count
    assert max(phases.values()) < 2 * 2000 / count
    assert phase_of("check 7", timing) == phase_of("check 7", timing)
