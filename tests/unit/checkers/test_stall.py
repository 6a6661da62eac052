"""A loop that does not turn: what a probe misses of its time is not held against the real server."""

from __future__ import annotations

import asyncio
import time

import pytest

from checkers.core.messages import AssignedCheck, Target
from checkers.core.outcome import Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes.attempt import Finding, attempt
from checkers.probes.stall import LOOK_SECONDS, TOLD_SECONDS, TOLERATED_SECONDS, Stall
from config.checks import PopCheck, Timing
from tests.unit.checkers import servers

TIMEOUT_SECONDS = 0.4
FAIR_SECONDS = 3.0  # so long that a loaded machine holds the loop up for less than the share of it that matters


async def found(port: int, stall: Stall, timeout: float = TIMEOUT_SECONDS) -> Outcome:
    findings: list[Finding] = []
    check = AssignedCheck("a", Target(servers.HOST, port), PopCheck(), Timing(timeout=timeout))
    await attempt(check, findings.append, stalled=stall.total)
    return findings[0].outcome


async def test_a_timeout_in_a_stalled_loop_proves_nothing() -> None:
    stall = Stall(lambda _: None)
    async with servers.serving(servers.silent) as port:
        probing = asyncio.create_task(found(port, stall))
        await asyncio.sleep(0.05)
        time.sleep(TIMEOUT_SECONDS * 2)  # noqa: ASYNC251 (the loop does not turn: that is the test)
        stalled = await probing
        again = await found(port, stall, FAIR_SECONDS)
    assert isinstance(stalled, Inconclusive)
    assert "held up" in stalled.detail
    assert isinstance(again, Unhealthy)
    assert again.reason is Reason.REPLY_TIMEOUT


async def test_a_stall_counts_before_it_was_looked_at_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline that passed in it may come first, when the loop turns again."""
    now = [1000.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    stall = Stall(lambda _: None)
    now[0] += LOOK_SECONDS + TOLERATED_SECONDS / 2
    assert stall.total() == 0.0
    now[0] += 3.0
    at_once = stall.total()
    assert at_once == pytest.approx(3.0 + TOLERATED_SECONDS / 2)
    await asyncio.sleep(0)  # the loop turns
    await asyncio.sleep(0)
    assert stall.total() == at_once
    now[0] += LOOK_SECONDS
    assert stall.total() == at_once


async def test_a_long_stall_is_told_and_a_turning_loop_is_none() -> None:
    told: list[float] = []
    stall = Stall(told.append)
    await asyncio.sleep(0.3)
    before = stall.total()
    assert not told
    time.sleep(TOLD_SECONDS + 0.2)  # noqa: ASYNC251 (the loop does not turn: that is the test)
    await asyncio.sleep(0.2)
    assert len(told) == 1
    assert stall.total() - before >= TOLD_SECONDS
