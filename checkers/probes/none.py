"""The check that asks nothing."""

from __future__ import annotations

from checkers.core.outcome import Healthy, Outcome
from checkers.probes.session import Session
from config.checks import NoCheck


async def probe(_session: Session, _check: NoCheck) -> Outcome:
    """Always healthy."""
    return Healthy("not checked")
