"""What is noted and folded in later comes to what would have been found at once."""

from __future__ import annotations

from collections import Counter
from math import ceil

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.books import Histogram
from checkers.core.course import course
from checkers.core.health import unproven
from checkers.core.messages import AssignedCheck, State, Target
from checkers.core.outcome import Reason, Unhealthy
from checkers.syn.asker import ANSWERED, PHASES, Asker
from checkers.syn.batch import TICK_SECONDS
from config.checks import SynCheck, Timing

SILENT = Unhealthy(Reason.CONNECT_TIMEOUT, "no answer")
TIMINGS = st.builds(
    Timing,
    interval=st.sampled_from([0.1, 1.0, 5.0]),
    timeout=st.sampled_from([0.05, 2.0]),
    rise=st.integers(1, 3),
    fall=st.integers(1, 3),
    fast_interval=st.sampled_from([None, 0.1]),
    down_interval=st.sampled_from([None, 0.5]),
    connects=st.sampled_from([0, 0, 2]),
)
TURNS = st.lists(
    st.tuples(
        st.integers(1, 200),  # so many probes in a row
        st.booleans(),  # are answered
        st.floats(-0.002, 0.3),  # begun so late
        st.floats(0, 0.4),  # and take so long
        st.booleans(),  # somebody looks in between
    ),
    max_size=8,
)


@given(TIMINGS, TURNS, st.sampled_from(list(State)))
def test_an_asker_finds_what_its_course_would(
    timing: Timing, turns: list[tuple[int, bool, float, float, bool]], known: State
) -> None:
    assigned = AssignedCheck("a", Target("10.0.0.1", 80), SynCheck(), timing, known)
    plain = course(assigned, unproven(known, 1000.0), 1000.0)
    asker = Asker(course(assigned, unproven(known, 1000.0), 1000.0), Histogram())
    assert 0 <= asker.course.rhythm.slot - plain.rhythm.slot < timing.interval / PHASES
    plain.rhythm = asker.course.rhythm  # in step with others'
    for times, is_answered, late, took, looks in turns:
        for _ in range(times):
            assert abs(asker.moment - plain.moment) < 1e-6
            asker.asked_at = plain.moment + late
            ended_at = asker.asked_at + took
            in_time = is_answered and took <= timing.timeout
            outcome = ANSWERED if in_time else SILENT
            plain.begun(asker.asked_at)
            told = plain.observe(outcome, ended_at, ended_at - asker.asked_at)
            plain.ended(ended_at)
            if in_time and asker.answered(ended_at):
                assert not told
            else:
                assert asker.observe(outcome, ended_at) == told
        if looks:
            same(asker, plain)
    same(asker, plain)


def same(asker: Asker, plain: object) -> None:
    mine, its = asker.course, plain
    assert isinstance(its, type(mine))
    for field in ("state", "outcome", "streak", "probes", "failures", "weight"):
        assert getattr(mine.health, field) == getattr(its.health, field), field
    for field in ("since", "probed_at", "latency"):
        assert abs(getattr(mine.health, field) - getattr(its.health, field)) < 1e-3, field
    assert abs(mine.moment - its.moment) < 1e-6
    assert msgspec.structs.replace(mine.rhythm, slot=0.0, hurried_to=None) == msgspec.structs.replace(
        its.rhythm, slot=0.0, hurried_to=None
    )
    pages = mine.books.page(), its.books.page()
    assert pages[0].reasons == pages[1].reasons
    for phase in pages[1].phases:
        assert sum(pages[0].phases[phase].counts) == sum(pages[1].phases[phase].counts)


def test_a_long_quiet_time_is_put_into_the_books_as_it_goes() -> None:
    timing = Timing(interval=0.1, timeout=0.1)
    assigned = AssignedCheck("a", Target("10.0.0.1", 80), SynCheck(), timing, State.UP)
    lateness = Histogram()
    asker = Asker(course(assigned, unproven(State.UP, 0.0), 0.0), lateness)
    for _ in range(1000):
        asker.asked_at = asker.moment
        if not asker.answered(asker.moment + 0.01):
            asker.observe(ANSWERED, asker.moment + 0.01)
    assert lateness.total >= 900
    assert asker.course.health.probes == lateness.total == 1000


def test_an_answer_after_the_timeout_is_not_noted() -> None:
    timing = Timing(interval=1.0, timeout=0.1)
    assigned = AssignedCheck("a", Target("10.0.0.1", 80), SynCheck(), timing, State.UP)
    asker = Asker(course(assigned, unproven(State.UP, 0.0), 0.0), Histogram())
    asker.asked_at = asker.moment
    asker.observe(ANSWERED, asker.moment + 0.01)
    asker.asked_at = asker.moment
    assert not asker.answered(asker.moment + 0.11)
    assert asker.answered(asker.moment + 0.09)


