"""The lean engine and the tasks find the same, whatever a real server does."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest

from checkers.core.messages import AssignedCheck, Target
from checkers.core.outcome import Inconclusive, Outcome, Reason, Unhealthy
from checkers.lean import questions
from checkers.lean.way import lean
from checkers.probes.session import FAREWELL_SECONDS
from config.checks import TcpCheck, Timing
from tests.contract.probe_contract import ALL, SITUATIONS, Situation, hostile
from tests.unit.checkers import servers

EVERY = {**SITUATIONS, **hostile()}
MEMORY_LIMIT_BYTES = 4 * 1024 * 1024


@pytest.fixture(params=["deep", "lean", "lean, together", "lean, one by one"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`together`: what is asked by the thousand is waited for a while; `one by one`: not at all."""
    monkeypatch.setattr(servers, "LEAN", request.param != "deep")
    patience = {"lean, together": 0.1, "lean, one by one": -1.0}
    monkeypatch.setattr(questions, "PATIENCE_SECONDS", patience.get(request.param, questions.PATIENCE_SECONDS))


def fits(found: Outcome, wanted: Outcome | Reason) -> bool:
    if isinstance(wanted, Reason):
        return isinstance(found, Unhealthy) and found.reason is wanted
    return found == wanted


@pytest.mark.parametrize("name", EVERY)
async def test_what_is_found(name: str) -> None:
    given: Situation = EVERY[name]
    assert lean(AssignedCheck("a", Target(servers.HOST, 1), given.check, Timing()))
    async with servers.serving(given.handler, given.tls) as port:
        found = await servers.outcome(given.check, port, given.timeout)
    assert fits(found, given.found), found


@pytest.mark.parametrize("name", ["http", "https", "smtp", "text"])
async def test_a_flood_is_not_kept(name: str) -> None:
    tracemalloc.start()
    try:
        async with servers.serving(servers.flooding) as port:
            await servers.find(ALL[name], port)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_LIMIT_BYTES


@pytest.mark.parametrize("name", [*ALL, "tcp"])
async def test_a_closed_port_is_refused(name: str) -> None:
    found = await servers.outcome(ALL.get(name, TcpCheck()), servers.closed_port())
    assert found == Unhealthy(Reason.REFUSED, "Connection refused")


async def test_a_name_is_not_looked_up() -> None:
    finding = await servers.find(TcpCheck(), 80, address="localhost")
    assert finding.outcome == Inconclusive("not an address: localhost")


@pytest.mark.parametrize(
    ("name", "greeting", "goodbye"),
    [("pop", b"+OK\r\n", b"QUIT"), ("imap", b"* OK x\r\n", b"LOGOUT"), ("smtp", b"220 x\r\n", b"QUIT")],
)
@pytest.mark.parametrize("secured", [False, True])
async def test_a_goodbye_is_said(name: str, greeting: bytes, goodbye: bytes, secured: bool) -> None:
    handler, heard = servers.script(greeting, *([b"250 OK\r\n"] if name == "smtp" else []))
    check = ALL[name + "s" * secured]
    async with servers.serving(handler, servers.server_context() if secured else None) as port:
        await servers.find(check, port)
        async with asyncio.timeout(5):
            while not heard or not heard[-1].endswith(goodbye):
                await asyncio.sleep(0)


async def test_a_goodbye_nobody_answers_lasts_no_longer_than_its_grace() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK ready\r\n")
        await servers.silent(reader, writer)

    loop = asyncio.get_running_loop()
    async with servers.serving(deaf) as port:
        finding = await servers.find(ALL["pop"], port)
        assert FAREWELL_SECONDS - 0.1 < loop.time() - finding.ended_at < FAREWELL_SECONDS + 2.0
