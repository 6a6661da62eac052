"""SMTP (RFC 5321), plain, over TLS or with STARTTLS, by aiosmtplib: greeting, EHLO, login where asked for, QUIT.

The library bounds an answer at 32 KiB and drops what nobody asked for.
"""

from __future__ import annotations

import contextlib

import aiosmtplib

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes.credentials import spoken
from checkers.probes.failures import Failed
from checkers.probes.session import Session
from checkers.probes.tls import tls_context
from config.checks import Credentials, SmtpCheck, TlsMode

ALLOWANCE_BYTES = 131072  # of the whole conversation, with a TLS handshake
PERMANENT_CODE = 500  # below it a refusal is the server's trouble, not the login's (RFC 4954 section 6: 454)
METHODS_IN_CLEAR = ("cram-md5", "plain", "login")  # one attempt, the best first: a failed login may be counted
METHODS_SECURED = ("plain", "login", "cram-md5")


async def probe(session: Session, check: SmtpCheck) -> Outcome:
    """Healthy when the server greets with 220 and every command asked for is answered with success."""
    try:
        return await _converse(session, check)
    except aiosmtplib.SMTPException as error:
        _reraise_system_error(error)
        raise _failure(error) from error


async def _converse(session: Session, check: SmtpCheck) -> Outcome:
    client = await _client(session, check)

    async def quit_politely() -> None:
        with contextlib.suppress(aiosmtplib.SMTPException):
            await client.quit()
        client.close()

    session.at_end(quit_politely)
    greeting = await client.connect()
    await client.ehlo()
    if check.mode is TlsMode.STARTTLS:
        if not client.supports_extension("starttls"):
            raise Failed(Reason.TLS, "STARTTLS is not offered")
        await client.starttls()
        await client.ehlo()
    if check.credentials is not None:
        await _login(session, client, check.credentials, secured=check.mode is not TlsMode.NONE)
    return Healthy(escaped(f"{greeting.code} {greeting.message}"))


async def _client(session: Session, check: SmtpCheck) -> aiosmtplib.SMTP:
    context = tls_context(check.tls) if check.mode is not TlsMode.NONE else None
    sock = await session.lend(ALLOWANCE_BYTES)
    return aiosmtplib.SMTP(
        hostname=session.server_name(check.tls),
        sock=sock,
        local_hostname=check.helo,
        use_tls=check.mode is TlsMode.IMPLICIT,
        start_tls=False,
        tls_context=context,
        timeout=None,
    )


async def _login(session: Session, client: aiosmtplib.SMTP, credentials: Credentials, *, secured: bool) -> None:
    login, password = spoken(session, credentials)
    offered = client.supported_auth_methods
    method = next((name for name in (METHODS_SECURED if secured else METHODS_IN_CLEAR) if name in offered), None)
    match method:
        case "plain":
            await client.auth_plain(login, password)
        case "login":
            await client.auth_login(login, password)
        case "cram-md5":
            await client.auth_crammd5(login, password)
        case _:
            raise Failed(Reason.LOGIN_REFUSED, "no login is offered that the check knows (PLAIN, LOGIN, CRAM-MD5)")


def _reraise_system_error(error: aiosmtplib.SMTPException) -> None:
    """The system's error that the library wrapped says more than its wrapping."""
    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, OSError) and not isinstance(cause, aiosmtplib.SMTPException):
            raise cause
        cause = cause.__cause__


def _failure(error: aiosmtplib.SMTPException) -> Failed | EOFError:
    match error:
        case aiosmtplib.SMTPAuthenticationError() if error.code >= PERMANENT_CODE:
            return Failed(Reason.LOGIN_REFUSED, f"{error.code} {error.message}")
        case aiosmtplib.SMTPResponseException() if error.code == aiosmtplib.SMTPStatus.invalid_response:
            too_long = error.message == "Response too long"
            return Failed(Reason.TOO_LARGE if too_long else Reason.GARBLED, error.message)
        case aiosmtplib.SMTPResponseException():
            return Failed(Reason.ERROR_REPLY, f"{error.code} {error.message}")
        case aiosmtplib.SMTPServerDisconnected() | aiosmtplib.SMTPConnectError():
            return EOFError()
        case _:
            return Failed(Reason.GARBLED, str(error))
