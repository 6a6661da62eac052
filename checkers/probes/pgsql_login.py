"""PostgreSQL's ways to log in that a check knows: SCRAM-SHA-256, MD5, a password in clear, none (trust)."""

from __future__ import annotations

import secrets
from enum import IntEnum

from checkers.core.outcome import Reason
from checkers.probes import pgsql_messages as messages
from checkers.probes.failures import Failed
from checkers.probes.pgsql_talk import Talk
from checkers.probes.scram import Refused, Scram
from config.checks import Credentials

MECHANISM = "SCRAM-SHA-256"
NONCE_BYTES = 18
SALT_BYTES = 4


class Step(IntEnum):
    """What an Authentication message asks or says."""

    OK = 0
    CLEAR = 3
    MD5 = 5
    SASL = 10
    SASL_CONTINUE = 11
    SASL_FINAL = 12


async def log_in(talk: Talk, credentials: Credentials) -> None:
    """Answer what the server asks until it is ready for a query. Raises Failed, Malformed, EOFError or OSError."""
    user, password = credentials.login, credentials.password.value
    asked, rest = await _request(talk)
    match asked:
        case Step.OK:
            pass
        case Step.CLEAR:
            talk.octets.write(messages.password(password.encode()))
            await _await_ok(talk)
        case Step.MD5 if len(rest) == SALT_BYTES:
            talk.octets.write(messages.password(messages.md5_password(user, password, rest)))
            await _await_ok(talk)
        case Step.SASL if MECHANISM.encode() in messages.mechanisms(rest):
            await _scram(talk, password)
        case _:
            raise Failed(Reason.LOGIN_REFUSED, "no login is offered that the check knows (SCRAM-SHA-256, MD5, clear)")
    await talk.until_ready(at_login=True)


async def _scram(talk: Talk, password: str) -> None:
    scram = Scram(password, secrets.token_urlsafe(NONCE_BYTES))
    try:
        talk.octets.write(messages.sasl_first(MECHANISM, scram.first()))
        talk.octets.write(messages.sasl_next(scram.final(await _demanded(talk, Step.SASL_CONTINUE))))
        scram.verify(await _demanded(talk, Step.SASL_FINAL))
    except Refused as error:
        raise Failed(Reason.LOGIN_REFUSED, str(error)) from error
    await _await_ok(talk)


async def _await_ok(talk: Talk) -> None:
    await _demanded(talk, Step.OK)


async def _demanded(talk: Talk, wanted: Step) -> bytes:
    asked, rest = await _request(talk)
    if asked != wanted:
        raise Failed(Reason.GARBLED, f"step {asked} of a login where {wanted} belongs")
    return rest


async def _request(talk: Talk) -> tuple[int, bytes]:
    """The next Authentication message: which, and the rest of its body."""
    kind, body = await talk.hear(at_login=True)
    if kind != b"R":
        raise Failed(Reason.GARBLED, "not a login of PostgreSQL's")
    return messages.word(body), body[4:]
