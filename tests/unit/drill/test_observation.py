"""What a client saw: its gaps, its connections, and how they are laid beside a drill."""

from __future__ import annotations

import pytest

from lvsd.drill.observation import (
    CLOCKS_SECONDS,
    GAPS_LIMIT,
    Gap,
    Held,
    Observation,
    ObservedService,
    ServiceSeen,
    gaps,
    overlaps,
    within,
    words,
)

SEEN = ServiceSeen("tcp 192.0.2.100:80", 1000, 7, (Gap(1010.0, 40.0), Gap(1100.0, 900.0)), Held(20, 18, 1, 0, 1))
CONNECTIONS = "16 of 19 connections kept, 2 reset, 1 silent, 1 closed by the real server"
OBSERVATION = Observation("client", 1000.0, 1120.0, 10.0, (SEEN,))


def test_gaps_are_the_times_without_an_answer_less_the_pace() -> None:
    assert gaps((2.0, 1.0, 1.5), 0.1, 2.3) == (Gap(1.0, 400.0), Gap(1.5, 400.0), Gap(2.0, 200.0))
    assert gaps((), 0.1, 9.0) == ()
    many = gaps([float(one * one) for one in range(GAPS_LIMIT + 5)], 0.0, 10_000.0)
    assert len(many) == GAPS_LIMIT
    assert [one.at for one in many] == sorted(one.at for one in many)
    assert min(one.milliseconds for one in many) > 5000


@pytest.mark.parametrize(
    ("began", "ended", "milliseconds"),
    [(1009.0, 1012.0, 40.0), (1099.0, 1102.0, 900.0), (1009.0, 1102.0, 900.0), (1050.0, 1060.0, 0.0)],
)
def test_the_longest_gap_of_a_drills_time_counts(began: float, ended: float, milliseconds: float) -> None:
    (row,) = within(OBSERVATION, began, ended)
    assert row == ObservedService("client", SEEN.service, milliseconds, 1000, 7, SEEN.held)


def test_clocks_may_differ_a_little() -> None:
    assert overlaps(OBSERVATION, 1120.0 + CLOCKS_SECONDS, 1200.0)
    assert not overlaps(OBSERVATION, 1120.1 + CLOCKS_SECONDS, 1200.0)
    assert overlaps(OBSERVATION, 900.0, 1000.0 - CLOCKS_SECONDS)
    assert not overlaps(OBSERVATION, 900.0, 999.9 - CLOCKS_SECONDS)
    late, early = 1010.04 + CLOCKS_SECONDS, 1010.0 - CLOCKS_SECONDS
    assert [one.milliseconds for one in within(OBSERVATION, late, late)] == [40.0]
    assert [one.milliseconds for one in within(OBSERVATION, early, early)] == [40.0]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (ObservedService("c", "x", 40.0, 9, 1, Held()), "x: outage 40.0 ms (9 probes, 1 unanswered)"),
        (ObservedService("c", "x", None, 9, 9, Held()), "x: never answered (9 probes, 9 unanswered)"),
        (
            ObservedService("c", "x", 40.0, 9, 1, Held(20, 16, 2, 1, 1), lasting=True),
            f"x: outage at least 40.0 ms, to the end (9 probes, 1 unanswered); {CONNECTIONS}",
        ),
    ],
)
def test_words(row: ObservedService, expected: str) -> None:
    assert words(row) == expected
