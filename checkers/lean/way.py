"""Which checks the lean engine runs, and how it converses for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from checkers.core.messages import AssignedCheck, Target
from checkers.lean.conversation import Asked, Conversation
from checkers.lean.greetings import ImapGreeting, PopGreeting, SmtpGreeting, Text
from checkers.lean.http import PLAIN_HOST, PLAIN_METHODS, PLAIN_PATH, asked
from checkers.lean.secure import Secured
from checkers.probes.tls import tls_context
from config.checks import (
    AnyCheck,
    Dial,
    HttpCheck,
    ImapCheck,
    PopCheck,
    SimpleTcpCheck,
    SmtpCheck,
    TcpCheck,
    Tls,
    TlsMode,
)

PLAIN_DIAL = Dial()
_PLAIN_NAME = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


def lean(assigned: AssignedCheck) -> bool:
    """Whether the lean engine can run this check whole: no login, no STARTTLS, nothing that needs a library, and no
    packets that leave otherwise than the kernel sends them by itself.
    """
    if assigned.dial != PLAIN_DIAL:
        return False
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


class Manner(NamedTuple):
    """How calls for one check are made."""

    converse: Callable[[], Conversation] | None  # None: to be connected is all that is asked
    tls: Tls | None
    server_name: str
    asked: Asked | None = None  # where we ask, they answer, and that is all


CONNECTION = Manner(None, None, "")


def manner_of(check: AnyCheck, target: Target) -> Manner:
    """Found out once for all calls of a check. Raises Stuck."""
    match check:
        case HttpCheck():
            page = asked(check, target)
            return _manner(page.converse, check.tls, target)._replace(asked=None if check.tls is not None else page)
        case SimpleTcpCheck():
            return _manner(partial(Text, check), None, target)
        case SmtpCheck():
            return _manner(partial(SmtpGreeting, check), _implicit(check), target)
        case PopCheck():
            return _manner(PopGreeting, _implicit(check), target)
        case ImapCheck():
            return _manner(ImapGreeting, _implicit(check), target)
        case _:
            return CONNECTION


def _manner(converse: Callable[[], Conversation], tls: Tls | None, target: Target) -> Manner:
    name = "" if tls is None else tls.sni or target.address.partition("%")[0]
    return Manner(converse, tls, name)


def _implicit(check: SmtpCheck | PopCheck | ImapCheck) -> Tls | None:
    return check.tls if check.mode is TlsMode.IMPLICIT else None


def secured_of(manner: Manner) -> Secured | None:
    """TLS that has not begun, where the check asks for it. Raises Stuck."""
    return Secured(tls_context(manner.tls), manner.server_name) if manner.tls is not None else None
