"""So many probes against one address at once, whichever way they go; who waits is late, and does not fail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from checkers.core.hosts import Hosts
from checkers.core.messages import AssignedCheck, State, Target
from checkers.core.outcome import Inconclusive
from checkers.lean import call as call_module
from checkers.lean.watch import LeanWatch
from checkers.probes.attempt import attempt
from checkers.runtime.places import place
from checkers.runtime.watch import Watch
from checkers.runtime.ways import Ways
from config.checks import AnyCheck, Dial, PopCheck, TcpCheck, Timing
from tests.unit.checkers import servers
from tests.unit.lean.test_lean_watch import until

OFTEN = Timing(interval=0.02, timeout=2.0, rise=1, fall=1)
RARELY = Timing(interval=servers.NEVER, timeout=2.0, rise=1, fall=1)


class World:
    """A server that counts who is inside, and both ways to it."""

    def __init__(self, limit: int) -> None:
        self.inside = 0
        self.most = 0
        self.greet = asyncio.Event()
        self.greet.set()
        hosts = Hosts(limit)
        self.quick = LeanWatch(lambda *_: None, lambda *_: None, hosts=hosts)
        self.ways = Ways(Watch(attempt, lambda *_: None, hosts=hosts), self.quick, hosts)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.greet.wait()
            writer.write(b"+OK\r\n")
            await reader.readuntil(b"QUIT\r\n")
        finally:
            self.inside -= 1

    def probes(self, name: str) -> int:
        verdict = self.ways.verdict(name)
        assert verdict is not None
        return verdict.probes


@contextlib.asynccontextmanager
async def a_world(limit: int) -> AsyncIterator[tuple[World, int]]:
    world = World(limit)
    async with servers.serving(world.serve) as port:
        try:
            yield world, port
        finally:
            world.greet.set()
            await world.ways.stop(1.0)


def check(name: str, port: int, timing: Timing = OFTEN, kind: AnyCheck | None = None, *, deep: bool) -> AssignedCheck:
    dial = Dial(source=servers.HOST) if deep else Dial()
    return AssignedCheck(name, Target(servers.HOST, port), kind or PopCheck(), timing, dial=dial)


async def test_both_ways_together_keep_to_the_cap_and_everybody_has_his_turn() -> None:
    async with a_world(3) as (world, port):
        checks = [check(f"c{number}", port, deep=number % 2 == 0) for number in range(24)]
        world.ways.assign(checks)
        await until(lambda: all(world.probes(one.id) > 2 for one in checks))
        assert world.most == 3
        world.most = 0
        world.ways.allow(6)
        await until(lambda: world.most == 6)


async def test_who_waited_for_his_host_has_not_failed_and_another_host_does_not_wait() -> None:
    async with a_world(2) as (world, port):
        world.greet.clear()
        patient = Timing(interval=servers.NEVER, timeout=1.0, rise=1, fall=1)
        checks = [check(f"c{number}", port, patient, deep=number % 2 == 0) for number in range(8)]
        other = AssignedCheck("other", Target("127.0.0.2", port), TcpCheck(), OFTEN)
        world.ways.assign([*checks, other])
        await until(lambda: world.probes("other") > 3)  # refused, again and again, while the others wait
        await until(lambda: sum(world.probes(one.id) > 0 for one in checks) >= 2)  # these found nobody at home
        world.greet.set()
        await until(lambda: all(world.probes(one.id) > 0 for one in checks))
        verdicts = [verdict for one in checks if (verdict := world.ways.verdict(one.id)) is not None]
        found = [one.latency for one in verdicts if one.state is State.UP]
        assert len(found) >= 4
        assert max(found) < patient.timeout  # counted from its own start: so long they have waited


async def test_who_is_let_go_while_he_waits_keeps_no_place() -> None:
    async with a_world(1) as (world, port):
        world.greet.clear()
        first = check("first", port, deep=False)
        world.ways.assign([first])
        await until(lambda: world.inside == 1)
        crowd = [check(f"c{number}", port, deep=number % 2 == 0) for number in range(10)]
        world.ways.assign([first, *crowd])
        host = world.ways._hosts.host(servers.HOST)
        await until(lambda: len(host._waiting) == 10)
        world.ways.assign([first, crowd[0], crowd[1]])
        await until(lambda: len(host._waiting) == 2)
        world.greet.set()
        await until(lambda: all(world.probes(name) > 2 for name in ("first", "c0", "c1")))
        assert world.most == 1
        world.ways.assign([])
        await until(lambda: host.running == 0)


async def test_many_that_end_at_once_when_their_host_has_room_make_no_recursion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = call_module.Call.begin

    def begin_or_end(call: call_module.Call, now: float) -> None:
        if call._conversation is None:
            call.end(Inconclusive("at once"), now)
        else:
            begin(call, now)

    monkeypatch.setattr(call_module.Call, "begin", begin_or_end)
    async with a_world(1) as (world, port):
        world.greet.clear()
        hanging = check("hanging", port, RARELY, deep=False)
        world.ways.assign([hanging])
        await until(lambda: world.inside == 1)
        crowd = [check(f"c{number}", 1, RARELY, TcpCheck(), deep=False) for number in range(3000)]
        world.ways.assign([hanging, *crowd])
        await until(lambda: len(world.ways._hosts.host(servers.HOST)._waiting) == 3000)
        world.greet.set()
        await until(lambda: all(world.probes(one.id) > 0 for one in crowd))


async def test_a_place_given_to_a_task_that_is_cancelled_is_passed_on() -> None:
    hosts = Hosts(1)
    host = hosts.host("192.0.2.1")
    entered: list[str] = []

    async def work(name: str) -> None:
        async with place(host):
            entered.append(name)

    async with place(host):
        tasks = [asyncio.create_task(work(name)) for name in ("a", "b", "c")]
        await asyncio.sleep(0)
        tasks[0].cancel()
    tasks[1].cancel()  # it was given the place just now
    await asyncio.wait(tasks)
    assert entered == ["c"]
    assert host.running == 0


@pytest.mark.parametrize("deep", [False, True])
async def test_a_hurried_check_is_probed_now_and_its_rhythm_goes_on(deep: bool) -> None:
    async with a_world(32) as (world, port):
        known = AssignedCheck(
            "a", Target(servers.HOST, port), PopCheck(), RARELY, State.UP, dial=check("a", port, deep=deep).dial
        )
        world.ways.assign([known])
        await asyncio.sleep(0.05)  # time in which a check in its slot that is months away is not probed
        assert world.probes("a") == 0
        world.ways.hurry(["a", "unknown"])
        await until(lambda: world.probes("a") == 1)
        world.ways.hurry(["a"])  # it was looked at just now
        await until(lambda: world.inside == 0)
        await asyncio.sleep(0.05)
        assert world.probes("a") == 1
