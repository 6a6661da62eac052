"""NTP probes against a server of the test's own, written from RFC 5905 once more."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy
from config.checks import NtpCheck
from tests.unit.checkers.datagram_servers import answering, closed_udp_port, mute
from tests.unit.checkers.servers import outcome

CHECK = NtpCheck()
TIME = bytes.fromhex("e8d7a1c280000000")


def reply(
    request: bytes,
    *,
    leap: int = 0,
    version: int = 4,
    mode: int = 4,
    stratum: int = 2,
    reference: bytes = b"\xc0\0\2\x07",
    origin: bytes | None = None,
    transmitted: bytes = TIME,
) -> bytes:
    first = leap << 6 | version << 3 | mode
    head = struct.pack("!BBbbII4s", first, stratum, 6, -23, 0x0111, 0x0222, reference)
    return head + TIME + (request[40:48] if origin is None else origin) + TIME + transmitted


async def asked(answer: Callable[[bytes], bytes], check: NtpCheck = CHECK, timeout: float = 5.0) -> Outcome:
    async with answering(lambda request: (answer(request),)) as (port, _):
        return await outcome(check, port, timeout)


async def test_the_question_tells_nothing_but_a_token() -> None:
    async with answering(lambda request: (reply(request),)) as (port, heard):
        assert await outcome(CHECK, port) == Healthy("stratum 2")
        assert await outcome(CHECK, port) == Healthy("stratum 2")
    assert [request[:40] for request in heard] == [b"\x23" + bytes(39)] * 2
    assert len({request[40:] for request in heard}) == 2
    assert {len(request) for request in heard} == {48}


@pytest.mark.parametrize(
    ("stratum", "limit", "detail"),
    [
        (1, 1, ""),
        (15, 15, ""),
        (3, 2, "stratum 3, more than 2"),
        (16, 15, "not synchronised (stratum 16)"),
        (255, 15, "not synchronised (stratum 255)"),
    ],
)
async def test_the_stratum_counts(stratum: int, limit: int, detail: str) -> None:
    found = await asked(lambda request: reply(request, stratum=stratum), NtpCheck(limit))
    assert found == (Unhealthy(Reason.NOT_READY, detail) if detail else Healthy(f"stratum {stratum}"))


async def test_a_clock_that_is_not_synchronised_is_not_ready() -> None:
    found = await asked(lambda request: reply(request, leap=3, stratum=5))
    assert found == Unhealthy(Reason.NOT_READY, "not synchronised (leap 3, stratum 5)")


@pytest.mark.parametrize(
    ("leap", "detail"), [(3, "not synchronised (leap 3, stratum 0)"), (0, "not synchronised (stratum 0)")]
)
async def test_a_server_that_names_no_source_was_never_synchronised(leap: int, detail: str) -> None:
    found = await asked(lambda request: reply(request, leap=leap, stratum=0, reference=bytes(4)))
    assert found == Unhealthy(Reason.NOT_READY, detail)


@pytest.mark.parametrize("leap", [1, 2])
async def test_a_leap_second_is_no_fault(leap: int) -> None:
    assert await asked(lambda request: reply(request, leap=leap)) == Healthy("stratum 2")


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        (b"RATE", "asked too often for the server (RATE)"),
        (b"DENY", "access denied by the server (DENY)"),
        (b"INIT", "not synchronised yet (INIT)"),
        (b"XY\0\0", "kiss of death: XY"),
        (b"\xff\0\n\0", "kiss of death: \\xff\\x00"),
    ],
)
async def test_a_kiss_of_death_is_named(code: bytes, detail: str) -> None:
    found = await asked(lambda request: reply(request, stratum=0, leap=3, reference=code))
    assert found == Unhealthy(Reason.NOT_READY, detail)


async def test_an_answer_without_time_is_garbled() -> None:
    found = await asked(lambda request: reply(request, transmitted=bytes(8)))
    assert found == Unhealthy(Reason.GARBLED, "an answer without time")


async def test_extensions_may_follow() -> None:
    assert await asked(lambda request: reply(request) + bytes(28)) == Healthy("stratum 2")


async def test_a_server_of_version_3_answers_too() -> None:
    assert await asked(lambda request: reply(request, version=3)) == Healthy("stratum 2")


NO_ANSWERS: list[Callable[[bytes], bytes]] = [
    lambda request: reply(request, origin=bytes(8)),
    lambda request: reply(request, origin=request[40:47] + bytes((request[47] ^ 1,))),
    lambda request: reply(request, mode=3),
    lambda request: reply(request, mode=5),
    lambda request: reply(request, mode=6),
    lambda request: reply(request, version=0),
    lambda request: reply(request, version=5),
    lambda request: reply(request)[:47],
    lambda request: reply(request) + bytes(2048),
    lambda request: request,
]


@pytest.mark.parametrize("wrong", NO_ANSWERS)
async def test_what_answers_something_else_is_ignored(wrong: Callable[[bytes], bytes]) -> None:
    async with answering(lambda request: (wrong(request), reply(request))) as (port, _):
        assert await outcome(CHECK, port) == Healthy("stratum 2")


@pytest.mark.parametrize("wrong", NO_ANSWERS)
async def test_only_what_answers_something_else_is_told_at_the_timeout(wrong: Callable[[bytes], bytes]) -> None:
    found = await asked(wrong, timeout=0.2)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.GARBLED


async def test_a_flood_of_datagrams_is_not_looked_at_for_ever() -> None:
    async with answering(lambda _: (b"x" * 48,) * 300) as (port, _):
        found = await outcome(CHECK, port)
    assert found == Unhealthy(Reason.TOO_LARGE, "256 datagrams, none of which is the answer")


async def test_a_lost_datagram_is_no_failure() -> None:
    asked_before: list[bytes] = []

    def second(request: bytes) -> tuple[bytes, ...]:
        asked_before.append(request)
        return (reply(request),) if len(asked_before) > 1 else ()

    async with answering(second) as (port, heard):
        assert await outcome(CHECK, port) == Healthy("stratum 2")
    assert heard[0] == heard[1]


async def test_silence_and_a_closed_port() -> None:
    async with answering(mute) as (port, _):
        assert await outcome(CHECK, port, 0.2) == Unhealthy(Reason.REPLY_TIMEOUT, "no answer")
    assert await outcome(CHECK, closed_udp_port()) == Unhealthy(Reason.REFUSED, "Connection refused")
