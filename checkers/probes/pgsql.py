"""PostgreSQL: TLS where it is offered, a login, a query, at least one row, Terminate.

The server itself ends the query at the probe's deadline and gives no more than ROWS_LIMIT rows, so a check leaves
nothing running on a server that is slow already, and reads no whole table.
"""

from __future__ import annotations

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes import pgsql_messages as messages
from checkers.probes.expect import holds
from checkers.probes.failures import Failed, Stuck
from checkers.probes.octets import Octets
from checkers.probes.pgsql_login import log_in
from checkers.probes.pgsql_talk import Talk
from checkers.probes.session import Session
from config.checks import PgsqlCheck, Tls

ALLOWANCE_BYTES = 1024 * 1024  # of everything a server says
ROWS_LIMIT = 100  # rows that are asked for and searched
CELL_LIMIT_BYTES = 4096  # of a cell that is searched


async def probe(session: Session, check: PgsqlCheck) -> Outcome:
    """Healthy when login and query succeed and a row holds what is expected."""
    words = (check.credentials.login, check.credentials.password.value, check.query, check.database or "")
    if any("\0" in word for word in words):
        text = "a login, query or database holds a zero byte"
        raise Stuck(text)
    if check.credentials.password.value:
        session.keep_secret(check.credentials.password.value)
    try:
        return await _converse(session, check)
    except messages.Malformed as error:
        raise Failed(Reason.GARBLED, str(error)) from error


async def _converse(session: Session, check: PgsqlCheck) -> Outcome:
    octets = await session.attach(Octets, ALLOWANCE_BYTES, None)
    await _secure(session, octets)
    talk = Talk(octets)
    session.at_end(talk.part)
    octets.write(messages.startup(check.credentials.login, check.database))
    await log_in(talk, check.credentials)
    milliseconds = max(1, round(session.remaining() * 1000))
    octets.write(
        messages.simple_query(f"BEGIN; SET LOCAL statement_timeout = {milliseconds}")
        + messages.query(check.query, ROWS_LIMIT)
        + messages.simple_query("COMMIT")
    )
    await talk.until_ready()
    return _judged(await talk.until_ready(), check)


async def _secure(session: Session, octets: Octets) -> None:
    """TLS where the server offers it, unverified: as libpq's sslmode=prefer."""
    octets.write(messages.TLS_REQUEST)
    match await octets.read_exactly(1):
        case b"S":
            octets.switch(await session.secure(octets, Tls()))
        case b"N":
            pass
        case b"E":  # a server without room for one more process; nothing said in clear is worth showing
            raise Failed(Reason.ERROR_REPLY, "the server takes no connection")
        case _:
            raise Failed(Reason.GARBLED, "not a PostgreSQL answer")


def _judged(rows: list[list[bytes]], check: PgsqlCheck) -> Outcome:
    if not rows:
        raise Failed(Reason.NO_ROW, "the query gave no row")
    text = b"\n".join(b"\t".join(cell[:CELL_LIMIT_BYTES] for cell in row) for row in rows)
    if not holds(text, check.expect):
        raise Failed(Reason.NO_MATCH, text)
    return Healthy(escaped(text))
