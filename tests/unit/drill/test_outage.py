"""Outages from the moments of probes and answers."""

from __future__ import annotations

from lvsd.drill.outage import Outage, outage

PACE = 0.01
SENT = [n * PACE for n in range(1000)]  # ten seconds


def answered(*silences: tuple[float, float]) -> list[float]:
    return [at for at in SENT if not any(begin <= at < end for begin, end in silences)]


def test_the_longest_silence_counts_less_the_pace() -> None:
    seen = outage("web", SENT, answered((2, 2.1), (4, 4.5)), PACE, (1, 9))
    assert seen == Outage("web", 801, 60, 500.0)


def test_steady_answers_are_no_outage() -> None:
    assert outage("web", SENT, answered(), PACE, (1, 9)).milliseconds == 0.0


def test_a_silence_that_began_with_the_part_counts_from_the_last_answer_before() -> None:
    assert outage("web", SENT, answered((1, 3)), PACE, (1, 9)).milliseconds == 2000.0
    assert outage("web", SENT, answered((0.5, 3)), PACE, (1, 9)).milliseconds == 2500.0


def test_late_answers_count_when_they_come() -> None:
    """Probes that waited for a MAC address leave all at once."""
    answers = [*answered((2, 3)), *([3.0] * 100)]
    assert outage("web", SENT, answers, PACE, (1, 9)) == Outage("web", 801, 0, 1000.0)


def test_a_silence_to_the_end_is_told_as_such() -> None:
    assert outage("web", SENT, answered((5, 20)), PACE, (1, 9)) == Outage("web", 801, 401, 4000.0, lasting=True)
    assert not outage("web", SENT, answered((8.8, 20)), PACE, (1, 9)).lasting


def test_a_silence_in_which_nobody_asked_is_none_of_the_service() -> None:
    """The machine stood still until the part ended: one probe is under way, and one leaves when it goes on."""
    sent = [moment for moment in SENT if moment < 8.1 or moment > 8.995]
    assert not outage("web", sent, answered((8.095, 20)), PACE, (1, 9)).lasting
    assert outage("web", [*sent, 8.11, 8.12], answered((8.095, 20)), PACE, (1, 9)).lasting


def test_without_an_answer_before_nothing_can_be_said() -> None:
    assert outage("web", SENT, [], PACE, (1, 9)) == Outage("web", 801, 801, None)
    assert outage("web", [], [], PACE, (1, 9)) == Outage("web", 0, 0, None)
    assert outage("web", SENT, answered((0, 2)), PACE, (1, 9)).milliseconds is None
