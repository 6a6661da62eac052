"""RADIUS (RFC 2865): an Access-Request with the password in PAP, and an authentic Access-Accept."""

from __future__ import annotations

import secrets

from checkers.core.outcome import Healthy, Outcome, Reason
from checkers.probes.datagram import Datagrams, exchange
from checkers.probes.failures import Failed, Stuck
from checkers.probes.radius_packet import AUTHENTICATOR_BYTES, Code, Request, access_request, misfit, read_reply
from checkers.probes.session import Session
from config.checks import RadiusCheck

_IDENTIFIERS = 256


async def probe(session: Session, check: RadiusCheck) -> Outcome:
    """Healthy when accepted. A repeated request is the same packet, so that the server knows it for one."""
    secret, password = check.secret.value, check.credentials.password.value
    if words := misfit(check.credentials, secret):
        raise Stuck(words)
    session.keep_secret(*(word for word in (secret, password) if word))
    request = Request(secrets.randbelow(_IDENTIFIERS), secrets.token_bytes(AUTHENTICATOR_BYTES), secret.encode())
    with Datagrams(session) as port:
        packet = access_request(request, check.credentials, port.local_address[0])
        reply = await exchange(session, port, packet, lambda answer: read_reply(answer, request))
    match reply.code:
        case Code.ACCESS_ACCEPT:
            return Healthy("accepted")
        case Code.ACCESS_CHALLENGE:
            raise Failed(Reason.LOGIN_REFUSED, b"a challenge: " + reply.message)
        case _:
            raise Failed(Reason.LOGIN_REFUSED, reply.message or "rejected")
