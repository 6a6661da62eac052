"""The lean engine's checks, against real sockets: what is assigned is run, in its rhythm, never twice at once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from checkers.core.messages import AssignedCheck, State, Target, Verdict
from checkers.core.outcome import Inconclusive, Reason, Unhealthy
from checkers.lean import call as call_module
from checkers.lean import engine as engine_module
from checkers.lean import knock as knock_module
from checkers.lean import questions as questions_module
from checkers.lean import runner as runner_module
from checkers.lean.call import Dial
from checkers.lean.conversation import Asked
from checkers.lean.questions import Asker, Questions
from checkers.lean.watch import LeanWatch
from checkers.probes.attempt import Finding
from checkers.probes.memory import Memory
from checkers.runtime.watch import Watch
from checkers.runtime.ways import Ways
from config.checks import AnyCheck, Expect, HttpCheck, PopCheck, SimpleTcpCheck, TcpCheck, Timing
from tests.unit.checkers import servers

HELLO = SimpleTcpCheck(expect=Expect("hello"))
FAST = Timing(interval=0.02, timeout=1.0, rise=1, fall=2)


def check(
    name: str, port: int, kind: AnyCheck | None = None, timing: Timing = FAST, known: State = State.UNKNOWN
) -> AssignedCheck:
    return AssignedCheck(name, Target(servers.HOST, port), kind or TcpCheck(), timing, known)


class World:
    """A watch and the news it gave."""

    def __init__(self, stalled: Callable[[], float] = lambda: 0.0) -> None:
        self.news: list[tuple[str, bool]] = []
        self.seen: list[Verdict] = []
        """After each probe: whoever looks now and then may miss one."""
        self.crashes: list[str] = []
        self.watch = LeanWatch(self._probed, lambda name, _: self.crashes.append(name), stalled)

    def _probed(self, name: str, at_once: bool) -> None:
        self.news.append((name, at_once))
        self.seen.append(self.verdict(name))

    def verdict(self, name: str = "a") -> Verdict:
        verdict = self.watch.verdict(name)
        assert verdict is not None
        return verdict

    def probes(self, name: str = "a") -> int:
        return self.verdict(name).probes


@contextlib.asynccontextmanager
async def a_world(stalled: Callable[[], float] = lambda: 0.0) -> AsyncIterator[World]:
    world = World(stalled)
    try:
        yield world
    finally:
        await world.watch.stop(1.0)


async def greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    await servers.silent(reader, writer)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def test_every_check_is_probed_again_and_again_and_its_change_is_news() -> None:
    async with a_world() as world, servers.serving(servers.silent) as port:
        world.watch.assign([check("a", port), check("b", servers.closed_port())])
        await until(lambda: world.probes("a") > 2 and world.probes("b") > 2)
        assert (world.verdict("a").state, world.verdict("b").state) == (State.UP, State.DOWN)
        assert [told for name, told in world.news if name == "a"][:3] == [True, False, False]


async def test_what_is_known_needs_a_run_to_change() -> None:
    async with a_world() as world:
        world.watch.assign([check("a", servers.closed_port(), known=State.UP)])
        await until(lambda: world.probes() >= 2)
        assert [(one.probes, one.state) for one in world.seen[:2]] == [(1, State.UP), (2, State.DOWN)]


async def test_who_takes_over_goes_on_from_since_when_it_is_known() -> None:
    async with a_world() as world:
        known = msgspec.structs.replace(check("a", servers.closed_port(), known=State.DOWN), since=12.5)
        world.watch.assign([known])
        await until(lambda: world.probes() > 1)
        assert (world.verdict().state, world.verdict().since) == (State.DOWN, 12.5)


async def test_an_equal_assignment_keeps_and_another_ends() -> None:
    async with a_world() as world, servers.serving(servers.silent) as port:
        world.watch.assign([check("a", port), check("b", port)])
        await until(lambda: world.probes() > 1)
        kept = world.probes()
        change = world.watch.assign([check("a", port, known=State.DOWN)])
        assert (len(change.kept), change.ended) == (1, ("b",))
        assert world.probes() >= kept
        assert world.watch.identities == ("a",)
        assert world.watch.verdict("b") is None


async def test_other_timing_keeps_the_health_and_begins_its_own_rhythm() -> None:
    async with a_world() as world, servers.serving(servers.silent) as port:
        world.watch.assign([check("a", port)])
        await until(lambda: world.probes() > 1)
        world.watch.assign([check("a", port, timing=Timing(interval=servers.NEVER))])
        await until(lambda: world.watch._engine.running == 0)  # one may have been out
        probes = world.probes()
        world.watch.assign([check("a", port, timing=Timing(interval=servers.NEVER)), check("b", port)])
        await until(lambda: world.probes("b") > 3)
        assert (world.verdict().state, world.probes()) == (State.UP, probes)


async def test_another_question_keeps_what_was_believed_until_it_is_answered() -> None:
    async with a_world() as world, servers.serving(servers.silent) as port:
        world.watch.assign([check("a", servers.closed_port())])
        await until(lambda: world.verdict().state is State.DOWN)
        world.watch.assign([check("a", port)])
        assert world.verdict().state is State.DOWN
        await until(lambda: world.verdict().state is State.UP)


async def test_a_check_is_never_out_twice_even_when_replaced() -> None:
    inside = [0]
    most = [0]

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside[0] += 1
        most.append(inside[0])
        writer.write(b"+OK\r\n")
        await reader.read()
        inside[0] -= 1

    async with a_world() as world, servers.serving(deaf) as port:
        world.watch.assign([check("a", port, PopCheck())])
        await until(lambda: world.probes() >= 1)  # it is parting now, from somebody who does not listen
        world.watch.assign([check("a", port, TcpCheck())])
        await until(lambda: world.probes() > 3)
    assert max(most) == 1


async def test_so_many_are_out_at_once_and_everybody_has_his_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "CALLS_AT_ONCE", 3)
    out: set[int] = set()
    async with a_world() as world, servers.serving(servers.silent) as port:
        names = [f"c{number}" for number in range(12)]
        world.watch.assign([check(name, port, PopCheck(), Timing(0.02, 0.1)) for name in names])

        def all_probed() -> bool:
            out.add(world.watch._engine.running)
            return all(world.probes(name) > 1 for name in names)

        await until(all_probed)
    assert max(out) == 3


async def test_many_that_end_at_once_when_there_is_room_make_no_recursion(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = call_module.Call.begin

    def begin_or_end(call: call_module.Call, now: float) -> None:
        if call._conversation is None:
            call.end(Inconclusive("at once"), now)
        else:
            begin(call, now)

    monkeypatch.setattr(engine_module, "CALLS_AT_ONCE", 1)
    monkeypatch.setattr(call_module.Call, "begin", begin_or_end)
    async with a_world() as world, servers.serving(servers.silent) as port:
        world.watch.assign([check("a", port, PopCheck(), Timing(0.02, 1.5))])
        await until(lambda: world.watch._engine.running == 1)
        names = [f"c{number}" for number in range(3000)]
        hanging = check("a", port, PopCheck(), Timing(0.02, 1.5))
        world.watch.assign([hanging, *(check(name, 1, timing=Timing(1000.0, 0.3)) for name in names)])
        await until(lambda: all(world.probes(name) > 0 for name in names))
        assert not world.crashes


async def test_a_timeout_in_a_stalled_loop_proves_nothing() -> None:
    stalled = iter([0.0])
    async with a_world(lambda: next(stalled, 5.0)) as world, servers.serving(servers.silent) as port:
        world.watch.assign([check("a", port, PopCheck(), Timing(0.02, 0.1))])
        await until(lambda: world.probes() >= 2)
        assert world.seen[0].outcome == Inconclusive("the checker itself was held up for 5.0 s")
        outcome = world.seen[1].outcome
        assert isinstance(outcome, Unhealthy)
        assert outcome.reason is Reason.REPLY_TIMEOUT


@pytest.mark.parametrize(
    ("kind", "fault_in", "name"), [(TcpCheck(), knock_module, "_tell"), (HELLO, call_module.Call, "_connected")]
)
async def test_a_fault_of_our_own_is_inconclusive_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, kind: AnyCheck, fault_in: object, name: str
) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError

    async with a_world() as world, servers.serving(greeting) as port:
        monkeypatch.setattr(fault_in, name, fault)
        world.watch.assign([check("a", port, kind)])
        await until(lambda: world.probes() > 1)
        assert world.verdict().outcome == Inconclusive("a fault of the checker: RuntimeError")
        monkeypatch.undo()
        await until(lambda: world.verdict().state is State.UP)
        assert world.crashes[0] == "a"


async def test_a_fault_before_the_call_stops_nobody_and_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(engine_module, "CALLS_AT_ONCE", 1)
    async with a_world() as world, servers.serving(servers.silent) as port:
        monkeypatch.setattr(runner_module.Runner, "_looked_up", fault)
        world.watch.assign([check(name, port) for name in ("a", "b", "c")])
        await until(lambda: all(world.probes(name) > 1 for name in ("a", "b", "c")))
        assert world.verdict().outcome == Inconclusive("a fault of the checker: RuntimeError")
        monkeypatch.undo()
        await until(lambda: all(world.verdict(name).state is State.UP for name in ("a", "b", "c")))


async def test_an_error_of_our_own_machine_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(24, "Too many open files")

    async with a_world() as world:
        monkeypatch.setattr(socket, "SocketType", full)
        world.watch.assign([check("a", 1)])
        await until(lambda: world.probes() > 1)
        monkeypatch.undo()
        assert world.verdict().outcome == Inconclusive("cannot connect: Too many open files")


async def test_between_whole_probes_so_many_connections() -> None:
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        heard.append(line)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" if line else b"")

    async with a_world() as world, servers.serving(handler) as port:
        world.watch.assign([check("a", port, HttpCheck(), Timing(0.02, 1.0, connects=2))])
        await until(lambda: world.probes() >= 10 and world.watch._engine.running == 0)
        assert all(heard)
        assert len(heard) == -(-world.probes() // 3)  # the first, the fourth...; the others ended half open


async def test_stopping_parts_politely_and_waits_no_longer_than_told() -> None:
    parted: list[bytes] = []

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK\r\n")
        parted.append(await reader.readline())
        await servers.silent(reader, writer)

    world = World()
    async with servers.serving(deaf) as port:
        world.watch.assign([check("a", port, PopCheck())])
        await until(lambda: world.probes() == 1)
        async with asyncio.timeout(5):
            await world.watch.stop(0.05)
        await until(lambda: bool(parted))
    assert parted == [b"QUIT\r\n"]


async def test_lateness_is_written_down() -> None:
    async with a_world() as world, servers.serving(servers.silent) as port:
        world.watch.assign([check("a", port)])
        await until(lambda: world.probes() > 2)
        assert world.watch.lateness.total >= 3


async def test_a_check_that_changes_ways_keeps_what_is_believed() -> None:
    quiet = asyncio.Event()

    async def run(_assigned: AssignedCheck, _report: Callable[[Finding], None], _memory: Memory) -> None:
        await quiet.wait()

    async with servers.serving(servers.silent) as port:
        ways = Ways(Watch(run, lambda *_: None), LeanWatch(lambda *_: None, lambda *_: None))
        ways.assign([check("a", port)])
        await until(lambda: getattr(ways.verdict("a"), "probes", 0) > 0)
        deep = check("a", port, HttpCheck(proxy_url="http://www.example.org/"))
        change = ways.assign([deep])
        verdict = ways.verdict("a")
        assert verdict is not None
        assert (change.replaced, change.ended, change.started) == ((deep,), (), ())
        assert verdict.state is State.UP
        assert ways.identities == ("a",)
        await ways.stop(1.0)


async def test_who_takes_his_time_is_asked_apart_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    together: list[Dial] = []
    ask = questions_module.Questions.ask

    def asked(self: Questions, asker: Asker, dial: Dial, what: Asked, now: float) -> None:
        together.append(dial)
        ask(self, asker, dial, what, now)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(questions_module.PATIENCE_SECONDS * 2)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setattr(questions_module.Questions, "ask", asked)
    monkeypatch.setattr(runner_module, "APART_PROBES", 3)
    async with a_world() as world, servers.serving(slow) as port:
        world.watch.assign([check("a", port, HttpCheck())])
        await until(lambda: world.probes() >= 9)
        assert world.verdict().state is State.UP
        assert len(together) in {-(-world.probes() // 4), world.probes() // 4 + 1}  # one may be out
