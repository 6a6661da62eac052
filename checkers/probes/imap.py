"""IMAP (RFC 3501), plain, over TLS or with STARTTLS: greeting, login where asked for, LOGOUT."""

from __future__ import annotations

from aioimaplib import quoted

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes.credentials import spoken
from checkers.probes.imap_conversation import Conversation
from checkers.probes.session import Session
from config.checks import ImapCheck, TlsMode

ALLOWANCE_BYTES = 65536  # of the whole conversation, with a TLS handshake


async def probe(session: Session, check: ImapCheck) -> Outcome:
    """Healthy when the server greets with OK (or PREAUTH) and every command asked for is answered so."""
    implicit = check.tls if check.mode is TlsMode.IMPLICIT else None
    conversation = await session.attach(Conversation, ALLOWANCE_BYTES, implicit)
    greeting = await conversation.greeted()
    session.at_end(conversation.log_out)
    if check.mode is TlsMode.STARTTLS:
        await conversation.ask(Reason.TLS, "STARTTLS")
        conversation.switch(await session.secure(conversation, check.tls))
    if check.credentials is not None and not conversation.authenticated:
        login, password = spoken(session, check.credentials)
        await conversation.ask(Reason.LOGIN_REFUSED, "LOGIN", quoted(login), quoted(password))
    return Healthy(escaped(greeting))
