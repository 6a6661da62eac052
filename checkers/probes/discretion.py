"""A conversation as it may be shown: escaped, cut, and without a password in any form that travels. Pure.

Two guards, each of which would do: of what we say, where the check has a password, only words that are known to hold
none are shown; and whatever either side says, the password, its usual encodings and what was hidden are struck out.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator

from checkers.core.transcript import TEXT_LIMIT
from checkers.probes import ber
from checkers.probes.pgsql_messages import TLS_REQUEST
from config.checks import (
    AnyCheck,
    Credentials,
    FtpCheck,
    ImapCheck,
    LdapCheck,
    MysqlCheck,
    PgsqlCheck,
    PopCheck,
    RadiusCheck,
    RedisCheck,
    SmtpCheck,
)

LINES_LIMIT = 24  # of what one side says at a time
LEARNT_FROM_OCTETS = 6  # no shorter word is anybody's digest
STRUCK = b"***"

_OPEN = {
    ImapCheck: re.compile(rb"\S+ (CAPABILITY|NOOP|LOGOUT|STARTTLS)", re.IGNORECASE),
    PopCheck: re.compile(rb"(CAPA|NOOP|QUIT|STLS|USER \S*)", re.IGNORECASE),
    SmtpCheck: re.compile(rb"((EHLO|HELO) \S*|NOOP|QUIT|RSET|STARTTLS)", re.IGNORECASE),
    FtpCheck: re.compile(
        rb"(USER \S*|TYPE \S*|PASV|EPSV( \S*)?|RETR .*|SIZE .*|QUIT|AUTH TLS|PBSZ 0|PROT .)", re.IGNORECASE
    ),
}
"""What is shown whole of what we say in a conversation with a login."""

_BEGUN = {
    ImapCheck: re.compile(rb"\S+ (LOGIN|AUTHENTICATE)(?= )", re.IGNORECASE),
    PopCheck: re.compile(rb"(PASS|AUTH|APOP)(?= )", re.IGNORECASE),
    SmtpCheck: re.compile(rb"AUTH [A-Z0-9-]+", re.IGNORECASE),
    FtpCheck: re.compile(rb"PASS(?= )", re.IGNORECASE),
}
"""What is shown of a word that holds a password: how it begins."""

_LDAP = {
    0x60: "bind request",
    0x61: "bind response",
    0x42: "unbind request",
    0x63: "search request",
    0x64: "search entry",
    0x65: "search done",
    0x73: "search reference",
    0x77: "extended request",
    0x78: "extended response",
}
_RADIUS = {1: "Access-Request", 2: "Access-Accept", 3: "Access-Reject", 11: "Access-Challenge"}
_MYSQL_QUERY, _MYSQL_QUIT, _MYSQL_GREETING, _MYSQL_HEAD = 3, 1, 10, 4
_PGSQL_HEAD, _PGSQL_PASSWORD, _PGSQL_AUTHENTICATION = 5, b"p", b"R"
_RADIUS_HEAD = 4


class Discretion:
    """Of one check's conversation."""

    def __init__(self, check: AnyCheck) -> None:
        """Its passwords are known from here on."""
        self._check = check
        self._forms = _forms(check)
        self._begun = False  # whether PostgreSQL's message without a type was said

    def lines(self, words: bytes, octets: int, *, ours: bool) -> tuple[str, ...]:
        """What one side said at a time, as it may be shown. `octets`: how many there were, should some not be kept."""
        whole = octets <= len(words)
        words = self._struck(words)  # before it is parted: no part of a password may be left
        if not whole and self._forms:  # it may be cut at the end
            words = words[: -len(self._forms[0])]
        found: list[str] = []
        for line in self._reading(ours)(words):
            if len(found) == LINES_LIMIT:
                found.append("...")
                break
            found.append(_escaped(self._struck(line)))
        return tuple(found)

    def struck(self, text: str) -> str:
        """A text without what must not be shown."""
        return self._struck(text.encode()).decode(errors="replace") if self._forms else text

    def _struck(self, words: bytes) -> bytes:
        for form in self._forms:
            words = words.replace(form, STRUCK)
        return words

    def _reading(self, ours: bool) -> Callable[[bytes], Iterator[bytes]]:
        match self._check:
            case MysqlCheck():
                return _mysql_said if ours else _mysql_heard
            case PgsqlCheck():
                return self._pgsql_said if ours else _pgsql_heard
            case LdapCheck():
                return _ldap
            case RadiusCheck():
                return _radius
            case RedisCheck(credentials=Credentials()) if ours:
                return _redis_said
            case ImapCheck() | PopCheck() | SmtpCheck() | FtpCheck() if ours and self._check.credentials is not None:
                return self._login_said
            case _:
                return _text

    def _login_said(self, words: bytes) -> Iterator[bytes]:
        kind = type(self._check)
        for line in words.removesuffix(b"\n").split(b"\n"):
            said = line.rstrip(b"\r")
            begun = _BEGUN[kind].match(said)
            if _OPEN[kind].fullmatch(said):
                yield said
            elif begun is not None:
                self._learn(said[begun.end() :])
                yield begun[0] + b" " + STRUCK
            else:
                self._learn(said)
                yield _hidden(said)

    def _learn(self, hidden: bytes) -> None:
        """What was made of a password, a digest say, is struck out as well where the other side repeats it."""
        words = (word for word in hidden.split() if len(word) >= LEARNT_FROM_OCTETS)
        self._forms = _sorted({*self._forms, *words})

    def _pgsql_said(self, words: bytes) -> Iterator[bytes]:
        if not self._begun:
            self._begun = words != TLS_REQUEST
            yield _octets("startup message" if self._begun else "TLS request", words)  # all that is said at that time
            return
        for kind, body in _pgsql_messages(words):
            if kind == _PGSQL_PASSWORD:
                yield b"password message " + STRUCK
            else:
                yield _pgsql_shown(kind, body)


