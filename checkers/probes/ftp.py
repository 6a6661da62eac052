"""FTP (RFC 959): greeting, login, a file where asked for over a passive connection, QUIT.

The file's connection goes to the host that is probed, whatever address a server names: that may be an internal
one, and a check dials nobody else.
"""

from __future__ import annotations

import asyncio

import msgspec

from checkers.core.messages import Target
from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy, escaped
from checkers.probes.credentials import spoken
from checkers.probes.expect import Search
from checkers.probes.failures import Failed, Stage, outcome_of
from checkers.probes.ftp_control import Control, Reply
from checkers.probes.lines import Lines
from checkers.probes.session import Session
from config.checks import Credentials, FtpCheck

ALLOWANCE_BYTES = 65536  # of the control connection
BODY_LIMIT_BYTES = 1024 * 1024  # a text is looked for in that much of the file
COURTESY_BYTES = 65536  # a file up to that size is read to its end, so that the server can finish
READ_BYTES = 16384
READ_AHEAD_BYTES = 262144  # what a stream may hold beyond what was read of it

READY = 220
PASSWORD_WANTED = 331
FILE_COMES = (125, 150)


async def probe(session: Session, check: FtpCheck) -> Outcome:
    """Healthy when the login succeeds and, with a path, that file can be read and holds what is expected."""
    search = Search(check.expect)
    control = Control(await session.attach(Lines, ALLOWANCE_BYTES, None))
    session.at_end(control.part)
    greeting = await control.hear()
    if greeting.code != READY:
        raise Failed(Reason.ERROR_REPLY, greeting.words)
    await _log_in(session, control, check.credentials)
    if check.path is None:
        return Healthy(escaped(greeting.words))
    return await _fetch(session, control, check.path, search)


async def _log_in(session: Session, control: Control, credentials: Credentials) -> None:
    login, password = spoken(session, credentials)
    reply = await control.ask(f"USER {login}")
    if reply.code == PASSWORD_WANTED:
        reply = await control.ask(f"PASS {password}")
    _demand(reply, Reason.LOGIN_REFUSED)


async def _fetch(session: Session, control: Control, path: str, search: Search) -> Outcome:
    _demand(await control.ask("TYPE I"), Reason.STATUS)
    dial = msgspec.structs.replace(session.dial, proxy_protocol=0)  # the control connection has said whose it is
    data = Session(Target(session.target.address, await control.passive_port()), session.deadline, dial)
    try:
        reader = await _data_stream(data)
        reply = await control.ask(f"RETR {path}")
        if reply.code not in FILE_COMES:
            raise Failed(Reason.STATUS, reply.words)
        if not await _read(reader, search):
            return _cut_short(search)
        reply = await control.hear()
    finally:
        await data.end()
    _demand(reply, Reason.STATUS)
    if not search.found():
        raise Failed(Reason.NO_MATCH, reply.words + b", without the expected")
    return Healthy(escaped(reply.words))


async def _data_stream(data: Session) -> asyncio.StreamReader:
    """Raises Failed and Stuck."""
    try:
        reader, _ = await data.stream(BODY_LIMIT_BYTES + READ_AHEAD_BYTES)
    except OSError as error:
        match outcome_of(error, Stage.CONNECTING):
            case Unhealthy(reason=reason, detail=detail):
                raise Failed(reason, f"data connection to port {data.target.port}: {detail}") from error
            case _:
                raise
    return reader


async def _read(reader: asyncio.StreamReader, search: Search) -> bool:
    """Feed the file to the search. False when it was left unread at a limit."""
    size = 0
    while piece := await reader.read(READ_BYTES):
        search.feed(piece)
        size += len(piece)
        if size >= BODY_LIMIT_BYTES or (size >= COURTESY_BYTES and not search.wants_more):
            return False
    return True


def _cut_short(search: Search) -> Outcome:
    if search.found():
        return Healthy("the file's beginning was read")
    return Unhealthy(Reason.TOO_LARGE, "the expected was not found in as much as a check reads")


def _demand(reply: Reply, refusal: Reason) -> None:
    """Raises Failed unless the reply tells of success."""
    if not reply.good:
        raise Failed(refusal, reply.words)
