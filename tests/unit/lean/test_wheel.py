"""The timer wheel: nobody too early, nobody forgotten, nobody twice."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from checkers.lean.wheel import ASLEEP, ROUNDING_TICKS, TICK_SECONDS, Wheel


@dataclass
class Sleeper:
    wake: int = ASLEEP
    woken: list[float] = field(default_factory=list)

    def due(self, now: float) -> None:
        self.woken.append(now)

    def broken(self, _error: Exception, _now: float) -> None:
        raise AssertionError


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50), st.lists(st.floats(0, 1), max_size=200))
def test_each_is_woken_once_within_a_tick_of_its_moment_or_at_the_look_after(
    moments: list[float], steps: list[float]
) -> None:
    wheel = Wheel()
    sleepers = [(moment, Sleeper()) for moment in moments]
    for moment, sleeper in sleepers:
        wheel.add(moment, sleeper)
    now = 0.0
    for step in [*steps, 200.0]:
        now += step
        for woken in wheel.due(now):
            woken.due(now)
        for moment, sleeper in sleepers:
            assert sleeper.woken or moment + TICK_SECONDS > now - 1e-9
            assert not sleeper.woken or sleeper.woken[0] >= moment - ROUNDING_TICKS * TICK_SECONDS - 1e-9
    assert all(len(sleeper.woken) == 1 for _, sleeper in sleepers)
    assert wheel.next_moment() is None


def test_who_is_moved_is_woken_at_the_new_moment_alone() -> None:
    wheel, sleeper = Wheel(), Sleeper()
    wheel.add(1.0, sleeper)
    wheel.add(2.0, sleeper)
    assert wheel.due(1.5) == []
    assert wheel.due(2.5) == [sleeper]
    assert wheel.due(3.5) == []


def test_who_goes_to_sleep_anew_in_the_same_tick_is_woken_once() -> None:
    wheel, sleeper = Wheel(), Sleeper()
    wheel.add(1.0, sleeper)
    wheel.add(2.0, sleeper)
    wheel.add(1.0, sleeper)
    assert wheel.due(5.0) == [sleeper]


def test_the_next_moment_is_the_earliest() -> None:
    wheel = Wheel()
    wheel.add(2.0, Sleeper())
    wheel.add(1.0, Sleeper())
    assert wheel.next_moment() == 1.0


def test_sums_of_fractions_do_not_lose_a_tick() -> None:
    wheel, moment = Wheel(), 1000.05
    for _ in range(100_000):
        moment += 0.3
    wheel.add(moment, Sleeper())
    next_moment = wheel.next_moment()
    assert next_moment is not None
    assert abs(next_moment - 31000.05) < TICK_SECONDS / 2
