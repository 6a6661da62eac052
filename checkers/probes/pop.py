"""POP3 (RFC 1939), plain, over TLS or with STLS (RFC 2595): greeting, login where asked for, QUIT."""

from __future__ import annotations

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes.credentials import spoken
from checkers.probes.failures import Failed
from checkers.probes.lines import Lines
from checkers.probes.session import Session
from config.checks import Credentials, PopCheck, TlsMode

LINE_LIMIT_BYTES = 1024  # RFC 2449 section 4 allows 512
ALLOWANCE_BYTES = 65536  # of the whole conversation, with a TLS handshake


async def probe(session: Session, check: PopCheck) -> Outcome:
    """Healthy when the greeting opens with +OK and every command asked for is answered so."""
    implicit = check.tls if check.mode is TlsMode.IMPLICIT else None
    lines = await session.attach(Lines, ALLOWANCE_BYTES, implicit)
    greeting = await _answer(lines, Reason.ERROR_REPLY)

    async def quit_politely() -> None:
        lines.write_line("QUIT")
        await lines.drain()

    session.at_end(quit_politely)
    if check.mode is TlsMode.STARTTLS:
        lines.write_line("STLS")
        await _answer(lines, Reason.TLS)
        lines.switch(await session.secure(lines, check.tls))
    if check.credentials is not None:
        await _login(session, lines, check.credentials)
    return Healthy(escaped(greeting))


async def _login(session: Session, lines: Lines, credentials: Credentials) -> None:
    login, password = spoken(session, credentials)
    for command in (f"USER {login}", f"PASS {password}"):
        lines.write_line(command)
        await _answer(lines, Reason.LOGIN_REFUSED)


async def _answer(lines: Lines, refusal: Reason) -> bytes:
    """The words after +OK. Raises Failed: `refusal` after -ERR, ERROR_REPLY when the server is not well
    (RFC 3206: [SYS/...]), GARBLED after anything else.
    """
    line = await lines.read_line(LINE_LIMIT_BYTES)
    status, _, words = line.partition(b" ")
    match status:
        case b"+OK":
            return words
        case b"-ERR":
            raise Failed(Reason.ERROR_REPLY if words.startswith(b"[SYS/") else refusal, words)
        case _:
            raise Failed(Reason.GARBLED, line)
