"""The intervals, against the figures measured of keepalived."""

from __future__ import annotations

import pytest

from lvsd.vrrp.timers import active_down_interval, skew_time


@pytest.mark.parametrize(("priority", "skew"), [(100, 0.609375), (150, 0.4140625), (255, 0.00390625), (1, 0.99609375)])
def test_skew_time(priority: int, skew: float) -> None:
    assert skew_time(2, priority, 5.0) == skew
    assert active_down_interval(2, priority, 1.0) == 3 + skew
    assert active_down_interval(2, priority, 5.0) == 15 + skew


def test_in_version_3_the_skew_is_a_share_of_the_interval() -> None:
    assert skew_time(3, 128, 0.1) == pytest.approx(0.05)
    assert active_down_interval(3, 100, 0.1) == pytest.approx(0.360937, abs=1e-6)
    assert active_down_interval(3, 100, 0.01) == pytest.approx(0.0360937, abs=1e-7)
