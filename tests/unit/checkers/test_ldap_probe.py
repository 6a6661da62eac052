"""LDAP: what is said, what is heard, byte by byte; the real slapd is the lab's."""

from __future__ import annotations

import asyncio

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from config.checks import Credentials, Expect, LdapCheck, Tls, TlsMode
from config.secret import Secret
from tests.unit.checkers.servers import Handler, outcome, server_context, serving, turns

BASE = "dc=example,dc=net"
LOGIN = Credentials("cn=x", Secret("sesame"))
ANONYMOUS_BIND = bytes.fromhex("300c020101600702010304008000")
SIMPLE_BIND = bytes.fromhex("3016020101601102010304") + b"\x04cn=x\x80\x06sesame"
UNBIND = bytes.fromhex("3005020102" + "4200")


def result(number: int, operation: int, code: int = 0, words: bytes = b"") -> bytes:
    body = bytes((0x0A, 1, code, 4, 0, 4, len(words))) + words
    return bytes((0x30, len(body) + 5, 2, 1, number, operation, len(body))) + body


def entry(number: int, name: bytes) -> bytes:
    body = bytes((4, len(name))) + name + b"\x30\x00"
    return bytes((0x30, len(body) + 5, 2, 1, number, 0x64, len(body))) + body


BOUND = result(1, 0x61)
REFERENCE = bytes((0x30, 9, 2, 1, 2, 0x73, 4, 4, 2)) + b"x:"


async def told(check: LdapCheck, *steps: bytes) -> tuple[Outcome, list[bytes]]:
    handler, heard = turns(*steps)
    async with serving(handler) as port:
        return await outcome(check, port), heard


async def test_an_anonymous_bind_and_a_goodbye() -> None:
    assert await told(LdapCheck(), BOUND) == (Healthy("bound"), [ANONYMOUS_BIND, UNBIND])


async def test_a_login() -> None:
    assert await told(LdapCheck(credentials=LOGIN), BOUND) == (Healthy("bound"), [SIMPLE_BIND, UNBIND])


@pytest.mark.parametrize(
    ("code", "reason"),
    [(49, Reason.LOGIN_REFUSED), (48, Reason.LOGIN_REFUSED), (51, Reason.ERROR_REPLY), (52, Reason.ERROR_REPLY)],
)
async def test_a_refused_bind(code: int, reason: Reason) -> None:
    found, heard = await told(LdapCheck(credentials=LOGIN), result(1, 0x61, code, b"no"))
    assert found == Unhealthy(reason, f"result {code}: no")
    assert heard[-1] == UNBIND


async def test_an_empty_password_is_no_login() -> None:
    found, heard = await told(LdapCheck(credentials=Credentials("cn=x", Secret(""))), BOUND)
    assert isinstance(found, Inconclusive)
    assert heard == []


async def test_a_repeated_password_is_not_shown() -> None:
    found, _ = await told(LdapCheck(credentials=LOGIN), result(1, 0x61, 49, b"sesame is wrong"))
    assert found == Unhealthy(Reason.LOGIN_REFUSED, "(not shown: the answer repeats the password)")