def asker_of(timing: Timing, known: State = State.UP, name: str = "a", now: float = 0.0) -> Asker:
    assigned = AssignedCheck(name, Target("10.0.0.1", 80), SynCheck(), timing, known)
    return Asker(course(assigned, unproven(known, now), now), Histogram())


@pytest.mark.parametrize(
    ("interval", "ticks"),
    [(0.01, 1), (0.05, 2), (0.1, 4), (0.11, 2), (0.115, 2), (0.2, 8), (0.333, 6), (0.5, 10), (1.0, 10), (60.0, 10)],
)
def test_probes_share_ticks_at_no_price_where_slots_can_lie_on_them(interval: float, ticks: int) -> None:
    asker = asker_of(Timing(interval=interval, timeout=interval), now=1000.0)
    assert asker.ticks == ticks
    whole = interval / TICK_SECONDS
    if abs(whole - round(whole)) < 1e-6 and round(whole) % ticks == 0:
        for _ in range(20):  # none is early or late
            assert asker.moment / (ticks * TICK_SECONDS) == pytest.approx(round(asker.moment / (ticks * TICK_SECONDS)))
            asker.asked_at = asker.moment
            asker.observe(ANSWERED, asker.moment)
    else:
        assert ticks * TICK_SECONDS <= interval / 10


def test_who_is_given_another_timing_keeps_step_in_that() -> None:
    asker = asker_of(Timing(interval=0.333, timeout=0.1), name="check 3", now=1000.0)
    assigned = msgspec.structs.replace(asker.course.assigned, timing=Timing(interval=0.1, timeout=0.1))
    for number in range(20):
        asker.retime(msgspec.structs.replace(assigned, id=f"check {number}"), 1000.0)
        assert asker.moment / 0.02 == pytest.approx(round(asker.moment / 0.02), abs=1e-4)


def test_slots_are_spread_evenly_over_their_phases() -> None:
    timing = Timing(interval=0.1, timeout=0.1)
    moments = [asker_of(timing, name=f"check {number}", now=1000.0).moment for number in range(1000)]
    phases = Counter(round(moment % 0.1 / 0.02) % 5 for moment in moments)
    assert len(phases) == 5
    assert all(100 < count < 300 for count in phases.values())


def test_what_does_not_wait_for_a_slot_is_asked_more_exactly() -> None:
    timing = Timing(interval=0.1, timeout=0.1, fall=3, fast_interval=0.03)
    asker = asker_of(timing)
    asker.asked_at = asker.moment
    asker.observe(SILENT, asker.moment + 0.1)
    assert asker.ticks == 2
    asker.hurry(1000.0)
    assert asker.ticks == 2


@pytest.mark.parametrize(
    ("timeout", "late", "waits"),
    [
        (0.1, 0.001, 0.099),  # no longer than until the next slot
        (0.1, 0.005, 0.095),
        (0.1, 0.006, 0.1),  # begun so late, it has its whole time
        (0.104, 0.001, 0.099),
        (0.106, 0.001, 0.106),  # it was meant to be longer than the interval
        (0.05, 0.001, 0.05),
        (0.098, 0.001, 0.098),
    ],
)
def test_a_timeout_as_long_as_the_interval_ends_with_it(timeout: float, late: float, waits: float) -> None:
    asker = asker_of(Timing(interval=0.1, timeout=timeout))
    asked_at = asker.moment + late
    assert asker.deadline(asked_at) - asked_at == pytest.approx(waits, abs=1e-6)


@pytest.mark.parametrize(
    ("timeout", "late", "slots"), [(0.1, 0.0, 1), (0.1, 0.004, 1), (0.098, 0.004, 1), (0.1, 0.03, 2)]
)
@pytest.mark.parametrize("known", [State.UP, State.DOWN])
def test_who_never_answers_is_asked_in_every_slot(timeout: float, late: float, slots: int, known: State) -> None:
    """`late`: how late the loop is, each time."""
    asker = asker_of(Timing(interval=0.1, timeout=timeout, fall=5), known)
    for _ in range(20):
        before = asker.moment
        asker.asked_at = before + late
        concluded_at = ceil(asker.deadline(asker.asked_at) / TICK_SECONDS - 1e-6) * TICK_SECONDS + late
        asker.observe(SILENT, asker.given_up(concluded_at))
        assert asker.moment - before == pytest.approx(0.1 * slots)


def test_a_hurried_probe_waits_as_long_as_it_is_given() -> None:
    asker = asker_of(Timing(interval=0.1, timeout=0.1))
    asker.hurry(1000.0)
    assert asker.deadline(1000.001) == 1000.001 + 0.1
    assert asker.given_up(1000.103) == 1000.103
