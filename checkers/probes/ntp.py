"""NTP (RFC 5905): a client's question, and whether a synchronised server answers it. No clock is compared."""

from __future__ import annotations

import secrets

from checkers.core.outcome import Healthy, Outcome, Reason
from checkers.probes.datagram import Datagrams, exchange
from checkers.probes.failures import Failed
from checkers.probes.ntp_packet import LEAP_UNKNOWN, STRATUM_UNSYNCHRONISED, TIMESTAMP_BYTES, Answer, question, read
from checkers.probes.session import Session
from config.checks import NtpCheck

PAUSES_SECONDS = (1.0, 2.0)
"""Few: servers answer a client who asks often with RATE, or not at all."""

KISSES = {
    b"DENY": "access denied by the server (DENY)",
    b"RSTR": "access denied by the server (RSTR)",
    b"RATE": "asked too often for the server (RATE)",
    b"INIT": "not synchronised yet (INIT)",
    b"STEP": "its clock was stepped, not synchronised yet (STEP)",
}
"""RFC 5905 section 7.4: what servers send; others are shown as they are."""


async def probe(session: Session, check: NtpCheck) -> Outcome:
    """Healthy when the server is synchronised and near enough to its source."""
    token = secrets.token_bytes(TIMESTAMP_BYTES)
    with Datagrams(session) as port:
        answer = await exchange(session, port, question(token), lambda packet: read(packet, token), PAUSES_SECONDS)
    _demand(answer, check.stratum)
    return Healthy(f"stratum {answer.stratum}")


def _demand(answer: Answer, limit: int) -> None:
    """Raises Failed with what keeps a client from using it (RFC 5905 section 7.3 and appendix A.5.5.1)."""
    if answer.stratum == 0 and any(answer.reference):
        words = KISSES.get(answer.reference)
        raise Failed(Reason.NOT_READY, words or b"kiss of death: " + answer.reference.rstrip(b"\0"))
    if answer.leap == LEAP_UNKNOWN:
        raise Failed(Reason.NOT_READY, f"not synchronised (leap 3, stratum {answer.stratum})")
    if not 0 < answer.stratum < STRATUM_UNSYNCHRONISED:
        raise Failed(Reason.NOT_READY, f"not synchronised (stratum {answer.stratum})")
    if answer.stratum > limit:
        raise Failed(Reason.NOT_READY, f"stratum {answer.stratum}, more than {limit}")
    if not any(answer.transmitted):
        raise Failed(Reason.GARBLED, "an answer without time")
