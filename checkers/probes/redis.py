"""Redis, plain or over TLS: a login where asked for, PING, the role where asked for, QUIT."""

from __future__ import annotations

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes.failures import Failed, Stuck
from checkers.probes.octets import Octets
from checkers.probes.redis_reply import command, first_of_array, status
from checkers.probes.session import Session
from config.checks import Credentials, RedisCheck, TlsMode

ALLOWANCE_BYTES = 65536  # of the whole conversation, with a TLS handshake
WORD_LIMIT_BYTES = 4096  # of a login or password


async def probe(session: Session, check: RedisCheck) -> Outcome:
    """Healthy at PONG, in the role asked for. Nothing is written, no database is chosen."""
    login = _login(session, check.credentials)
    octets = await session.attach(Octets, ALLOWANCE_BYTES, check.tls if check.mode is TlsMode.IMPLICIT else None)

    async def quit_politely() -> None:
        octets.write(command("QUIT"))
        await octets.drain()

    session.at_end(quit_politely)
    if login:
        octets.write(command("AUTH", *login))
        await status(octets, Reason.LOGIN_REFUSED)
    octets.write(command("PING"))
    pong = await status(octets, Reason.ERROR_REPLY)
    if pong != b"PONG":
        raise Failed(Reason.GARBLED, pong)
    return Healthy(escaped(b", ".join(filter(None, (pong, await _role(octets, check.role))))))


def _login(session: Session, credentials: Credentials | None) -> tuple[str, ...]:
    """AUTH's words. Raises Stuck for those that no server takes."""
    if credentials is None:
        return ()
    words = (credentials.login, credentials.password.value)
    if any(len(word.encode()) > WORD_LIMIT_BYTES for word in words):
        text = f"a login or password of more than {WORD_LIMIT_BYTES} bytes"
        raise Stuck(text)
    if words[1]:
        session.keep_secret(words[1])
    return words if words[0] else words[1:]


async def _role(octets: Octets, wanted: str) -> bytes:
    """Raises Failed where the server has another."""
    if not wanted:
        return b""
    octets.write(command("ROLE"))
    role = await first_of_array(octets, Reason.QUERY_FAILED)
    if role != wanted.encode():
        raise Failed(Reason.NOT_READY, b"its role is " + role)
    return role
