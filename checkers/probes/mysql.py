"""MySQL and MariaDB: a login, a query, at least one row, COM_QUIT; on request the state of a Galera node.

A check that the server greeted is never counted as an aborted connection there, however it ends: COM_QUIT is
said also after the deadline. What the server counts by itself is a login that it refused.
"""

from __future__ import annotations

import aiomysql

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes.expect import holds
from checkers.probes.failures import Failed, Stuck
from checkers.probes.mysql_connection import PARSER_ERRORS, Connection, code_of, is_from_server
from checkers.probes.session import Session
from config.checks import Galera, MysqlCheck

ALLOWANCE_BYTES = 1024 * 1024  # of everything a server says, since aiomysql reads a packet whole
ROWS_LIMIT = 100  # rows that are asked for and searched
CELL_LIMIT_BYTES = 4096  # of a cell that is searched
GALERA_QUERY = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN"
    " ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_local_state', 'wsrep_local_state_comment')"
)
SYNCED = b"4"  # wsrep_local_state

LOGIN_CODES = frozenset({1044, 1045, 1049, 1130, 1698, 1862, 3118, 4151})  # denied, no such database, locked
TIME_CODES = frozenset({1969, 3024})  # the statement's time was up (MariaDB, MySQL)
NOT_READY_CODE = 1047  # a Galera node that is not prepared; elsewhere an unknown command
STOPPING_CODES = frozenset({1053, 1077, 1079, 1927})  # shutting down, connection was killed
REFUSAL_CODES = frozenset({1040, 1129, 1203, 1226})  # too many connections, host blocked, limit of the user
LOST_CODES = frozenset({2006, 2013})
UNKNOWN_PLUGIN_CODE = 2059


async def probe(session: Session, check: MysqlCheck) -> Outcome:
    """Healthy when login and query succeed, the node is as `galera` asks, and a row holds what is expected."""
    login, password = check.credentials.login, check.credentials.password.value
    if password:
        session.keep_secret(password)
    connection = Connection(login, password, check.database)
    session.at_end(connection.part)
    try:
        await _log_in(session, connection)
        return await _ask(session, connection, check)
    except (aiomysql.MySQLError, *PARSER_ERRORS) as error:
        raise _failure(error) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise _failure(error) from error  # pymysql's word for a packet shorter than it says


async def _log_in(session: Session, connection: Connection) -> None:
    reader, writer = await session.stream(ALLOWANCE_BYTES)
    try:
        await connection.log_in(reader, writer)
    except RuntimeError as error:  # pymysql without the package that encrypts a password with RSA
        raise Stuck(str(error)) from error


async def _ask(session: Session, connection: Connection, check: MysqlCheck) -> Outcome:
    await connection.limit(ROWS_LIMIT, max(0.001, session.remaining()))
    if check.galera is not None:
        _require(check.galera, await _rows(connection, GALERA_QUERY))
    rows = await _rows(connection, check.query)
    if not rows:
        raise Failed(Reason.NO_ROW, "the query gave no row")
    text = b"\n".join(b"\t".join(row) for row in rows)
    if not holds(text, check.expect):
        raise Failed(Reason.NO_MATCH, text)
    return Healthy(escaped(text))


async def _rows(connection: Connection, query: str) -> list[tuple[bytes, ...]]:
    """The first rows of a query's first result, NULL as nothing, cells cut."""
    cursor = await connection.cursor(aiomysql.SSCursor)
    await cursor.execute(query)
    rows = await cursor.fetchmany(ROWS_LIMIT + 1)  # one more than there can be, to read the result's end too
    return [tuple((cell or b"")[:CELL_LIMIT_BYTES] for cell in row) for row in rows]


def _require(wanted: Galera, rows: list[tuple[bytes, ...]]) -> None:
    """Raises Failed(NOT_READY) with the node's own words."""
    status = {row[0].lower(): row[1] for row in rows if len(row) > 1}
    if b"wsrep_ready" not in status:
        raise Failed(Reason.NOT_READY, "no Galera node: wsrep_ready is unknown")
    ready = status[b"wsrep_ready"].upper() == b"ON" and status.get(b"wsrep_cluster_status", b"").lower() == b"primary"
    synced = status.get(b"wsrep_local_state") == SYNCED
    if not ready or (wanted is Galera.SYNCED and not synced):
        words = b", ".join(name + b"=" + value for name, value in sorted(status.items()))
        raise Failed(Reason.NOT_READY, words)


def _failure(error: Exception) -> Exception:
    if isinstance(error.__cause__, OSError | EOFError):  # what aiomysql wrapped says more than its wrapping
        return error.__cause__
    if not isinstance(error, aiomysql.MySQLError):
        return Failed(Reason.GARBLED, "not a MySQL answer")
    code = code_of(error)
    if code in LOST_CODES:
        return EOFError()
    if code == UNKNOWN_PLUGIN_CODE:
        return Stuck(str(error.args[-1]))
    if not is_from_server(error):
        return Failed(Reason.GARBLED, str(error))
    return Failed(_reason(code), f"{code} {error.args[-1]}")


def _reason(code: int) -> Reason:
    if code in LOGIN_CODES:
        return Reason.LOGIN_REFUSED
    if code in TIME_CODES:
        return Reason.REPLY_TIMEOUT
    if code == NOT_READY_CODE:
        return Reason.NOT_READY
    return Reason.ERROR_REPLY if code in STOPPING_CODES | REFUSAL_CODES else Reason.QUERY_FAILED
