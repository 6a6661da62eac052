"""What is noted and folded in later comes to what would have been found at once."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.books import Histogram
from checkers.core.course import course
from checkers.core.health import unproven
from checkers.core.messages import AssignedCheck, State, Target
from checkers.core.outcome import Reason, Unhealthy
from checkers.syn.asker import ANSWERED, Asker
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


@pytest.mark.parametrize(
    ("interval", "ticks"), [(0.01, 1), (0.05, 1), (0.1, 2), (0.2, 4), (0.5, 10), (1.0, 10), (60.0, 10)]
)
def test_a_probe_is_a_twentieth_of_its_interval_early_or_late_at_most(interval: float, ticks: int) -> None:
    timing = Timing(interval=interval, timeout=interval)
    assigned = AssignedCheck("a", Target("10.0.0.1", 80), SynCheck(), timing, State.UP)
    assert Asker(course(assigned, unproven(State.UP, 0.0), 0.0), Histogram()).ticks == ticks
