"""Who is asked when: with a clock that is moved by hand, and answers of all kinds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from checkers.syn.batch import ASLEEP, NOT_OUT, TICK_SECONDS, Batch
from checkers.syn.packet import NUMBERS

PEER = bytes((10, 0, 0, 2))


@dataclass(eq=False)
class One:
    peer: bytes = PEER
    port: int = 80
    wake: int = ASLEEP
    number: int = NOT_OUT
    our_port: int = 0


def ask(batch: Batch[One], one: One, number: int, our_port: int, deadline: float) -> None:
    """A single one."""
    batch.ask([one], [number], [our_port], [deadline])


@given(st.floats(0, 1e6), st.integers(1, 10))
def test_a_probe_begins_half_a_grain_from_its_moment_at_most(moment: float, ticks: int) -> None:
    batch, one = Batch[One](), One()
    batch.plan(one, moment, ticks)
    grain = ticks * TICK_SECONDS
    assert batch.due(moment - grain * 0.501 - 1e-6) == ([], [])
    assert batch.due(moment + grain * 0.501 + 1e-6) == ([one], [])


@given(st.floats(0, 1e6))
def test_a_deadline_is_never_early_and_a_tick_late_at_most(deadline: float) -> None:
    batch, one = Batch[One](), One()
    ask(batch, one, 1, 40000, deadline)
    assert batch.due(deadline - 1e-4) == ([], [])
    assert batch.due(deadline + TICK_SECONDS + 1e-6) == ([], [one])


def test_who_asked_before_its_moment_is_waited_for_then_and_not_asked() -> None:
    batch, one = Batch[One](), One()
    batch.plan(one, 1.0)
    ask(batch, one, 7, 40000, 1.0)
    assert batch.due(1.0) == ([], [one])


def test_many_planned_for_one_moment_before_and_after_it_are_all_due() -> None:
    batch = Batch[One]()
    askers = [One() for _ in range(3)]
    batch.plan(askers[0], 1.0)
    batch.plan(askers[1], 1.0)
    assert batch.due(1.0) == (askers[:2], [])
    batch.plan(askers[2], 1.0)
    assert batch.due(1.0) == (askers[2:], [])


def test_each_has_its_own_grain() -> None:
    batch = Batch[One]()
    fine, coarse = One(), One()
    batch.plan(fine, 1.02, 1)
    batch.plan(coarse, 1.02, 10)
    assert batch.due(1.0) == ([coarse], [])
    assert batch.due(1.02) == ([fine], [])


def test_between_two_ticks_it_is_always_the_first() -> None:
    for slot in range(100):
        batch, one = Batch[One](), One()
        batch.plan(one, (slot + 0.5) * 2 * TICK_SECONDS, 2)
        assert one.wake == 2 * slot


def test_it_is_due_when_next_moment_says_so() -> None:
    batch = Batch[One]()
    for tick in range(1, 20000, 37):
        one = One()
        batch.plan(one, tick * TICK_SECONDS)
        moment = batch.next_moment()
        assert moment is not None
        assert batch.due(moment) == ([one], [])


def test_nobody_wakes_for_a_deadline_when_all_have_answered() -> None:
    batch, one, other = Batch[One](), One(), One()
    batch.ask([one, other], [7, 8], [40000, 40000], [1.0, 1.0])
    assert batch.heard(PEER, 80, 40000, 7) is one
    assert batch.next_moment() == pytest.approx(1.0)
    assert batch.heard(PEER, 80, 40000, 8) is other
    assert batch.next_moment() is None
    batch.plan(one, 1.0)
    assert batch.next_moment() == pytest.approx(1.0)
    assert batch.due(1.0) == ([one], [])


@pytest.mark.parametrize(
    ("peer", "port", "our_port", "number"),
    [(bytes((10, 0, 0, 3)), 80, 40000, 7), (PEER, 81, 40000, 7), (PEER, 80, 40001, 7), (PEER, 80, 40000, 8)],
    ids=["address", "port", "our port", "number"],
)
def test_an_answer_that_differs_in_anything_counts_for_nothing(
    peer: bytes, port: int, our_port: int, number: int
) -> None:
    batch, one = Batch[One](), One()
    ask(batch, one, 7, 40000, 1.0)
    assert batch.heard(peer, port, our_port, number) is None
    assert batch.out == 1
    assert batch.heard(PEER, 80, 40000, 7) is one
    assert batch.heard(PEER, 80, 40000, 7) is None  # nor does it count twice


def test_a_late_answer_counts_for_nothing() -> None:
    batch, one = Batch[One](), One()
    ask(batch, one, 7, 40000, 1.0)
    assert batch.due(1.0) == ([], [one])
    batch.end(one)
    assert batch.heard(PEER, 80, 40000, 7) is None
    ask(batch, one, 9, 40001, 2.0)
    assert batch.heard(PEER, 80, 40000, 7) is None
    assert batch.heard(PEER, 80, 40001, 9) is one


def test_no_two_are_out_with_one_number() -> None:
    batch = Batch[One]()
    ask(batch, One(), NUMBERS - 1, 40000, 1.0)
    ask(batch, One(), 0, 40000, 1.0)
    assert tuple(batch.free((5, 6))) == (5, 6)
    assert tuple(batch.free((NUMBERS - 1, 5, 0, 5))) == (1, 5, 2, 6)


class Life(RuleBasedStateMachine):
    """Askers that are asked, answered, forged and let go: each is waited for or planned, once."""

    def __init__(self) -> None:
        super().__init__()
        self.batch: Batch[One] = Batch()
        self.now = 1000.0
        self.numbers = 0
        self.askers = [One(bytes((10, 0, 0, at)), 80) for at in range(5)]
        self.deadlines: dict[int, float] = {}
        self.gone: set[int] = set()
        for one in self.askers:
            self.batch.plan(one, self.now)

    @rule(seconds=st.floats(0, 0.2))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds
        woken, late = self.batch.due(self.now)
        for one in late:
            assert one.number != NOT_OUT
            assert self.now >= self.deadlines[self.askers.index(one)] - 1e-4
            self.batch.end(one)
            self.batch.plan(one, self.now + 0.1)
        for one in woken:
            at = self.askers.index(one)
            assert at not in self.gone
            assert one.number == NOT_OUT
            self.numbers += 1
            self.deadlines[at] = self.now + 0.05
            ask(self.batch, one, self.batch.free([self.numbers])[0], 40000, self.now + 0.05)

    @rule(at=st.integers(0, 4), forged=st.booleans())
    def somebody_answers(self, at: int, forged: bool) -> None:
        one = self.askers[at]
        number = one.number if one.number != NOT_OUT else self.numbers
        peer = bytes((10, 9, 9, 9)) if forged else one.peer
        was_out = one.number != NOT_OUT
        found = self.batch.heard(peer, 80, 40000, number)
        assert (found is one) == (was_out and not forged)
        if found is not None:
            self.batch.plan(one, self.now + 0.1)

    @rule(at=st.integers(0, 4))
    def somebody_goes(self, at: int) -> None:
        if at not in self.gone and len(self.gone) < 3:
            self.gone.add(at)
            self.batch.end(self.askers[at])

    @invariant()
    def everybody_who_is_left_will_be_woken(self) -> None:
        for at, one in enumerate(self.askers):
            assert (one.wake == ASLEEP) == (at in self.gone)
        assert self.batch.out == sum(one.number != NOT_OUT for one in self.askers)
        moment = self.batch.next_moment()
        assert moment is not None
        assert moment <= self.now + 0.1 + TICK_SECONDS


def test_everybody_is_asked_or_waited_for() -> None:
    run_state_machine_as_test(Life)
