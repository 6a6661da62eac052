"""LDAP (RFC 4511), plain, over TLS or with StartTLS: bind, a search for one entry where asked for, unbind."""

from __future__ import annotations

import math
from collections.abc import Callable

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes import ber
from checkers.probes import ldap_messages as messages
from checkers.probes.expect import holds
from checkers.probes.failures import Failed, Stuck
from checkers.probes.ldap_messages import Aside, Entry, Reply, Result
from checkers.probes.octets import Octets
from checkers.probes.session import Session
from config.checks import Credentials, Expect, LdapCheck, TlsMode

MESSAGE_LIMIT_BYTES = 65536  # names and words; attributes are not asked for
ALLOWANCE_BYTES = 262144  # of the whole conversation, with a TLS handshake
MESSAGES_LIMIT = 64  # that may come before the answer waited for

SUCCESS = 0
NO_SUCH_OBJECT = 32
UNWELL = frozenset({1, 3, 51, 52, 54, 80})
"""operationsError, timeLimitExceeded, busy, unavailable, loopDetect, other: the server's trouble, not the question's
(RFC 4511 appendix A)."""


async def probe(session: Session, check: LdapCheck) -> Outcome:
    """Healthy when the bind succeeds and, with a base, that entry is found."""
    try:
        return await _converse(session, check)
    except ber.Malformed as error:
        raise Failed(Reason.GARBLED, str(error)) from error


async def _converse(session: Session, check: LdapCheck) -> Outcome:
    name, password = _login(session, check.credentials)
    octets = await session.attach(Octets, ALLOWANCE_BYTES, check.tls if check.mode is TlsMode.IMPLICIT else None)
    talk = _Talk(octets)
    session.at_end(talk.part)
    if check.mode is TlsMode.STARTTLS:
        _demand(await talk.ask(messages.EXTENDED_RESPONSE, messages.start_tls), Reason.TLS)
        octets.switch(await session.secure(octets, check.tls))
    bound = await talk.ask(messages.BIND_RESPONSE, lambda number: messages.bind(number, name, password))
    _demand(bound, Reason.LOGIN_REFUSED)
    if check.base is None:
        return Healthy("bound")
    found = await _look_up(session, talk, check.base)
    return _judged(found, check.expect)


def _login(session: Session, credentials: Credentials | None) -> tuple[str, str]:
    """Raises Stuck for an empty password: such a bind succeeds without one being looked at (RFC 4513 section 5.1.2)."""
    if credentials is None:
        return "", ""
    if not credentials.password.value:
        text = "an empty password would be no login"
        raise Stuck(text)
    session.keep_secret(credentials.password.value)
    return credentials.login, credentials.password.value


async def _look_up(session: Session, talk: _Talk, base: str) -> bytes:
    """The entry's distinguished name as the server writes it. Raises Failed."""
    seconds = max(1, math.ceil(session.remaining()))
    names: list[bytes] = []
    result = await talk.ask(messages.SEARCH_DONE, lambda number: messages.search(number, base, seconds), names)
    if result.code == NO_SUCH_OBJECT:
        raise Failed(Reason.NO_ROW, "no such entry")
    _demand(result, Reason.QUERY_FAILED)
    if not names:
        raise Failed(Reason.NO_ROW, "the search found no entry")
    return names[0]


def _judged(name: bytes, expect: Expect) -> Outcome:
    if not holds(name, expect):
        raise Failed(Reason.NO_MATCH, name)
    return Healthy(escaped(name))


def _demand(result: Result, refusal: Reason) -> None:
    """Raises Failed unless the operation succeeded."""
    if result.code == SUCCESS:
        return
    words = f"result {result.code}".encode() + (b": " + result.words if result.words else b"")
    raise Failed(Reason.ERROR_REPLY if result.code in UNWELL else refusal, words)


class _Talk:
    """One operation after the other."""

    def __init__(self, octets: Octets) -> None:
        self._octets = octets
        self._number = 0

    async def ask(self, answer: int, request: Callable[[int], bytes], names: list[bytes] | None = None) -> Result:
        """Send a request of the next number and wait for its result, of tag `answer`.

        Names of entries that come before it are put into `names`.

        Raises Failed, Malformed, EOFError or OSError.
        """
        self._number += 1
        self._octets.write(request(self._number))
        for _ in range(MESSAGES_LIMIT):
            number, heard = await self._hear()
            if number == 0 and isinstance(heard, Result):
                raise Failed(Reason.ERROR_REPLY, b"notice of disconnection: " + heard.words)
            match heard:
                case Result() if number == self._number and heard.operation == answer:
                    return heard
                case Entry(name=name) if number == self._number and names is not None:
                    names.append(name)
                case Aside():
                    pass
                case _:
                    raise Failed(Reason.GARBLED, "an answer that nobody asked for")
        raise Failed(Reason.TOO_LARGE, f"more than {MESSAGES_LIMIT} messages")

    async def _hear(self) -> tuple[int, Reply]:
        tag, first = await self._octets.read_exactly(2)
        if tag != ber.SEQUENCE:
            raise Failed(Reason.GARBLED, "not an LDAP message")
        more = ber.more_length(first)
        size = int.from_bytes(await self._octets.read_exactly(more)) if more else first
        if size > MESSAGE_LIMIT_BYTES:
            raise Failed(Reason.TOO_LARGE, f"a message of {size} bytes")
        return messages.reply(await self._octets.read_exactly(size))

    async def part(self) -> None:
        """Unbind, and wait until the server ends the connection."""
        self._octets.write(messages.unbind(self._number + 1))
        await self._octets.drain()
