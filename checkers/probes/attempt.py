"""One probe from start to goodbye: the deadline is kept and failures are named here, for every kind of check."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from checkers.core.messages import AssignedCheck
from checkers.core.outcome import Inconclusive, Outcome
from checkers.probes.failures import Failed, Stuck, outcome_of
from checkers.probes.memory import Memory
from checkers.probes.registry import probe_of
from checkers.probes.session import Overheard, Session

STALLED_SHARE = 0.25
"""A probe whose loop did not turn for that share of its timeout had no fair chance: its timeout proves nothing."""


class Finding(msgspec.Struct, frozen=True):
    """What a probe found, the moment it was known, the seconds it took, and those of its parts by row of the books."""

    outcome: Outcome
    ended_at: float
    latency: float
    parts: tuple[tuple[int, float], ...] = ()


async def attempt(
    assigned: AssignedCheck,
    report: Callable[[Finding], None],
    memory: Memory | None = None,
    stalled: Callable[[], float] = lambda: 0.0,
    overheard: Overheard | None = None,
) -> None:
    """Probe once. `report` is called as soon as the outcome is known; the goodbye follows, at most
    FAREWELL_SECONDS long, also when this is cancelled. Raises whatever is a fault of the checker's own code.
    `memory`: what probes of this check left for later ones. `stalled`: the seconds in which the loop did not turn, so
    far. `overheard`: see Session.
    """
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    session = Session(assigned.target, began_at + assigned.timing.timeout, assigned.dial, memory, overheard)
    try:
        outcome = await _find_out(session, assigned, stalled)
        ended_at = loop.time()
        report(Finding(outcome, ended_at, ended_at - began_at, tuple(session.parts)))
    finally:
        await session.end()


async def _find_out(session: Session, assigned: AssignedCheck, stalled: Callable[[], float]) -> Outcome:
    probe = probe_of(assigned.check)
    stalled_before = stalled()
    try:
        async with asyncio.timeout_at(session.deadline):
            return await probe(session, assigned.check)
    except TimeoutError:
        missed = stalled() - stalled_before
        if missed >= STALLED_SHARE * assigned.timing.timeout:
            return Inconclusive(f"the checker itself was held up for {missed:.1f} s")
        return session.silent()
    except Failed as failure:
        return outcome_of(session.discreet(failure), session.stage)
    except (Stuck, OSError, EOFError) as error:
        return outcome_of(error, session.stage)
