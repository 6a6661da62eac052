"""RADIUS probes against a server of the test's own, written from RFC 2865 and RFC 3579 once more."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes.radius_packet import Request, hidden
from config.checks import Credentials, RadiusCheck
from config.secret import Secret
from tests.unit.checkers.datagram_servers import answering
from tests.unit.checkers.servers import outcome

SECRET = b"xyzzy5461"
CHECK = RadiusCheck(Credentials("nemo", Secret("arctangent")), Secret(SECRET.decode()))
ACCEPT, REJECT, CHALLENGE = 2, 3, 11
USER_NAME, USER_PASSWORD, NAS_IP, REPLY_MESSAGE, MESSAGE_AUTHENTICATOR = 1, 2, 4, 18, 80


def attributes(packet: bytes) -> dict[int, bytes]:
    found, at = {}, 20
    while at < len(packet):
        kind, size = packet[at], packet[at + 1]
        found[kind] = packet[at + 2 : at + size]
        at += size
    return found


def password_of(packet: bytes, secret: bytes) -> bytes:
    """RFC 2865 section 5.2, read backwards."""
    shown, before, hidden_one = b"", packet[4:20], attributes(packet)[USER_PASSWORD]
    for at in range(0, len(hidden_one), 16):
        block = hidden_one[at : at + 16]
        mask = hashlib.md5(secret + before, usedforsecurity=False).digest()
        shown += bytes(a ^ b for a, b in zip(block, mask, strict=True))
        before = block
    return shown.rstrip(b"\0")


def reply(request: bytes, code: int, octets: bytes = b"", secret: bytes = SECRET, signed: bool = True) -> bytes:
    """A response as a server signs it; with the Message-Authenticator first when `signed`."""
    head = struct.pack("!BBH", code, request[1], 20 + len(octets) + (18 if signed else 0))
    if signed:
        blank = b"\x50\x12" + bytes(16)
        seal = hmac.digest(secret, head + request[4:20] + blank + octets, "md5")
        octets = b"\x50\x12" + seal + octets
    return head + hashlib.md5(head + request[4:20] + octets + secret, usedforsecurity=False).digest() + octets


def message(words: bytes) -> bytes:
    return bytes((REPLY_MESSAGE, 2 + len(words))) + words


async def asked(answer: Callable[[bytes], bytes], check: RadiusCheck = CHECK, timeout: float = 5.0) -> Outcome:
    async with answering(lambda request: (answer(request),)) as (port, _):
        return await outcome(check, port, timeout)


async def test_the_request_is_what_the_rfcs_ask_for() -> None:
    async with answering(lambda request: (reply(request, ACCEPT),)) as (port, heard):
        assert await outcome(CHECK, port) == Healthy("accepted")
    [request] = heard
    code, _, size = struct.unpack_from("!BBH", request)
    found = attributes(request)
    assert (code, size) == (1, len(request))
    assert found[USER_NAME] == b"nemo"
    assert found[NAS_IP] == bytes((127, 0, 0, 1))
    assert password_of(request, SECRET) == b"arctangent"
    assert request[20] == MESSAGE_AUTHENTICATOR  # first, as is advised against Blast-RADIUS
    blank = request[:22] + bytes(16) + request[38:]
    assert found[MESSAGE_AUTHENTICATOR] == hmac.digest(SECRET, blank, "md5")


def test_the_password_is_hidden_as_in_the_rfcs_example() -> None:
    """RFC 2865 section 7.1."""
    authenticator = bytes.fromhex("0f403f9473978057bd83d5cb98f4227a")
    wanted = bytes.fromhex("0dbe708d93d413ce3196e43f782a0aee")
    assert hidden(b"arctangent", Request(0, authenticator, SECRET)) == wanted


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 128])
async def test_passwords_of_any_length_arrive(length: int) -> None:
    check = RadiusCheck(Credentials("nemo", Secret("p" * length)), Secret(SECRET.decode()))
    async with answering(lambda request: (reply(request, ACCEPT),)) as (port, heard):
        assert await outcome(check, port) == Healthy("accepted")
    assert password_of(heard[0], SECRET) == b"p" * length


async def test_no_two_requests_are_alike() -> None:
    async with answering(lambda request: (reply(request, ACCEPT),)) as (port, heard):
        await outcome(CHECK, port)
        await outcome(CHECK, port)
    assert heard[0][4:20] != heard[1][4:20]


async def test_a_server_that_signs_no_message_is_believed_by_its_authenticator() -> None:
    assert await asked(lambda request: reply(request, ACCEPT, signed=False)) == Healthy("accepted")


async def test_what_follows_the_length_is_padding() -> None:
    assert await asked(lambda request: reply(request, ACCEPT) + b"padding") == Healthy("accepted")


@pytest.mark.parametrize(
    ("code", "words", "detail"),
    [
        (REJECT, b"no such user", "no such user"),
        (REJECT, b"", "rejected"),
        (REJECT, b"not arctangent!", "(not shown: the answer repeats the password)"),
        (CHALLENGE, b"token?", "a challenge: token?"),
    ],
)
async def test_a_refusal_is_told_in_its_words(code: int, words: bytes, detail: str) -> None:
    found = await asked(lambda request: reply(request, code, message(words) if words else b""))
    assert found == Unhealthy(Reason.LOGIN_REFUSED, detail)


def other_secret(request: bytes) -> bytes:
    return reply(request, ACCEPT, secret=b"another")


def other_identifier(request: bytes) -> bytes:
    return reply(bytes((request[0], request[1] ^ 1)) + request[2:], ACCEPT)


def forged_authenticator(request: bytes) -> bytes:
    """Blast-RADIUS: the response's own authenticator is right, the Message-Authenticator is not."""
    octets = b"\x50\x12" + bytes(16)
    return reply(request, ACCEPT, octets, signed=False)


