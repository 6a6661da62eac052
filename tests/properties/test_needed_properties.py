"""Several checks as one word: monotone in each check and in how many are needed, between `any` and `all`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.messages import State
from lvsd.core.health import together

ORDER = [State.DOWN, State.UNKNOWN, State.UP]
STATES = st.lists(st.sampled_from(ORDER), min_size=1, max_size=8)


def rank(state: State) -> int:
    return ORDER.index(state)


@given(STATES, st.integers(0, 10), st.data())
def test_a_check_that_fares_better_makes_nothing_worse(states: list[State], needed: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(states) - 1))
    better = [*states]
    better[at] = data.draw(st.sampled_from(ORDER[rank(states[at]) :]))
    assert rank(together(better, needed)) >= rank(together(states, needed))


@given(STATES, st.integers(1, 10), st.integers(1, 10))
def test_who_needs_more_is_never_better_off(states: list[State], one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert rank(together(states, more)) <= rank(together(states, less))


@given(STATES)
def test_any_is_the_best_and_all_is_the_worst(states: list[State]) -> None:
    assert together(states, 1) is max(states, key=rank)
    assert together(states, 0) is together(states, len(states)) is min(states, key=rank)


@given(STATES, st.integers(0, 10), st.lists(st.sampled_from([State.UP, State.DOWN]), min_size=8, max_size=8))
def test_what_is_said_while_some_are_unknown_stands_whatever_they_turn_out_to_be(
    states: list[State], needed: int, turned: list[State]
) -> None:
    known = [turned[at] if state is State.UNKNOWN else state for at, state in enumerate(states)]
    said = together(states, needed)
    assert together(known, needed) is not State.UNKNOWN
    assert said in (State.UNKNOWN, together(known, needed))


@given(STATES, st.integers(0, 10))
def test_unknown_is_said_only_where_it_is_open(states: list[State], needed: int) -> None:
    best, worst = (
        together([one if state is State.UNKNOWN else state for state in states], needed)
        for one in (State.UP, State.DOWN)
    )
    assert (together(states, needed) is State.UNKNOWN) == (best is not worst)
