"""How late timers are served: counted, and reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvsd.runtime.vrrp_held import HeldFile
from lvsd.runtime.vrrp_routers import Routers
from lvsd.vrrp.lateness import LatenessMeter
from lvsd.vrrp.messages import LATENESS_BOUNDS_SECONDS, Configure
from tests.unit.vrrp import samples
from tests.unit.vrrp.fake_network import FakeNetwork


def test_each_is_counted_where_it_belongs() -> None:
    meter = LatenessMeter()
    for seconds in (0.0, 0.0001, 0.00011, 0.1, 0.2, -0.5):
        meter.note(seconds)
    read = meter.read()
    assert (read.last, read.maximum) == (0.0, 0.2)
    assert read.counts == (3, 1, 0, 0, 0, 0, 1, 1)
    assert len(read.counts) == len(LATENESS_BOUNDS_SECONDS) + 1


def test_the_routers_measure_each_timer_that_was_due(tmp_path: Path) -> None:
    routers = Routers(FakeNetwork(), HeldFile(tmp_path / "held"), 0.0, restarted=False)
    routers.configure(Configure(1, (samples.instance(priority=100),)), 0.0)
    routers.wake(1.0)
    assert sum(routers.status().lateness.counts) == 0
    due = routers.wake_at
    routers.look_at_timers(due + 0.02)
    routers.wake(due + 0.03)
    lateness = routers.status().lateness
    assert lateness.last == pytest.approx(0.02)
    assert lateness.maximum == lateness.last
    assert lateness.counts == (0, 0, 0, 0, 0, 1, 0, 0)
