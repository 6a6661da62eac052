"""Any protocol of text over TCP: something is said, and the expected must come back."""

from __future__ import annotations

import asyncio

from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy, escaped
from checkers.probes.expect import Search
from checkers.probes.failures import Failed
from checkers.probes.session import Session
from config.checks import SimpleTcpCheck

ALLOWANCE_BYTES = 1024 * 1024
PIECE_BYTES = 65536
SHOWN_BYTES = 200  # of the answer's beginning, where it is not the expected one
PAUSE_SECONDS = 0.01  # between two looks at an answer that comes in pieces: an expression is run anew each time


async def probe(session: Session, check: SimpleTcpCheck) -> Outcome:
    """Healthy as soon as the expected came (without: anything); then the connection is closed."""
    search = Search(check.expect)
    reader, writer = await session.stream(ALLOWANCE_BYTES)
    writer.write(check.send)
    if check.half_close:
        writer.write_eof()
    beginning = b""
    while piece := await reader.read(PIECE_BYTES):
        beginning += piece[: SHOWN_BYTES - len(beginning)]
        search.feed(piece)
        if search.found():
            return Healthy(escaped(beginning))
        session.silence = Unhealthy(Reason.NO_MATCH, escaped(beginning))
        await asyncio.sleep(PAUSE_SECONDS)
    if not beginning:
        raise EOFError
    raise Failed(Reason.NO_MATCH, beginning)
