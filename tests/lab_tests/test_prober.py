"""What a client that asks one question at a time can say of an outage."""

from __future__ import annotations

import pytest

from tests.lab.prober import Poll, Prober


def prober(*polls: tuple[float, float, bool]) -> Prober:
    one = Prober(host=None, ask=bool)  # type: ignore[arg-type]  # nothing is asked
    one.polls = [Poll(*poll) for poll in polls]
    return one


HUNG = prober((0.0, 0.01, True), (0.02, 0.27, False), (0.28, 0.29, True))
LONG = prober((0.0, 0.01, True), (0.02, 0.27, False), (0.28, 0.53, False), (0.54, 0.79, False), (0.8, 0.81, True))
CALM = prober((0.0, 0.01, True), (0.02, 0.03, True))


@pytest.mark.parametrize(("one", "least", "most"), [(HUNG, 0.0, 0.28), (LONG, 0.52, 0.8), (CALM, 0.0, 0.02)])
def test_an_outage_lies_between_what_was_asked_in_vain_and_what_was_answered(
    one: Prober, least: float, most: float
) -> None:
    assert [one.at_least_seconds(), one.outage_seconds()] == pytest.approx([least, most])


def test_two_lost_segments_far_apart_are_no_long_outage() -> None:
    apart = prober((0.0, 0.1, False), (0.2, 0.3, True), (5.0, 5.2, False), (5.3, 5.4, True))
    assert apart.at_least_seconds() == 0


@pytest.mark.parametrize(
    ("one", "milliseconds", "borne_out"),
    [(HUNG, 20.0, True), (HUNG, 340.0, False), (LONG, 700.0, True), (LONG, 460.0, False), (LONG, 860.0, False)],
)
def test_what_a_drill_measured_is_held_against_both_bounds(one: Prober, milliseconds: float, borne_out: bool) -> None:
    assert one.bears_out(milliseconds, 50.0) is borne_out
