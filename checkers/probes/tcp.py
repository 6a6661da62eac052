"""Whether a port accepts a connection. It is closed at once, in order, with nothing said."""

from __future__ import annotations

from checkers.core.outcome import Healthy, Outcome
from checkers.probes.session import Session
from config.checks import TcpCheck


async def probe(session: Session, _check: TcpCheck) -> Outcome:
    """Healthy when connected. Servers that greet first may count it as an aborted connection (MySQL does)."""
    await session.connect(allowance_bytes=0)
    return Healthy("connected")