def _forms(check: AnyCheck) -> tuple[bytes, ...]:
    """All of the passwords' forms, the longest first, so that what is left of none can show."""
    found: set[bytes] = set()
    credentials: Credentials | None = getattr(check, "credentials", None)
    if credentials is not None:
        found |= _of_secret(credentials.password.value, credentials.login)
    if isinstance(check, RadiusCheck):
        found |= _of_secret(check.secret.value, "")
    return _sorted(found)


def _sorted(forms: set[bytes]) -> tuple[bytes, ...]:
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def _of_secret(secret: str, login: str) -> set[bytes]:
    if not secret:
        return set()
    plain = secret.encode()
    quoted = secret.replace("\\", "\\\\").replace('"', '\\"').encode()
    whole = (plain, f"\0{login}\0{secret}".encode(), f"{login}\0{login}\0{secret}".encode())
    coded = {b64encode(one) for one in whole}
    return {plain, quoted, plain.hex().encode(), *coded, *(one.rstrip(b"=") for one in coded)}


def _escaped(line: bytes) -> str:
    """Printable ASCII stays, the rest is backslash-escaped, then cut."""
    text = line[: TEXT_LIMIT + 1].decode("latin-1")
    safe = "".join(one if " " <= one <= "~" else one.encode("unicode_escape").decode("ascii") for one in text)
    return safe if len(safe) <= TEXT_LIMIT else safe[: TEXT_LIMIT - 3] + "..."


def _text(words: bytes) -> Iterator[bytes]:
    yield from (line.rstrip(b"\r") for line in words.removesuffix(b"\n").split(b"\n"))


def _octets(what: str, words: bytes) -> bytes:
    return f"{what}, {len(words)} octets".encode()


def _hidden(words: bytes) -> bytes:
    return STRUCK + f" ({len(words)} octets that may hold a password)".encode()


def _mysql_packets(words: bytes) -> Iterator[tuple[int, bytes]]:
    """Sequence number and payload of each (MySQL's documentation, "MySQL Packets")."""
    while len(words) >= _MYSQL_HEAD:
        size = int.from_bytes(words[:3], "little")
        yield words[3], words[_MYSQL_HEAD : _MYSQL_HEAD + size]
        words = words[_MYSQL_HEAD + size :]


def _mysql_said(words: bytes) -> Iterator[bytes]:
    for sequence, payload in _mysql_packets(words):
        command = payload[0] if payload and sequence == 0 else -1
        if command == _MYSQL_QUERY:
            yield b"query: " + payload[1:]
        elif command == _MYSQL_QUIT:
            yield b"quit"
        else:
            yield b"login " + _hidden(payload)


def _mysql_heard(words: bytes) -> Iterator[bytes]:
    for sequence, payload in _mysql_packets(words):
        if sequence == 0 and payload[:1] == bytes((_MYSQL_GREETING,)):
            yield b"greeting of " + payload[1:].partition(b"\0")[0]
        elif payload[:1] == b"\xff":
            yield f"error {int.from_bytes(payload[1:3], 'little')}: ".encode() + payload[3:]
        elif payload[:1] == b"\0" and sequence:
            yield b"ok"
        else:
            yield payload


def _pgsql_messages(words: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and body of each ("Message Formats" of PostgreSQL's documentation)."""
    while words:
        size = int.from_bytes(words[1:_PGSQL_HEAD])
        yield words[:1], words[_PGSQL_HEAD : 1 + size]
        words = words[max(_PGSQL_HEAD, 1 + size) :]


def _pgsql_heard(words: bytes) -> Iterator[bytes]:
    for kind, body in _pgsql_messages(words):
        if kind == _PGSQL_AUTHENTICATION:  # salts and proofs, from which a password could be guessed
            yield f"authentication {int.from_bytes(body[:4])}".encode()
        else:
            yield _pgsql_shown(kind, body)


def _pgsql_shown(kind: bytes, body: bytes) -> bytes:
    return (kind + b" " + body.rstrip(b"\0")).rstrip(b" ")


def _ldap(words: bytes) -> Iterator[bytes]:
    """Messages by their operation alone: a bind holds the password."""
    while words:
        try:
            message, rest = ber.expect(words, ber.SEQUENCE)
            _, after = ber.number(message)
            operation, _, _ = ber.take(after)
        except ber.Malformed:
            yield _octets("not (whole) messages of LDAP", words)
            return
        yield _octets(_LDAP.get(operation, f"operation {operation:#04x}"), words[: len(words) - len(rest)])
        words = rest


def _radius(words: bytes) -> Iterator[bytes]:
    """By its code alone: the attributes hold what the password was made to."""
    code = words[0] if len(words) >= _RADIUS_HEAD else 0
    yield _octets(_RADIUS.get(code, "a datagram"), words)


def _redis_said(words: bytes) -> Iterator[bytes]:
    if b"AUTH" in words.upper():
        yield b"AUTH " + STRUCK
    else:
        yield b" ".join(words.split(b"\r\n")[2::2])
