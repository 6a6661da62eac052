"""What both ways of running a check write into its books."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from checkers.core.books import Page, Phase
from checkers.core.messages import AssignedCheck, Target
from checkers.core.outcome import Reason
from checkers.lean import knock
from checkers.lean.watch import LeanWatch
from checkers.probes.attempt import attempt
from checkers.runtime.watch import Watch
from checkers.runtime.ways import Ways
from config.checks import (
    AnyCheck,
    Expect,
    HttpCheck,
    LdapCheck,
    PopCheck,
    SimpleTcpCheck,
    TcpCheck,
    Timing,
    Tls,
    TlsMode,
)
from tests.unit.checkers import servers

SOON = Timing(interval=0.05, timeout=5.0, fall=1)
IMPATIENT = Timing(interval=0.05, timeout=1.0, fall=1)  # for who never answers; TLS may take its time before
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def check(name: str, port: int, kind: AnyCheck, timing: Timing = SOON) -> AssignedCheck:
    return AssignedCheck(name, Target(servers.HOST, port), kind, timing)


@contextlib.asynccontextmanager
async def running(*checks: AssignedCheck) -> AsyncIterator[Ways]:
    ways = Ways(Watch(attempt, lambda *_: None), LeanWatch(lambda *_: None, lambda *_: None))
    ways.assign(checks)
    try:
        yield ways
    finally:
        await ways.stop(1.0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def page_of(kind: AnyCheck, port: int, timing: Timing = SOON) -> Page:
    """After three probes, the last of which has parted."""

    def probes(ways: Ways) -> int:
        verdict = ways.verdict("a")
        return verdict.probes if verdict is not None else 0

    async with running(check("a", port, kind, timing)) as ways:
        await until(lambda: probes(ways) >= 3)
        page = ways.page("a")
        assert page is not None
        assert ways.page("b") is None
        late = page.phases[Phase.LATE]
        assert sum(late.counts) >= 3
        assert ways.lateness.total == sum(late.counts)
        return page


def parts(page: Page) -> set[str]:
    return {phase.value for phase in page.phases}


async def test_a_connection_is_the_whole() -> None:
    async with servers.serving(servers.silent) as port:
        page = await page_of(TcpCheck(), port)
    assert parts(page) == {"whole", "late"}
    assert not page.reasons


async def test_a_port_that_is_closed_is_counted_by_its_reason() -> None:
    page = await page_of(TcpCheck(), servers.closed_port())
    assert page.reasons[Reason.REFUSED] >= 3
    page = await page_of(SimpleTcpCheck(expect=Expect(regex="x")), servers.closed_port())
    assert page.reasons[Reason.REFUSED] >= 3
    assert parts(page) == {"whole", "late"}


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(PAGE)
    await writer.drain()


async def test_a_page_has_its_parts() -> None:
    async with servers.serving(answering) as port:
        page = await page_of(HttpCheck(), port)
    assert parts(page) == {"whole", "late", "connect", "first_byte"}
    whole, connect, first = (page.phases[one] for one in (Phase.WHOLE, Phase.CONNECT, Phase.FIRST_BYTE))
    assert sum(connect.counts) == sum(first.counts) == sum(whole.counts)
    assert connect.longest <= whole.longest
    assert first.longest <= whole.longest


async def test_tls_is_a_part_of_its_own_in_both_ways() -> None:
    async with servers.serving(answering, servers.server_context()) as port:
        assert parts(await page_of(HttpCheck(tls=Tls()), port)) == {"whole", "late", "connect", "first_byte", "tls"}
    async with servers.serving(servers.silent, servers.server_context()) as port:
        page = await page_of(LdapCheck(mode=TlsMode.IMPLICIT), port, IMPATIENT)
    assert parts(page) == {"whole", "late", "connect", "tls"}
    assert set(page.reasons) == {Reason.REPLY_TIMEOUT}


async def test_the_parts_lie_one_behind_the_other() -> None:
    async with servers.serving(answering, servers.server_context()) as port:
        once = AssignedCheck("a", Target(servers.HOST, port), HttpCheck(tls=Tls()), Timing(interval=1000.0))
        async with running(once) as ways:
            await until(lambda: Phase.WHOLE in (ways.page("a") or Page()).phases)
            found = (ways.page("a") or Page()).phases
    took = {phase: one.longest for phase, one in found.items()}
    assert {sum(one.counts) for one in found.values()} == {1}
    assert took[Phase.CONNECT] + took[Phase.TLS] + took[Phase.FIRST_BYTE] <= took[Phase.WHOLE] + 1e-6


async def test_a_connection_that_lasts_has_no_parts_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knock, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(knock, "_SYN_SENT", 1)  # whoever answered is waited for, as who is far away
    async with servers.serving(servers.silent) as port:
        assert parts(await page_of(TcpCheck(), port)) == {"whole", "late"}


async def test_who_connects_and_says_nothing_has_no_first_byte() -> None:
    async with servers.serving(servers.hanging_up) as port:
        page = await page_of(PopCheck(), port)
    assert parts(page) == {"whole", "late", "connect"}
    assert set(page.reasons) == {Reason.CLOSED}


async def test_books_outlive_other_timing_and_another_question_begins_new_durations() -> None:
    async with servers.serving(answering) as port, running(check("a", servers.closed_port(), HttpCheck())) as ways:
        await until(lambda: bool((page := ways.page("a")) and page.reasons))
        ways.assign([AssignedCheck("a", Target(servers.HOST, 1), HttpCheck(), Timing(interval=900.0))])
        ways.assign([AssignedCheck("a", Target(servers.HOST, 1), HttpCheck(), Timing(interval=1000.0))])
        page = ways.page("a")
        assert page is not None
        assert page.reasons
        ways.assign([check("a", port, HttpCheck())])
        await until(lambda: bool((page := ways.page("a")) and Phase.FIRST_BYTE in page.phases))
        page = ways.page("a")
        assert page is not None
        assert page.reasons
