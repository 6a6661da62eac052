"""Which checks the lean engine runs, and how it converses for them."""

from __future__ import annotations

import re

from checkers.core.messages import AssignedCheck, Target
from checkers.lean.conversation import Conversation
from checkers.lean.greetings import ImapGreeting, PopGreeting, SmtpGreeting, Text
from checkers.lean.http import PLAIN_HOST, PLAIN_METHODS, PLAIN_PATH, Page
from checkers.lean.secure import Secured
from checkers.probes.tls import tls_context
from config.checks import (
    AnyCheck,
    HttpCheck,
    ImapCheck,
    PopCheck,
    SimpleTcpCheck,
    SmtpCheck,
    TcpCheck,
    Tls,
    TlsMode,
)

_PLAIN_NAME = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


def lean(assigned: AssignedCheck) -> bool:
    """Whether the lean engine can run this check whole: no login, no STARTTLS, nothing that needs a library."""
    match assigned.check:
        case TcpCheck():
            return True
        case HttpCheck():
            return _plain_request(assigned.check, assigned.target)
        case SimpleTcpCheck():
            return assigned.check.expect.regex is None  # an expression is looked for at a pace
        case SmtpCheck():
            return _greeting(assigned.check) and _PLAIN_NAME.fullmatch(assigned.check.helo) is not None
        case PopCheck() | ImapCheck():
            return _greeting(assigned.check)
        case _:
            return False


def _greeting(check: SmtpCheck | PopCheck | ImapCheck) -> bool:
    return check.credentials is None and check.mode is not TlsMode.STARTTLS


def _plain_request(check: HttpCheck, target: Target) -> bool:
    return (
        check.proxy_url is None
        and check.method in PLAIN_METHODS
        and PLAIN_PATH.fullmatch(check.path) is not None
        and "/." not in check.path
        and (check.virtual_host is None or PLAIN_HOST.fullmatch(check.virtual_host) is not None)
        and "%" not in target.address
    )


def conversation_of(check: AnyCheck, target: Target) -> Conversation | None:
    """A conversation that has not begun. None: to be connected is all that is asked. Raises Stuck."""
    match check:
        case HttpCheck():
            return Page(check, target)
        case SimpleTcpCheck():
            return Text(check)
        case SmtpCheck():
            return SmtpGreeting(check)
        case PopCheck():
            return PopGreeting()
        case ImapCheck():
            return ImapGreeting()
        case _:
            return None


def secured_of(check: AnyCheck, target: Target) -> Secured | None:
    """TLS that has not begun, where the check asks for it. Raises Stuck."""
    tls = _tls(check)
    if tls is None:
        return None
    return Secured(tls_context(tls), tls.sni or target.address.partition("%")[0])


def _tls(check: AnyCheck) -> Tls | None:
    match check:
        case HttpCheck(tls=tls):
            return tls
        case SmtpCheck(mode=TlsMode.IMPLICIT) | PopCheck(mode=TlsMode.IMPLICIT) | ImapCheck(mode=TlsMode.IMPLICIT):
            return check.tls
        case _:
            return None
