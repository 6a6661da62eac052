"""What the director told lately."""

from __future__ import annotations

import pytest

from lvsd.runtime.history import KEPT, History


def of_three() -> History:
    history = History()
    history.note("info", "real_server_up", {"real_server": "1.1.1.17:80", "latency_ms": 1.5})
    history.note("warning", "real_server_down", {"real_server": "[2001:db8::17]:80"})
    history.note("info", "config_reloaded", {"generation": 2})
    return history


def test_those_after_a_number() -> None:
    reply = of_three().since(1)
    assert reply.last == 3
    assert [(one.number, one.level, one.event) for one in reply.events] == [
        (2, "warning", "real_server_down"), (3, "info", "config_reloaded"),
    ]  # fmt: skip
    assert of_three().since(3).events == ()


@pytest.mark.parametrize(
    ("real", "numbers"),
    [("1.1.1.17", [1]), ("1.1.1.17:80", [1]), ("1.1.1.1", []), ("2001:db8::17", [2]), ("[2001:db8::17]", [2]),
     ("[2001:db8::17]:80", [2]), ("", [1, 2, 3])],
)  # fmt: skip
def test_those_of_a_real_server(real: str, numbers: list[int]) -> None:
    reply = of_three().since(0, real)
    assert [one.number for one in reply.events] == numbers
    assert reply.last == 3  # whoever follows asks for what comes after all of them


def test_a_number_of_a_director_of_before_gives_all() -> None:
    assert len(of_three().since(99).events) == 3


def test_the_oldest_are_forgotten() -> None:
    history = History()
    for number in range(KEPT + 10):
        history.note("info", "ticked", {"number": number})
    rows = history.since(0).events
    assert (len(rows), rows[0].number, rows[-1].number) == (KEPT, 11, KEPT + 10)
