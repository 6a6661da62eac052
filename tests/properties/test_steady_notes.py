"""What is noted and folded in by the handful is what telling the course each time comes to."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.books import CONNECT, FIRST_BYTE, LATE, WHOLE
from checkers.core.course import Course, course
from checkers.core.health import unproven
from checkers.core.messages import AssignedCheck, State, Target
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.core.steady import Steady
from config.checks import HttpCheck, Timing

CHECK = AssignedCheck("a", Target("192.0.2.11", 80), HttpCheck(), Timing(interval=1.0))
OUTCOMES = (
    Healthy("200 OK"), Healthy("200 Fine"), Healthy("200 OK", weight=3), Unhealthy(Reason.STATUS, "503"),
    Inconclusive("no descriptors"),
)  # fmt: skip
TIMINGS = (CHECK.timing, Timing(interval=2.0, fast_interval=0.2), Timing(interval=1.0, connects=2, down_interval=9.0))
STEPS = st.one_of(
    st.tuples(st.sampled_from((*OUTCOMES[:2],) * 8 + OUTCOMES), st.integers(0, 1500)),  # found, and ms it took
    st.sampled_from(("look", "hurry")),
    st.sampled_from(TIMINGS),
)


def told(given_: Course, outcome: Outcome, late: float, ended_at: float, parts: tuple[float, ...]) -> bool:
    given_.books.add(LATE, late)
    news = given_.observe(outcome, ended_at, parts[0])
    for row, seconds in zip((CONNECT, FIRST_BYTE), parts[1:], strict=True):
        given_.books.add(row, seconds)
    given_.ended(ended_at)
    return news


def page(given_: Course) -> object:
    return msgspec.to_builtins(given_.books.page())


@given(st.lists(STEPS, max_size=60), st.sampled_from(TIMINGS))
def test_both_come_to_the_same(steps: list[object], timing: Timing) -> None:
    check = msgspec.structs.replace(CHECK, timing=timing)
    plain = course(check, unproven(State.UNKNOWN, 100.0), 100.0)
    noted = Steady(course(check, unproven(State.UNKNOWN, 100.0), 100.0), (CONNECT, FIRST_BYTE))
    now = 100.0
    for step in steps:
        if isinstance(step, Timing):
            for one in (plain, noted.course):
                one.retime(msgspec.structs.replace(check, timing=step), now)
            noted.heed()
        elif step == "hurry":
            plain.hurry(now)
            noted.course.hurry(now)
            noted.heed()
        elif isinstance(step, tuple):
            outcome, milliseconds = step
            assert noted.moment == plain.moment
            assert noted.connects == (plain.connects_left > 0)
            began_at = max(now, plain.moment) + 0.001
            late, took = began_at - plain.moment, milliseconds / 1000
            now = began_at + took
            parts = (took, took / 4, took / 2)
            news = told(plain, outcome, late, now, parts)
            if noted.note(outcome, now, late, *parts):
                assert not news
            else:
                assert told(noted.course, outcome, late, now, parts) is news
                noted.heed()
        else:
            assert noted.course.health.probes == plain.health.probes
    assert noted.course.rhythm == plain.rhythm
    assert page(noted.course) == page(plain)
    mine, its = noted.course.health, plain.health
    assert msgspec.structs.replace(mine, latency=0.0) == msgspec.structs.replace(its, latency=0.0)
    assert abs(mine.latency - its.latency) < 1e-6  # noted in 32 bits


def test_a_steady_check_is_noted_and_whole_when_it_is_looked_at() -> None:
    given_ = course(CHECK, unproven(State.UNKNOWN, 100.0), 100.0)
    told(given_, OUTCOMES[0], 0.0, given_.moment + 0.01, (0.01, 0.001, 0.002))
    noted = Steady(given_, (CONNECT, FIRST_BYTE))
    while given_.rhythm.hurried_to is not None:
        told(given_, OUTCOMES[0], 0.0, given_.moment + 0.01, (0.01, 0.001, 0.002))
        noted.heed()
    before = given_.health.probes
    for _ in range(3):
        assert noted.note(OUTCOMES[0], noted.moment + 0.01, 0.0, 0.01, 0.001, 0.002)
    assert given_.health.probes == before
    assert noted.course.health.probes == before + 3
    assert given_.books.page().phases  # folded into the same books
    assert WHOLE == 0
