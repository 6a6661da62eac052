"""NNTP (RFC 3977): greeting and QUIT."""

from __future__ import annotations

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes.failures import Failed
from checkers.probes.lines import Lines
from checkers.probes.session import Session
from config.checks import NntpCheck

LINE_LIMIT_BYTES = 1024  # RFC 3977 section 3.1 allows 512
ALLOWANCE_BYTES = 65536
READY = (b"200", b"201")  # posting allowed, prohibited (section 5.1.1)
UNWELL = (b"400", b"502")  # temporarily, permanently unavailable


async def probe(session: Session, _check: NntpCheck) -> Outcome:
    """Healthy when the greeting's code is 200 or 201."""
    lines = await session.attach(Lines, ALLOWANCE_BYTES, None)
    greeting = await lines.read_line(LINE_LIMIT_BYTES)

    async def quit_politely() -> None:
        lines.write_line("QUIT")
        await lines.drain()

    code = greeting.partition(b" ")[0]
    if code in READY:
        session.at_end(quit_politely)
        return Healthy(escaped(greeting))
    raise Failed(Reason.ERROR_REPLY if code in UNWELL else Reason.GARBLED, greeting)
