"""An agent that speaks, one that does not, and one that no longer does."""

from __future__ import annotations

import asyncio

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes import agent
from checkers.probes.agent_words import Standing, fold, parse
from checkers.probes.memory import Memory
from config.checks import AgentCheck
from tests.unit.checkers import servers

CHECK = AgentCheck(weight=10)


def saying(*pieces: bytes, then_close: bool = True) -> servers.Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if not then_close:
            await reader.read()

    return handler


async def asked(
    handler: servers.Handler, memory: Memory | None = None, check: AgentCheck = CHECK, timeout: float = 5.0
) -> Outcome:
    async with servers.serving(handler) as port:
        return (await servers.find(check, port, timeout, memory=memory)).outcome


@pytest.mark.parametrize("line", [b"up 50%\n", b"up 50%\r\n", b"up 50%\rdown\n", b"up 50%\ndown\n", b"up 50%"])
async def test_one_line_counts_up_to_its_first_end(line: bytes) -> None:
    assert await asked(saying(line)) == Healthy("up, weight 5", 5)


async def test_what_follows_the_line_is_not_looked_at() -> None:
    assert await asked(saying(b"up 50%\n" + b"down\n" * 100_000)) == Healthy("up, weight 5", 5)


@pytest.mark.parametrize("size", [agent.LINE_LIMIT_BYTES - 1, agent.LINE_LIMIT_BYTES])
async def test_a_line_has_a_limit(size: int) -> None:
    found = await asked(saying(b"up".ljust(size - 3) + b"50%", b"\n"))
    assert isinstance(found, Healthy)
    assert found.weight == (5 if size < agent.LINE_LIMIT_BYTES else None)


@pytest.mark.parametrize("end", [b"\n", b"\r"])
async def test_a_line_in_pieces_and_an_agent_that_keeps_the_connection(end: bytes) -> None:
    assert await asked(saying(b"u", b"p 5", b"0%", end, then_close=False)) == Healthy("up, weight 5", 5)


async def test_the_question_is_sent() -> None:
    handler, heard = servers.turns(b"up\n")
    assert await asked(handler, check=AgentCheck(send="web 10\n")) == Healthy("up")
    assert heard[0] == b"web 10\n"


async def test_only_the_agent_takes_its_word_back() -> None:
    memory = Memory()
    down = Unhealthy(Reason.AGENT_DOWN, "down: disk")
    assert await asked(saying(b"down #disk\n"), memory) == down
    assert await asked(saying(b"50%\n"), memory) == down
    assert await asked(saying(b"up\n"), memory) == Healthy("up, weight 5", 5)


SILENCES = {
    "an empty line": saying(b"\n"),
    "nothing": saying(),
    "unknown words": saying(b"hello there\n"),
    "a reset": servers.resetting,
    "no end": servers.flooding,
    "no answer": servers.silent,
    "garbage": saying(b"\xff\xfe\x00\n"),
    "a remark alone": saying(b"# all is well\n"),
}


@pytest.mark.parametrize("name", SILENCES)
async def test_an_agent_that_tells_nothing_leaves_its_last_word_standing(name: str) -> None:
    memory = Memory(agent=fold(Standing(), parse(b"down")))
    assert isinstance(await asked(SILENCES[name], memory, timeout=0.3), Inconclusive)
    assert memory.agent == fold(Standing(), parse(b"down"))


@pytest.mark.parametrize("name", SILENCES)
async def test_an_agent_that_never_told_anything_says_nothing_against_its_real_server(name: str) -> None:
    found = await asked(SILENCES[name], timeout=0.3)
    assert isinstance(found, Healthy)
    assert found.weight is None
    assert found.detail.startswith("the agent tells nothing: ")


async def test_what_another_worker_heard_stands_until_the_agent_speaks() -> None:
    memory = Memory(believed=True)
    assert isinstance(await asked(saying(), memory), Inconclusive)
    assert await asked(saying(b"50%\n"), memory) == Healthy("up, weight 5", 5)


async def test_a_closed_port_is_no_failure() -> None:
    finding = await servers.find(CHECK, servers.closed_port())
    assert finding.outcome == Healthy("the agent tells nothing: Connection refused")
    finding = await servers.find(CHECK, servers.closed_port(), memory=Memory(believed=True))
    assert finding.outcome == Inconclusive("the agent tells nothing: Connection refused")


async def test_our_own_fault_is_nobodys_opinion() -> None:
    finding = await servers.find(CHECK, 80, address="localhost")
    assert finding.outcome == Inconclusive("not an address: localhost")
