"""Text over TCP: what is said, when the expected came, how long is waited for it."""

from __future__ import annotations

import asyncio

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from config.checks import Expect, SimpleTcpCheck
from tests.unit.checkers.servers import (
    Handler,
    closed_port,
    dripping,
    flooding,
    hanging_up,
    outcome,
    resetting,
    serving,
    silent,
)


def saying(*pieces: bytes, stay: bool = True) -> tuple[Handler, list[bytes]]:
    """A server that hears a line and answers in pieces; and what it heard."""
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
        if stay:
            heard.append(await reader.read())

    return handler, heard


async def asked(handler: Handler, check: SimpleTcpCheck, timeout: float = 5.0) -> Outcome:
    async with serving(handler) as port:
        return await outcome(check, port, timeout)


async def test_what_is_said_arrives_and_anything_is_an_answer() -> None:
    handler, heard = saying(b"+PONG\r\n")
    assert await asked(handler, SimpleTcpCheck(b"PING\r\n")) == Healthy("+PONG")
    assert heard[0] == b"PING\r\n"


async def test_the_expected_may_come_late_and_in_pieces() -> None:
    handler, _ = saying(b"role:ma", b"ster\r\nx\r\n")
    assert await asked(handler, SimpleTcpCheck(b"INFO\n", Expect(text="role:master"))) == Healthy("role:master\\r\\nx")


async def test_an_expression_is_found_while_the_connection_stays_open() -> None:
    handler, _ = saying(b"state=", b"ok\n")
    assert await asked(handler, SimpleTcpCheck(b"INFO\n", Expect(regex="state=o.$"))) == Healthy("state=ok")


@pytest.mark.parametrize("expect", [Expect(text="yes"), Expect(regex="^yes")])
@pytest.mark.parametrize("stay", [True, False])
async def test_an_answer_without_the_expected(expect: Expect, stay: bool) -> None:
    handler, _ = saying(b"no, ", b"never", stay=stay)
    found = await asked(handler, SimpleTcpCheck(b"INFO\n", expect), 0.5 if stay else 5.0)
    assert found == Unhealthy(Reason.NO_MATCH, "no, never")


async def test_the_end_is_told_where_asked_for() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"all of it: " + await reader.read())

    assert await asked(handler, SimpleTcpCheck(b"hello", half_close=True)) == Healthy("all of it: hello")
    assert await asked(handler, SimpleTcpCheck(b"hello"), 0.2) == Unhealthy(
        Reason.REPLY_TIMEOUT, "connected, but the conversation did not end in time"
    )


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (silent, Reason.REPLY_TIMEOUT),
        (dripping(b"*"), Reason.NO_MATCH),
        (flooding, Reason.TOO_LARGE),
        (hanging_up, Reason.CLOSED),
        (resetting, Reason.CLOSED),
    ],
)
@pytest.mark.parametrize("expect", [Expect(text="yes"), Expect(regex="yes")])
async def test_hostile_servers(handler: Handler, reason: Reason, expect: Expect) -> None:
    found = await asked(handler, SimpleTcpCheck(expect=expect), 5.0 if reason is Reason.TOO_LARGE else 0.5)
    assert isinstance(found, Unhealthy)
    assert found.reason is reason


async def test_nobody_at_the_port() -> None:
    assert await outcome(SimpleTcpCheck(), closed_port()) == Unhealthy(Reason.REFUSED, "Connection refused")


async def test_an_expression_that_is_none_is_nobodys_fault() -> None:
    assert isinstance(await outcome(SimpleTcpCheck(expect=Expect(regex="(")), 80), Inconclusive)