def short_message_authenticator(request: bytes) -> bytes:
    return reply(request, ACCEPT, b"\x50\x04ab", signed=False)


def broken_attribute(request: bytes) -> bytes:
    return reply(request, ACCEPT, b"\x12\xffx", signed=False)


def empty_attribute(request: bytes) -> bytes:
    return reply(request, ACCEPT, b"\x12\x00", signed=False)


def wrong_length(request: bytes) -> bytes:
    return reply(request, ACCEPT)[:-1]


def longer_than_it_is(request: bytes) -> bytes:
    """Signed, with a length beyond its end."""
    head = struct.pack("!BBH", ACCEPT, request[1], 21)
    return head + hashlib.md5(head + request[4:20] + SECRET, usedforsecurity=False).digest()


def other_code(request: bytes) -> bytes:
    return reply(request, 5)


NO_ANSWERS = [
    other_secret,
    other_identifier,
    forged_authenticator,
    short_message_authenticator,
    broken_attribute,
    empty_attribute,
    wrong_length,
    longer_than_it_is,
    other_code,
]


@pytest.mark.parametrize("wrong", NO_ANSWERS)
async def test_what_is_not_authentic_is_ignored(wrong: Callable[[bytes], bytes]) -> None:
    async with answering(lambda request: (wrong(request), reply(request, ACCEPT))) as (port, _):
        assert await outcome(CHECK, port) == Healthy("accepted")


@pytest.mark.parametrize("wrong", NO_ANSWERS)
async def test_only_what_is_not_authentic_is_told_at_the_timeout(wrong: Callable[[bytes], bytes]) -> None:
    found = await asked(wrong, timeout=0.2)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.GARBLED


async def test_a_wrong_secret_is_named() -> None:
    found = await asked(other_secret, timeout=0.2)
    assert found == Unhealthy(Reason.GARBLED, "no answer that counts: a wrong authenticator: the secret differs")


@pytest.mark.parametrize(
    "check",
    [
        RadiusCheck(Credentials("nemo", Secret("x")), Secret("")),
        RadiusCheck(Credentials("", Secret("x")), Secret("s")),
        RadiusCheck(Credentials("n" * 254, Secret("x")), Secret("s")),
        RadiusCheck(Credentials("nemo", Secret("x" * 129)), Secret("s")),
    ],
)
async def test_what_radius_cannot_carry_is_nobodys_fault(check: RadiusCheck) -> None:
    assert isinstance(await outcome(check, 1812), Inconclusive)
