"""Whether a host answers ICMP echo requests (RFC 792, RFC 4443 section 4)."""

from __future__ import annotations

import asyncio
import contextlib

from checkers.core.outcome import Healthy, Outcome
from checkers.probes.echo import echoes
from checkers.probes.failures import Stage
from checkers.probes.session import Session, numeric
from config.checks import PingCheck


async def probe(session: Session, check: PingCheck) -> Outcome:
    """Healthy at the first reply. The requests are spread over the timeout; the last waits until its end."""
    family, address = numeric(session.target)
    shared = echoes(family)
    session.stage = Stage.ASKING
    pause = session.remaining() / max(1, check.count)
    with shared.asking((address[0], 0, *address[2:]), session.dial) as question:
        for number in range(1, check.count):
            shared.send(question, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await question.answered.wait()
                    return Healthy(_words(number))
        shared.send(question, max(1, check.count))
        await question.answered.wait()
    return Healthy(_words(check.count))


def _words(number: int) -> str:
    return "answered" if number <= 1 else f"answered after {number} requests"
