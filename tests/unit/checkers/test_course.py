"""One check's course: what is believed decides when it is probed next."""

from __future__ import annotations

import msgspec
import pytest

from checkers.core.books import Phase
from checkers.core.course import Course, course
from checkers.core.health import unproven
from checkers.core.messages import AssignedCheck, State, Target
from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy
from checkers.core.schedule import EARLY_SECONDS, grain, phase_of
from config.checks import AnyCheck, HttpCheck, TcpCheck, Timing

DOWN = Unhealthy(Reason.REFUSED)
TIMING = Timing(interval=10.0, rise=2, fall=2, fast_interval=1.0, down_interval=60.0)


def begun(
    known: State,
    timing: Timing = TIMING,
    *,
    unseen: bool = False,
    check: AnyCheck = TcpCheck(),  # noqa: B008  frozen
) -> Course:
    assigned = AssignedCheck("a", Target("192.0.2.1", 80), check, timing, known, unseen=unseen)
    return course(assigned, unproven(known, 1000.0), 1000.0)


def probed(one: Course, outcome: Outcome) -> float:
    """Probe when its moment has come, at once: seconds until the next."""
    now = one.moment
    one.begun(now)
    one.observe(outcome, now, 0.0)
    one.ended(now)
    return one.moment - now


def test_who_is_down_waits_longer_and_hurries_when_it_comes_back() -> None:
    one = begun(State.UP)
    assert [probed(one, outcome) for outcome in (Healthy(), DOWN)] == [10.0, 1.0]
    assert 30.0 <= probed(one, DOWN) <= 90.0  # down: in the slots of that rhythm, not right behind
    assert [probed(one, DOWN) for _ in range(3)] == [60.0] * 3
    assert one.moment % 60.0 == pytest.approx(phase_of("a", TIMING, 60.0) * 60.0)
    assert probed(one, Healthy()) == 1.0
    assert 5.0 <= probed(one, Healthy()) <= 15.0
    assert [probed(one, Healthy()) for _ in range(2)] == [10.0, 10.0]
    assert one.moment % 10.0 == pytest.approx(phase_of("a", TIMING) * 10.0)
    late = one.books.page().phases[Phase.LATE]
    assert (late.longest, sum(late.counts)) == (0.0, 10)


def test_without_a_fast_interval_a_doubt_is_looked_at_in_the_usual_one() -> None:
    one = begun(State.DOWN, Timing(interval=10.0, rise=3, down_interval=60.0))
    probed(one, DOWN)
    assert probed(one, DOWN) == 60.0
    assert 5.0 <= probed(one, Healthy()) <= 15.0
    assert probed(one, Healthy()) == 10.0


def test_phases_of_those_that_are_down_are_shared_too() -> None:
    for number in range(50):
        phase = phase_of(f"check {number}", TIMING, 60.0) * 60.0 / grain(TIMING)
        assert phase == pytest.approx(round(phase))
    assert len({phase_of(f"check {number}", TIMING, 60.0) for number in range(2000)}) > 60.0 / grain(TIMING) / 2


@pytest.mark.parametrize("known", State)
def test_what_is_only_presumed_is_probed_early(known: State) -> None:
    assert 0.0 < begun(known, unseen=True).moment - 1000.0 <= EARLY_SECONDS
    one = begun(known, unseen=True)
    probed(one, Healthy())
    assert course(one.assigned, one.health, one.moment).moment - one.moment > EARLY_SECONDS


def test_who_is_presumed_up_needs_all_its_failures() -> None:
    one = begun(State.UP, unseen=True)
    states = []
    for wait in (1.0, 30.0):
        assert probed(one, DOWN) >= wait
        states.append(one.health.state)
    assert states == [State.UP, State.DOWN]


def test_what_is_asked_is_a_connection_so_many_times_and_then_the_whole() -> None:
    one = begun(State.UP, Timing(interval=10.0, connects=2), check=HttpCheck())
    asked = []
    for _ in range(5):
        asked.append(one.asked)
        probed(one, Healthy())
    assert asked == [HttpCheck(), TcpCheck(), TcpCheck(), HttpCheck(), TcpCheck()]
    one.retime(msgspec.structs.replace(one.assigned, timing=TIMING), one.moment)
    probed(one, Healthy())
    assert one.asked == HttpCheck()


def test_another_rhythm_begins_at_once_and_the_belief_stays() -> None:
    one = begun(State.UP)
    probed(one, DOWN)
    one.retime(msgspec.structs.replace(one.assigned, timing=Timing(interval=3.0, fall=2)), one.moment)
    assert (one.health.state, one.health.streak) == (State.UP, 1)
    before = one.moment
    assert probed(one, Healthy()) == 3.0
    assert before % 3.0 == pytest.approx(phase_of("a", Timing(interval=3.0)) * 3.0)


def test_who_is_hurried_is_probed_now_and_goes_on_in_its_slots() -> None:
    one = begun(State.UP)
    slot = one.moment
    one.hurry(slot - 7.0)
    assert one.moment == slot - 7.0
    probed(one, Healthy())
    assert one.moment == slot


def test_how_late_a_probe_began_is_told_and_written_down() -> None:
    one = begun(State.UP)
    assert one.begun(one.moment + 0.25) == pytest.approx(0.25)
    assert one.books.page().phases[Phase.LATE].longest == pytest.approx(0.25)


def test_what_was_written_before_is_kept() -> None:
    one = begun(State.UP)
    probed(one, DOWN)
    again = course(one.assigned, one.health, one.moment, one.books)
    probed(again, DOWN)
    assert again.books.page().reasons == {Reason.REFUSED: 2}


def test_the_first_failure_and_the_fall_are_news_and_the_failures_between_and_behind_are_not() -> None:
    one = begun(State.UP, Timing(interval=10.0, fall=3))
    outcomes: list[Outcome] = [Healthy("a"), Healthy("b")]
    outcomes += [Unhealthy(Reason.REFUSED, str(number)) for number in range(4)]
    outcomes += [Healthy()]
    assert [one.observe(outcome, 1.0, 0.0) for outcome in outcomes] == [True, False, True, False, True, False, True]


def test_a_probe_longer_than_its_interval_is_followed_in_the_next_of_its_slots() -> None:
    one = begun(State.UP)
    slot = one.moment
    one.observe(Healthy(), slot + 25.0, 25.0)
    one.ended(slot + 25.0)
    assert one.moment == slot + 30.0
