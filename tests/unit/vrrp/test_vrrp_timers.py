"""The intervals, against the figures measured of keepalived."""

from __future__ import annotations

import pytest

from lvsd.vrrp.timers import active_down_interval, skew_time


@pytest.mark.parametrize(("priority", "skew"), [(100, 0.609375), (150, 0.4140625), (255, 0.00390625), (1, 0.99609375)])
def test_skew_time(priority: int, skew: float) -> None:
    assert skew_time(priority) == skew
    assert active_down_interval(priority, 1.0) == 3 + skew
    assert active_down_interval(priority, 5.0) == 15 + skew


def test_skew_time_in_another_unit() -> None:
    assert skew_time(128, 0.1) == pytest.approx(0.05)
