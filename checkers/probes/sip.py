"""SIP (RFC 3261): OPTIONS, over UDP or TCP, answered with 200."""

from __future__ import annotations

import asyncio
import secrets

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes.datagram import Datagrams, exchange
from checkers.probes.failures import Failed, Stuck, Unfit
from checkers.probes.session import Session
from checkers.probes.sip_message import (
    BRANCH_COOKIE,
    HEAD_LIMIT_BYTES,
    PROTOCOL,
    Asked,
    Response,
    options,
    read_response,
    well_formed,
)
from config.checks import SipCheck

ALLOWANCE_BYTES = 262144  # of a conversation over TCP
PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 4.0)  # RFC 3261 section 17.1.2.2: timer E
OK = 200


async def probe(session: Session, check: SipCheck) -> Outcome:
    """Healthy at 200. Provisional answers (1xx) are waited through."""
    if not well_formed(check.user):
        text = f"not a user of SIP: {check.user}"
        raise Stuck(text)
    asked = Asked(BRANCH_COOKIE + secrets.token_hex(8), secrets.token_hex(16), secrets.token_hex(4))
    response = await (_over_tcp if check.tcp else _over_udp)(session, check, asked)
    if response.status != OK:
        raise Failed(Reason.STATUS, f"{response.status} ".encode() + response.phrase)
    return Healthy(escaped(response.phrase))


async def _over_udp(session: Session, check: SipCheck, asked: Asked) -> Response:
    with Datagrams(session) as port:
        request = options(asked, check.user, session.target.address, port.local_address, "UDP")
        return await exchange(session, port, request, lambda message: final(message, asked), PAUSES_SECONDS)


async def _over_tcp(session: Session, check: SipCheck, asked: Asked) -> Response:
    reader, writer = await session.stream(ALLOWANCE_BYTES)
    host, port, *_ = writer.get_extra_info("sockname")
    writer.write(options(asked, check.user, session.target.address, (host, port), "TCP"))
    while True:
        head = await _head(reader)
        try:
            response = read_response(head, asked)
        except Unfit as unfit:
            raise Failed(Reason.GARBLED, str(unfit)) from unfit
        if is_final(response):
            return response
        await reader.readexactly(response.body_bytes)


async def _head(reader: asyncio.StreamReader) -> bytes:
    """The next message's head, to the empty line. Empty lines before it are nothing (RFC 3261 section 7.5)."""
    while not (head := await _line(reader)).strip():
        pass
    if not head.startswith(PROTOCOL):
        raise Failed(Reason.GARBLED, head)
    while (line := await _line(reader)) != b"\r\n":
        head += line
        if len(head) > HEAD_LIMIT_BYTES:
            raise Failed(Reason.TOO_LARGE, f"a head of more than {HEAD_LIMIT_BYTES} bytes")
    return head


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise Failed(Reason.TOO_LARGE, "a line without end") from error


def final(message: bytes, asked: Asked) -> Response:
    """A final answer. Raises Unfit for one that only says to wait."""
    response = read_response(message, asked)
    if not is_final(response):
        text = f"only {response.status}"
        raise Unfit(text, Reason.REPLY_TIMEOUT)
    return response


def is_final(response: Response) -> bool:
    """Whether nothing more follows (RFC 3261 section 7.2)."""
    return response.status >= OK