async def test_an_entry_is_found() -> None:
    check = LdapCheck(base=BASE, expect=Expect(regex="dc=net$"))
    found, heard = await told(check, BOUND, REFERENCE + entry(2, BASE.encode()) + result(2, 0x65))
    assert found == Healthy(BASE)
    search = heard[1]
    assert search.startswith(
        bytes.fromhex("303b0201026336") + b"\x04\x11" + BASE.encode() + bytes.fromhex("0a01000a0100")
    )
    assert search.endswith(bytes.fromhex("0101ff") + b"\x87\x0bobjectClass\x30\x05\x04\x031.1")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (result(2, 0x65, 32), Unhealthy(Reason.NO_ROW, "no such entry")),
        (result(2, 0x65), Unhealthy(Reason.NO_ROW, "the search found no entry")),
        (result(2, 0x65, 50), Unhealthy(Reason.QUERY_FAILED, "result 50")),
        (result(2, 0x65, 50, b"denied"), Unhealthy(Reason.QUERY_FAILED, "result 50: denied")),
        (result(2, 0x65, 80, b"oops"), Unhealthy(Reason.ERROR_REPLY, "result 80: oops")),
        (entry(2, b"dc=other") + result(2, 0x65), Unhealthy(Reason.NO_MATCH, "dc=other")),
        (result(0, 0x78, 52, b"bye"), Unhealthy(Reason.ERROR_REPLY, "notice of disconnection: bye")),
        (result(1, 0x65), Unhealthy(Reason.GARBLED, "an answer that nobody asked for")),
        (result(2, 0x61), Unhealthy(Reason.GARBLED, "an answer that nobody asked for")),
        (bytes.fromhex("3005020102" + "6500"), Unhealthy(Reason.GARBLED, "an element is cut off")),
        (REFERENCE * 64, Unhealthy(Reason.TOO_LARGE, "more than 64 messages")),
        (b"\x30\x84\x7f\xff\xff\xff", Unhealthy(Reason.TOO_LARGE, "a message of 2147483647 bytes")),
        (b"\x30\x80", Unhealthy(Reason.GARBLED, "a length of 0 octets")),
        (b"\x30\x85", Unhealthy(Reason.GARBLED, "a length of 5 octets")),
    ],
)
async def test_a_search_that_is_answered_otherwise(answer: bytes, expected: Outcome) -> None:
    found, _ = await told(LdapCheck(base=BASE, expect=Expect(text="example")), BOUND, answer)
    assert found == expected


async def test_the_root_is_an_entry_too() -> None:
    found, _ = await told(LdapCheck(base=""), BOUND, entry(2, b"") + result(2, 0x65))
    assert found == Healthy("")


async def test_lengths_in_long_form_are_read() -> None:
    """Net::LDAP's and Active Directory's way: four octets of length always."""
    long = b"\x30\x84\x00\x00\x00\x10\x02\x01\x01\x61\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00"
    found, _ = await told(LdapCheck(), long)
    assert found == Healthy("bound")


@pytest.mark.parametrize("code", [b"\x0a\x00", b"\x0a\x05\x00\x00\x00\x00\x00", b"\x02\x01\x00", b""])
async def test_a_result_without_a_code_is_no_success(code: bytes) -> None:
    body = b"\x02\x01\x01\x61" + bytes((len(code) + 4,)) + code + b"\x04\x00\x04\x00"
    found, _ = await told(LdapCheck(), bytes((0x30, len(body))) + body)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.GARBLED


async def test_over_tls() -> None:
    handler, heard = turns(BOUND)
    async with serving(handler, server_context()) as port:
        assert await outcome(LdapCheck(TlsMode.IMPLICIT), port) == Healthy("bound")
    assert heard == [ANONYMOUS_BIND, UNBIND]


def starting(answer: bytes) -> tuple[Handler, list[bytes]]:
    """A server that agrees to TLS (and forges an answer in clear behind it), then lets in."""
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))
        writer.write(answer)
        await writer.start_tls(server_context())
        heard.append(await reader.read(65536))
        writer.write(result(2, 0x61, 49, b"no"))
        heard.append(await reader.read(65536))

    return handler, heard


async def test_tls_is_started_and_what_was_said_in_clear_forgotten() -> None:
    handler, heard = starting(result(1, 0x78) + result(2, 0x61))
    async with serving(handler) as port:
        found = await outcome(LdapCheck(TlsMode.STARTTLS, credentials=LOGIN), port)
    assert found == Unhealthy(Reason.LOGIN_REFUSED, "result 49: no")
    assert heard[0] == bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
    assert b"sesame" in heard[1]


async def test_tls_that_is_refused_is_a_tls_failure() -> None:
    found, _ = await told(LdapCheck(TlsMode.STARTTLS, Tls()), result(1, 0x78, 2, b"no TLS"))
    assert found == Unhealthy(Reason.TLS, "result 2: no TLS")
