"""Books: shares that are honest within their step, whatever is written and however much."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.books import (
    HELD,
    LATE,
    STEPS,
    TLS,
    WHOLE,
    Books,
    Histogram,
    Phase,
    counted,
    edge_of,
    step_of,
    tally,
    within,
)
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy

DURATIONS = st.floats(0, 40)
SHARES = st.sampled_from([0.5, 0.9, 0.99, 1.0])


def histogram(durations: Iterable[float]) -> Histogram:
    one = Histogram()
    for seconds in durations:
        one.add(seconds)
    return one


@given(DURATIONS)
def test_a_step_holds_what_lies_between_its_edges(seconds: float) -> None:
    step = step_of(seconds)
    assert 0 <= step < STEPS
    assert step == 0 or seconds >= edge_of(step - 1)
    assert step == STEPS - 1 or seconds < edge_of(step)


def test_edges_grow_by_a_half_at_most_but_for_the_first() -> None:
    for step in range(2, STEPS):
        assert 1 < edge_of(step) / edge_of(step - 1) <= 1.5
    assert step_of(-1.0) == step_of(0.0) == 0


@given(st.lists(DURATIONS, min_size=1, max_size=50), SHARES)
def test_a_share_is_never_told_too_small_and_by_a_half_too_large_at_most(durations: list[float], share: float) -> None:
    told = histogram(durations).within(share)
    exact = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    assert exact <= told <= max(durations)
    assert told <= max(exact * 1.5, edge_of(1)) or exact >= edge_of(STEPS - 2)


@given(st.lists(DURATIONS, max_size=20), st.lists(DURATIONS, max_size=20))
def test_two_joined_are_as_one(one: list[float], other: list[float]) -> None:
    joined = histogram(one).joined(histogram(other))
    assert joined.told() == histogram([*one, *other]).told()


@given(st.lists(st.integers(0, 5), min_size=STEPS, max_size=STEPS))
def test_a_row_is_told_without_its_empty_ends(counts: list[int]) -> None:
    told = counted(counts, 1.0)
    assert [0] * told.first + [*told.counts] + [0] * (STEPS - told.first - len(told.counts)) == counts
    assert not told.counts or (told.counts[0] and told.counts[-1])


OUTCOMES = st.sampled_from(
    [Healthy(), Unhealthy(Reason.REFUSED), Unhealthy(Reason.CONNECT_TIMEOUT), Inconclusive("no descriptors")]
)


@given(st.lists(st.tuples(OUTCOMES, DURATIONS), max_size=30))
def test_every_probe_is_written_once(probes: list[tuple[Outcome, float]]) -> None:
    books = Books()
    for outcome, seconds in probes:
        books.found(outcome, seconds)
    page = books.page()
    failed = [outcome.reason for outcome, _ in probes if isinstance(outcome, Unhealthy)]
    assert page.reasons == {reason: failed.count(reason) for reason in set(failed)}
    assert page.inconclusive == sum(isinstance(outcome, Inconclusive) for outcome, _ in probes)
    whole = page.phases.get(Phase.WHOLE)
    assert (sum(whole.counts) if whole else 0) == len(probes) - page.inconclusive
    assert books.renewed().page().phases == {}
    assert books.renewed().page().reasons == page.reasons


def test_rows_do_not_mix() -> None:
    books = Books()
    books.add(TLS, 0.010)
    books.add(LATE, 0.001)
    books.add(WHOLE, 0.020)
    page = books.page()
    assert {phase: round(one.longest, 6) for phase, one in page.phases.items()} == {
        Phase.WHOLE: 0.02,
        Phase.LATE: 0.001,
        Phase.TLS: 0.01,
    }
    assert all(sum(one.counts) == 1 for one in page.phases.values())


def test_a_full_row_forgets_by_halves_and_keeps_its_shares() -> None:
    books = Books()
    books.add(LATE, 5.0)
    for _ in range(HELD // 3):
        books.add(WHOLE, 1.0)
    for _ in range(HELD + 1):
        books.add(WHOLE, 0.001)
    whole = books.page().phases[Phase.WHOLE]
    assert sum(whole.counts) == HELD // 6 + HELD // 2 + 1
    assert within(whole, 0.5) == pytest.approx(0.001, rel=0.5)
    assert within(whole, 0.99) == 1.0
    assert sum(books.page().phases[Phase.LATE].counts) == 1  # another row


@given(st.lists(st.floats(-0.01, 3.0), min_size=1, max_size=70), st.lists(DURATIONS, max_size=5))
def test_what_is_tallied_counts_as_if_it_were_added_one_by_one(durations: list[float], before: list[float]) -> None:
    one, other = histogram([*before, *durations]), histogram(before)
    other.take(tally(durations))
    assert (one.counts, one.longest) == (other.counts, max(other.longest, 0.0))
    books, others = Books(), Books()
    for seconds in (*before, *durations):
        books.add(LATE, seconds)
    for seconds in before:
        others.add(LATE, seconds)
    others.page()
    others.take(LATE, tally(durations))
    assert sum(others.page().phases[Phase.LATE].counts) == len(before) + len(durations)
    assert books.page().phases[Phase.LATE].counts == others.page().phases[Phase.LATE].counts


def test_a_tally_for_which_a_full_row_has_no_room_halves_it() -> None:
    books = Books()
    for _ in range(HELD // 64):
        books.take(LATE, tally([0.001] * 64))
    books.take(LATE, tally([0.001] * 64))
    assert sum(books.page().phases[Phase.LATE].counts) == HELD // 64 * 64 // 2 + 64


def test_nothing_is_told_of_nothing() -> None:
    assert Books().page().phases == {}
    assert Histogram().within(0.99) == 0.0
