"""The kernel's timer: it rings when it should, and only then."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from math import inf

import pytest

from lvsd.runtime.timerfd import TimerFd


@pytest.fixture
def timer() -> Iterator[TimerFd]:
    made = TimerFd()
    yield made
    made.close()


def _rings(timer: TimerFd, within_seconds: float) -> bool:
    return bool(select.select([timer], [], [], within_seconds)[0])


def test_it_is_silent_until_it_is_set(timer: TimerFd) -> None:
    assert not _rings(timer, 0)


@pytest.mark.parametrize("moment", [0.0, -5.0, 0.000001])
def test_a_moment_that_is_past_rings_at_once(timer: TimerFd, moment: float) -> None:
    timer.set(moment)
    assert _rings(timer, 5)


def test_it_rings_when_the_moment_has_come_and_not_before(timer: TimerFd) -> None:
    moment = time.monotonic() + 0.05
    timer.set(moment)
    assert _rings(timer, 5)
    assert time.monotonic() >= moment


def test_reading_silences_it(timer: TimerFd) -> None:
    timer.set(0.0)
    assert _rings(timer, 5)
    timer.read()
    assert not _rings(timer, 0)
    timer.read()


def test_inf_is_never_and_undoes_what_was_set(timer: TimerFd) -> None:
    timer.set(time.monotonic() + 3600)
    timer.set(inf)
    assert not _rings(timer, 0)
    timer.set(0.0)
    timer.set(inf)
    assert not _rings(timer, 0)
