"""An agent (HAProxy's agent-check): one line in which a real server tells its weight and state.

That an agent cannot be asked, or says nothing that is understood, tells nothing of the real server: what it has said
before stands. One that has never said anything leaves the real server to its other checks.
"""

from __future__ import annotations

import re

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason
from checkers.probes.agent_words import Standing, fold, judged, parse
from checkers.probes.failures import Failed, outcome_of
from checkers.probes.session import Session
from config.checks import AgentCheck

LINE_LIMIT_BYTES = 1024
ALLOWANCE_BYTES = 65536  # what an agent says after its line is not looked at
_END = re.compile(rb"[\r\n]")


async def probe(session: Session, check: AgentCheck) -> Outcome:
    """Unhealthy at its word alone. Otherwise healthy, with the weight it asks for."""
    session.silence = _unasked(session, "no answer in time")
    try:
        line = await _line(session, check)
    except (Failed, OSError, EOFError) as error:
        outcome = outcome_of(error, session.stage)
        return outcome if isinstance(outcome, Inconclusive) else _unasked(session, outcome.detail)
    words = parse(line)
    if not words.tell:
        return _unasked(session, f"nothing that is understood: {words.strange or 'an empty line'}")
    standing = fold(session.memory.agent or Standing(), words)
    session.memory.agent = standing
    return judged(standing, check.weight, words.strange)


def _unasked(session: Session, words: str) -> Outcome:
    text = f"the agent tells nothing: {words}"
    if session.memory.agent is not None or session.memory.believed:
        return Inconclusive(text)
    return Healthy(text)


async def _line(session: Session, check: AgentCheck) -> bytes:
    """What it says up to the first CR, LF or the connection's end."""
    reader, writer = await session.stream(ALLOWANCE_BYTES)
    if check.send:
        writer.write(check.send.encode())
    said = b""
    while len(said) < LINE_LIMIT_BYTES:
        piece = await reader.read(LINE_LIMIT_BYTES - len(said))
        said += piece
        if found := _END.search(said):
            return said[: found.start()]
        if not piece:
            return said
    raise Failed(Reason.TOO_LARGE, f"no line's end in {LINE_LIMIT_BYTES} bytes")
