"""The messages of LDAP that a check says and hears (RFC 4511). Pure."""

from __future__ import annotations

import msgspec

from checkers.probes import ber
from checkers.probes.ber import Malformed

VERSION = 3
STARTTLS_OID = "1.3.6.1.4.1.1466.20037"  # RFC 4511 section 4.14
NO_ATTRIBUTES = "1.1"  # RFC 4511 section 4.5.1.8
SCOPE_BASE = 0
NEVER_DEREFERENCE = 0

BIND_REQUEST, BIND_RESPONSE, UNBIND_REQUEST = 0x60, 0x61, 0x42
SEARCH_REQUEST, SEARCH_ENTRY, SEARCH_DONE, SEARCH_REFERENCE = 0x63, 0x64, 0x65, 0x73
EXTENDED_REQUEST, EXTENDED_RESPONSE, INTERMEDIATE_RESPONSE = 0x77, 0x78, 0x79
SIMPLE, PRESENT, REQUEST_NAME = 0x80, 0x87, 0x80  # context tags: a choice's, a filter's, a field's


class Result(msgspec.Struct, frozen=True):
    """The end of an operation: of which (its tag), the code (0 is success) and the server's words."""

    operation: int
    code: int
    words: bytes = b""


class Entry(msgspec.Struct, frozen=True):
    """A found entry's distinguished name."""

    name: bytes


class Aside(msgspec.Struct, frozen=True):
    """A reference to another server or an intermediate answer: nothing to wait for."""


Reply = Result | Entry | Aside


def bind(number: int, name: str, password: str) -> bytes:
    """A simple bind; anonymous with both empty (RFC 4513 section 5.1)."""
    request = ber.element(BIND_REQUEST, ber.integer(VERSION), ber.text(name), ber.element(SIMPLE, password.encode()))
    return _message(number, request)


def start_tls(number: int) -> bytes:
    """The extended operation StartTLS."""
    return _message(number, ber.element(EXTENDED_REQUEST, ber.text(STARTTLS_OID, REQUEST_NAME)))


def search(number: int, base: str, seconds: int) -> bytes:
    """Whether this entry exists: scope base, any objectClass, no attributes, within so many seconds."""
    request = ber.element(
        SEARCH_REQUEST,
        ber.text(base),
        ber.integer(SCOPE_BASE, ber.ENUMERATED),
        ber.integer(NEVER_DEREFERENCE, ber.ENUMERATED),
        ber.integer(1),
        ber.integer(seconds),
        ber.boolean(True),
        ber.text("objectClass", PRESENT),
        ber.element(ber.SEQUENCE, ber.text(NO_ATTRIBUTES)),
    )
    return _message(number, request)


def unbind(number: int) -> bytes:
    """The goodbye: the server closes."""
    return _message(number, ber.element(UNBIND_REQUEST))


def reply(contents: bytes) -> tuple[int, Reply]:
    """A message's number and meaning, from the contents of its outermost sequence. Raises Malformed.

    Number 0 is the server's own word: the notice of disconnection (RFC 4511 section 4.4.1).
    """
    number, rest = ber.number(contents)
    tag, body, _ = ber.take(rest)
    match tag:
        case _ if tag in (BIND_RESPONSE, SEARCH_DONE, EXTENDED_RESPONSE):
            code, rest = ber.number(body, ber.ENUMERATED)
            _, rest = ber.expect(rest, ber.OCTET_STRING)
            words, _ = ber.expect(rest, ber.OCTET_STRING)
            return number, Result(tag, code, words)
        case _ if tag == SEARCH_ENTRY:
            return number, Entry(ber.expect(body, ber.OCTET_STRING)[0])
        case _ if tag in (SEARCH_REFERENCE, INTERMEDIATE_RESPONSE):
            return number, Aside()
        case _:
            text = f"operation {tag:#04x}"
            raise Malformed(text)


def _message(number: int, operation: bytes) -> bytes:
    return ber.element(ber.SEQUENCE, ber.integer(number), operation)
