"""SIP probes: what is asked, over UDP and TCP, and what counts as the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from config.checks import SipCheck
from tests.unit.checkers.datagram_servers import answering
from tests.unit.checkers.servers import (
    Handler,
    babbling,
    closed_port,
    find,
    flooding,
    hanging_up,
    outcome,
    serving,
    silent,
)

REPEATED = ("Via", "From", "To", "Call-ID", "CSeq")


def headers(request: bytes) -> dict[str, str]:
    lines = request.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines)


def reply(request: bytes, status: str = "200 OK", body: bytes = b"", **changes: str) -> bytes:
    """What RFC 3261 section 8.2.6 has a server repeat, with some headers changed."""
    found = headers(request)
    lines = [f"SIP/2.0 {status}"]
    lines += [f"{name}: {changes.get(name.replace('-', '_'), found[name])}" for name in REPEATED]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


async def asked(answer: Callable[[bytes], bytes], check: SipCheck | None = None, timeout: float = 5.0) -> Outcome:
    async with answering(lambda request: (answer(request),)) as (port, _):
        return await outcome(check or SipCheck(), port, timeout)


def stream_server(*answers: Callable[[bytes], bytes]) -> tuple[Handler, list[bytes]]:
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        for answer in answers:
            writer.write(answer(heard[0]))
        await silent(reader, writer)

    return handler, heard


async def test_options_is_asked() -> None:
    async with answering(lambda request: (reply(request),)) as (port, heard):
        assert await outcome(SipCheck(), port) == Healthy("OK")
    assert heard[0].startswith(b"OPTIONS sip:lvsd@127.0.0.1 SIP/2.0\r\n")
    assert heard[0].endswith(b"\r\n\r\n")
    found = headers(heard[0])
    via, *parameters = found["Via"].split(";")
    assert via.startswith("SIP/2.0/UDP 127.0.0.1:")
    assert parameters[0].startswith("branch=z9hG4bK")
    assert parameters[1] == "rport"
    assert found["To"] == "<sip:lvsd@127.0.0.1>"
    assert ";tag=" in found["From"]
    assert (found["CSeq"], found["Max-Forwards"], found["Content-Length"]) == ("1 OPTIONS", "70", "0")


async def test_a_user_with_its_host_is_asked_for() -> None:
    async with answering(lambda request: (reply(request),)) as (port, heard):
        await outcome(SipCheck("monitor@example.net"), port)
    assert heard[0].startswith(b"OPTIONS sip:monitor@example.net SIP/2.0\r\n")


async def test_an_ipv6_address_is_in_brackets() -> None:
    async with answering(lambda request: (reply(request),), "::1") as (port, heard):
        assert (await find(SipCheck(), port, address="::1")).outcome == Healthy("OK")
    assert heard[0].startswith(b"OPTIONS sip:lvsd@[::1] SIP/2.0\r\nVia: SIP/2.0/UDP [::1]:")


@pytest.mark.parametrize("status", ["404 Not Found", "503 Service Unavailable", "486 Busy Here", "202 Accepted"])
async def test_another_status_is_told(status: str) -> None:
    assert await asked(lambda request: reply(request, status)) == Unhealthy(Reason.STATUS, status)


def short_names(request: bytes) -> bytes:
    text = reply(request).decode()
    for name, short in (("Via", "v"), ("Call-ID", "I"), ("Content-Length", "l")):
        text = text.replace(f"\r\n{name}: ", f"\r\n{short} :")
    return text.encode()


def folded(request: bytes) -> bytes:
    return reply(request).replace(b";branch", b"\r\n ;branch")


def several_vias(request: bytes) -> bytes:
    return reply(request, Via=f"{headers(request)['Via']};received=192.0.2.1, SIP/2.0/UDP 192.0.2.9;branch=other")


@pytest.mark.parametrize("answer", [short_names, folded, several_vias])
async def test_the_same_in_other_spellings(answer: Callable[[bytes], bytes]) -> None:
    assert await asked(answer) == Healthy("OK")


def provisional(request: bytes) -> bytes:
    return reply(request, "100 Trying", b"x: y\r\n\r\nSIP/2.0 500 never\r\n\r\n")


WRONG: list[Callable[[bytes], bytes]] = [
    lambda request: reply(request, Via="SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKother"),
    lambda request: reply(request, Via="SIP/2.0/UDP 127.0.0.1"),
    lambda request: reply(request, Via=f"SIP/2.0/UDP 192.0.2.9;branch=other, {headers(request)['Via']}"),
    lambda request: reply(request, Call_ID="other"),
    lambda request: reply(request, CSeq="1 INVITE"),
    lambda request: reply(request, CSeq="2 OPTIONS"),
    lambda request: reply(request, "2000 OK"),
    lambda request: reply(request).replace(b"SIP/2.0 ", b"SIP/3.0 "),
    lambda request: reply(request).replace(b"Content-Length: 0", b"Content-Length: -1"),
    lambda request: request,
]


@pytest.mark.parametrize("wrong", [*WRONG, provisional])
async def test_what_does_not_answer_is_ignored(wrong: Callable[[bytes], bytes]) -> None:
    async with answering(lambda request: (wrong(request), reply(request))) as (port, _):
        assert await outcome(SipCheck(), port) == Healthy("OK")


@pytest.mark.parametrize("wrong", WRONG)
async def test_only_what_does_not_answer_is_garbled_at_the_timeout(wrong: Callable[[bytes], bytes]) -> None:
    found = await asked(wrong, timeout=0.2)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.GARBLED


async def test_only_to_be_asked_to_wait_is_a_reply_timeout() -> None:
    found = await asked(provisional, timeout=0.2)
    assert found == Unhealthy(Reason.REPLY_TIMEOUT, "no answer that counts: only 100")


async def test_over_tcp_provisional_answers_are_passed_with_their_bodies() -> None:
    handler, heard = stream_server(provisional, reply)
    async with serving(handler) as port:
        assert await outcome(SipCheck(tcp=True), port) == Healthy("OK")
    assert b"Via: SIP/2.0/TCP 127.0.0.1:" in heard[0]


@pytest.mark.parametrize("wrong", WRONG[:9])
async def test_over_tcp_an_answer_to_something_else_is_garbled(wrong: Callable[[bytes], bytes]) -> None:
    handler, _ = stream_server(wrong)
    async with serving(handler) as port:
        found = await outcome(SipCheck(tcp=True), port)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.GARBLED


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A head of good lines, without end."""
    writer.write(b"SIP/2.0 200 OK\r\n")
    while True:
        writer.write(b"x: y\r\n" * 1000)
        await writer.drain()


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (silent, Reason.REPLY_TIMEOUT),
        (flooding, Reason.TOO_LARGE),
        (hanging_up, Reason.CLOSED),
        (babbling, Reason.GARBLED),
    ],
)
async def test_over_tcp_hostile_servers(handler: Handler, reason: Reason) -> None:
    async with serving(handler) as port:
        found = await outcome(SipCheck(tcp=True), port, 0.5)
    assert isinstance(found, Unhealthy)
    assert found.reason is reason


async def test_over_tcp_a_head_without_end_is_not_read() -> None:
    async with serving(endless) as port:
        found = await outcome(SipCheck(tcp=True), port)
    assert found == Unhealthy(Reason.TOO_LARGE, "a head of more than 16384 bytes")


async def test_over_tcp_nobody_at_the_port() -> None:
    assert await outcome(SipCheck(tcp=True), closed_port()) == Unhealthy(Reason.REFUSED, "Connection refused")


@pytest.mark.parametrize("user", ["", "a b", "a\r\nb", "a>b", "@x", "a@", "ü"])
async def test_a_user_that_is_none_is_nobodys_fault(user: str) -> None:
    assert isinstance(await outcome(SipCheck(user), 5060), Inconclusive)
