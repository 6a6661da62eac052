"""The running checks, with a runner of the test's own: no real server, no real probe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from checkers.core.health import unproven
from checkers.core.messages import AssignedCheck, State, Target
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes.attempt import Finding
from checkers.probes.memory import Memory
from checkers.runtime import watch as watch_module
from checkers.runtime.crashes import CRASH_LINES_A_MINUTE
from checkers.runtime.watch import Watch
from config.checks import AgentCheck, Dial, HttpCheck, TcpCheck, Timing
from tests.unit.checkers.servers import NEVER

DOWN = Unhealthy(Reason.REFUSED)
FAST = Timing(interval=0.01, timeout=1.0, rise=1, fall=2)


def check(name: str, port: int = 80, timing: Timing = FAST, known: State = State.UNKNOWN) -> AssignedCheck:
    return AssignedCheck(name, Target("192.0.2.1", port), TcpCheck(), timing, known)


class Fake:
    """A runner that says what it is told to, and remembers who ran beside whom."""

    def __init__(self) -> None:
        self.answers: dict[str, Outcome | Exception] = {}
        self.running: list[str] = []
        self.most = 0
        self.doubled = False
        self.ran: list[AssignedCheck] = []
        self.memories: list[Memory] = []
        self.gate: asyncio.Event | None = None
        self.goodbye: Callable[[], asyncio.Future[None]] | None = None
        self.parted: list[str] = []

    async def run(self, assigned: AssignedCheck, report: Callable[[Finding], None], memory: Memory) -> None:
        self.doubled |= assigned.id in self.running
        self.running.append(assigned.id)
        self.ran.append(assigned)
        self.memories.append(memory)
        self.most = max(self.most, len(self.running))
        try:
            await (self.gate.wait() if self.gate is not None else asyncio.sleep(0))
            answer = self.answers.get(assigned.id, Healthy())
            if isinstance(answer, Exception):
                raise answer
            report(Finding(answer, asyncio.get_running_loop().time(), 0.001))
        except asyncio.CancelledError:
            report(Finding(DOWN, asyncio.get_running_loop().time(), 0.001))  # too late: it must not count
            raise
        finally:
            if self.goodbye is not None:
                await self.goodbye()
            self.parted.append(assigned.id)
            self.running.remove(assigned.id)


class World:
    """A watch on a fake, and the news it gave."""

    def __init__(self) -> None:
        self.fake = Fake()
        self.news: list[tuple[str, bool]] = []
        self.watch = Watch(self.fake.run, lambda name, at_once: self.news.append((name, at_once)))

    def state(self, name: str) -> State:
        verdict = self.watch.verdict(name)
        assert verdict is not None
        return verdict.state

    def probes(self, name: str) -> int:
        verdict = self.watch.verdict(name)
        return verdict.probes if verdict is not None else 0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def test_every_check_is_probed_again_and_again() -> None:
    world = World()
    world.watch.assign([check("a"), check("b")])
    await until(lambda: world.probes("a") > 2 and world.probes("b") > 2)
    assert world.state("a") is State.UP
    assert not world.fake.doubled
    await world.watch.stop(1.0)


async def test_a_change_is_news_at_once_and_the_same_is_not() -> None:
    world = World()
    world.watch.assign([check("a")])
    await until(lambda: world.probes("a") > 2)
    assert world.news[0] == ("a", True)
    assert ("a", True) not in world.news[1:]
    world.fake.answers["a"] = DOWN
    before = len(world.news)
    await until(lambda: world.state("a") is State.DOWN)
    assert [at_once for _, at_once in world.news[before:] if at_once] == [True, True]  # the reason, then the state
    await world.watch.stop(1.0)


async def test_an_equal_assignment_keeps_everything() -> None:
    world = World()
    world.watch.assign([check("a")])
    await until(lambda: world.probes("a") > 1)
    task = world.watch._watched["a"].task
    probes = world.probes("a")
    world.watch.assign([check("a", known=State.DOWN)])
    assert world.watch._watched["a"].task is task
    assert world.probes("a") == probes
    assert world.state("a") is State.UP
    await world.watch.stop(1.0)


async def test_who_takes_over_goes_on_from_since_when_it_is_known() -> None:
    world = World()
    world.fake.answers["a"] = DOWN
    world.watch.assign([msgspec.structs.replace(check("a", known=State.DOWN), since=12.5)])
    await until(lambda: world.probes("a") > 1)
    verdict = world.watch.verdict("a")
    assert verdict is not None
    assert (verdict.state, verdict.since) == (State.DOWN, 12.5)
    await world.watch.stop(1.0)


async def test_what_is_known_needs_a_run_to_change() -> None:
    world = World()
    world.fake.answers["a"] = DOWN
    world.watch.assign([check("a", known=State.UP)])
    await until(lambda: world.probes("a") == 1)
    assert world.state("a") is State.UP
    await until(lambda: world.state("a") is State.DOWN)
    await world.watch.stop(1.0)


async def test_other_timing_keeps_the_health() -> None:
    world = World()
    world.fake.answers["a"] = DOWN
    world.watch.assign([check("a")])
    await until(lambda: world.state("a") is State.DOWN)
    probes = world.probes("a")
    world.watch.assign([check("a", timing=Timing(interval=NEVER))])
    assert (world.state("a"), world.probes("a") >= probes) == (State.DOWN, True)
    assert world.watch._watched["a"].course.rhythm.slot > asyncio.get_running_loop().time() + 1
    await world.watch.stop(1.0)


async def test_other_timing_leaves_a_running_probe_alone() -> None:
    world = World()
    world.fake.gate = asyncio.Event()
    world.watch.assign([check("a")])
    await until(lambda: world.fake.running == ["a"])
    world.watch.assign([check("a", timing=Timing(interval=NEVER))])
    world.fake.gate.set()
    await until(lambda: world.probes("a") == 1)
    assert world.state("a") is State.UP
    assert world.fake.ran == [check("a")]
    await world.watch.stop(1.0)


def agent(port: int, weight: int, timing: Timing = FAST) -> AssignedCheck:
    return AssignedCheck("a", Target("192.0.2.1", port), AgentCheck(weight=weight), timing)


async def test_memory_outlives_probes_timing_and_another_weight_but_no_other_question() -> None:
    world = World()

    async def after(assigned: AssignedCheck) -> Memory:
        world.watch.assign([assigned])
        await until(lambda: world.fake.ran[-1:] == [assigned])
        return world.fake.memories[-1]

    first = await after(agent(9, 1))
    assert await after(agent(9, 1, Timing(interval=0.02))) is first
    assert await after(agent(9, 2)) is first
    assert await after(agent(10, 2)) is not first
    tcp = await after(check("a", port=10))
    assert tcp is not world.fake.memories[-2]
    assert await after(agent(10, 2)) is not tcp
    await world.watch.stop(1.0)


@pytest.mark.parametrize(
    ("known", "unseen", "believed"),
    [
        (State.UNKNOWN, False, False),
        (State.UP, False, True),
        (State.DOWN, False, True),
        (State.UP, True, False),
        (State.DOWN, True, False),
    ],
)
async def test_what_another_worker_was_answered_is_told_from_what_is_presumed(
    known: State, unseen: bool, believed: bool
) -> None:
    world = World()
    world.watch.assign([msgspec.structs.replace(agent(9, 1), known=known, unseen=unseen)])
    await until(lambda: bool(world.fake.memories))
    assert world.fake.memories[0] == Memory(believed)
    await world.watch.stop(1.0)


async def test_what_was_believed_of_another_question_is_no_answer_to_this_one() -> None:
    world = World()
    world.watch.assign([msgspec.structs.replace(agent(9, 1), known=State.DOWN)], {"a": unproven(State.DOWN, 0.0)})
    await until(lambda: bool(world.fake.memories))
    await until(lambda: world.state("a") is State.UP)  # the fake's answer
    assert world.fake.memories[0] == Memory(believed=False)
    await world.watch.stop(1.0)


@pytest.mark.parametrize(
    "other",
    [
        check("a", port=81),
        AssignedCheck("a", Target("192.0.2.1", 80), HttpCheck(), FAST),
        msgspec.structs.replace(check("a"), dial=Dial(source="192.0.2.9")),
    ],
)
async def test_another_question_keeps_what_is_believed_until_it_is_answered(other: AssignedCheck) -> None:
    world = World()
    world.watch.assign([check("a")])
    await until(lambda: world.state("a") is State.UP)
    world.fake.gate = asyncio.Event()
    await until(lambda: world.fake.running == ["a"])
    world.watch.assign([other])
    assert world.state("a") is State.UP
    world.fake.answers["a"] = DOWN
    world.fake.gate.set()
    await until(lambda: world.state("a") is State.DOWN)
    assert world.fake.ran[-1] == other
    assert not world.fake.doubled
    await world.watch.stop(1.0)


async def test_a_successor_waits_for_the_goodbye() -> None:
    world = World()
    world.fake.gate = asyncio.Event()
    goodbye: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    world.fake.goodbye = lambda: asyncio.shield(goodbye)
    world.watch.assign([check("a")])
    await until(lambda: world.fake.running == ["a"])
    world.watch.assign([check("a", port=81)])
    await asyncio.sleep(0.05)  # several intervals: a successor that did not wait would have run
    assert [assigned.target.port for assigned in world.fake.ran] == [80]
    goodbye.set_result(None)
    world.fake.gate.set()
    await until(lambda: world.probes("a") > 0)
    assert not world.fake.doubled
    await world.watch.stop(1.0)


async def test_a_check_that_is_gone_is_parted_from_and_forgotten() -> None:
    world = World()
    world.fake.gate = asyncio.Event()
    world.watch.assign([check("a"), check("b")])
    await until(lambda: sorted(world.fake.running) == ["a", "b"])
    world.watch.assign([check("b")])
    await until(lambda: world.fake.parted == ["a"])
    assert world.watch.verdict("a") is None
    assert world.watch.identities == ("b",)
    await world.watch.stop(1.0)


async def test_a_crash_is_inconclusive_and_stops_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    world = World()
    world.fake.answers["a"] = RuntimeError("the password is sesame")
    world.watch.assign([check("a", known=State.UP), check("b")])
    await until(lambda: world.probes("a") > 20 and world.probes("b") > 3)
    verdict = world.watch.verdict("a")
    assert verdict is not None
    assert (verdict.state, verdict.outcome) == (State.UP, Inconclusive("a fault of the checker: RuntimeError"))
    await world.watch.stop(1.0)
    told = capfd.readouterr().err
    assert 0 < told.count("check_crashed") <= CRASH_LINES_A_MINUTE
    assert "sesame" not in told
    assert "test_watch.py" in told


async def test_so_many_probes_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "PROBES_AT_ONCE", 3)
    world = World()
    world.watch.assign([check(f"c{number}") for number in range(20)])
    await until(lambda: all(world.probes(f"c{number}") > 1 for number in range(20)))
    assert world.fake.most == 3
    await world.watch.stop(1.0)


async def test_stopping_waits_no_longer_than_told() -> None:
    world = World()
    world.fake.gate = asyncio.Event()
    forever: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    world.fake.goodbye = lambda: asyncio.shield(forever)
    world.watch.assign([check("a")])
    await until(lambda: world.fake.running == ["a"])
    async with asyncio.timeout(5):
        await world.watch.stop(0.05)
    forever.set_result(None)
    await until(lambda: world.fake.parted == ["a"])


async def test_starts_are_spread() -> None:
    world = World()
    world.watch.assign([check(f"c{number}", timing=Timing(interval=100.0)) for number in range(200)])
    now = asyncio.get_running_loop().time()
    slots = sorted(watched.course.rhythm.slot - now for watched in world.watch._watched.values())
    assert slots[0] < 10
    assert 90 < slots[-1] <= 100
    await world.watch.stop(1.0)


async def test_what_is_not_known_is_probed_soon_whatever_its_interval() -> None:
    world = World()
    slow = Timing(interval=NEVER)
    world.watch.assign([check("a", timing=slow), check("b", timing=slow, known=State.UP)])
    await until(lambda: world.state("a") is State.UP)
    assert world.watch._watched["a"].course.rhythm.slot > asyncio.get_running_loop().time() + 1
    assert world.probes("b") == 0
    await world.watch.stop(1.0)


async def test_a_death_is_found_by_the_fast_interval_alone() -> None:
    world = World()
    world.fake.answers["a"] = DOWN
    timing = Timing(interval=0.3, fast_interval=0.001, fall=40)
    world.watch.assign([check("a", timing=timing, known=State.UP)])
    await until(lambda: world.state("a") is State.DOWN)
    assert world.probes("a") >= 40
    probed = world.probes("a")
    await until(lambda: world.watch._watched["a"].course.rhythm.hurried_to is None)
    assert world.probes("a") == probed
    await world.watch.stop(1.0)


async def test_connections_stand_in_for_the_whole_check() -> None:
    world = World()
    whole = AssignedCheck("a", Target("192.0.2.1", 80), HttpCheck(), Timing(interval=0.01, connects=2))
    world.watch.assign([whole])
    await until(lambda: world.probes("a") > 6)
    kinds = [type(assigned.check) for assigned in world.fake.ran[:7]]
    assert kinds == [HttpCheck, TcpCheck, TcpCheck, HttpCheck, TcpCheck, TcpCheck, HttpCheck]
    world.fake.answers["a"] = DOWN
    await until(lambda: world.state("a") is State.DOWN)
    assert isinstance(world.fake.ran[-1].check, HttpCheck)
    await world.watch.stop(1.0)


async def test_a_weight_that_is_known_outlives_a_failure() -> None:
    world = World()
    world.fake.answers["a"] = DOWN
    known = AssignedCheck("a", Target("192.0.2.1", 80), TcpCheck(), Timing(interval=0.01, fall=1000), State.UP, 5)
    world.watch.assign([known])
    await until(lambda: world.probes("a") > 1)
    verdict = world.watch.verdict("a")
    assert verdict is not None
    assert (verdict.state, verdict.weight) == (State.UP, 5)
    await world.watch.stop(1.0)


async def test_a_weight_is_news_at_once() -> None:
    world = World()
    world.watch.assign([check("a")])
    await until(lambda: world.probes("a") > 1)
    world.fake.answers["a"] = Healthy(weight=3)
    before = len(world.news)
    await until(lambda: (verdict := world.watch.verdict("a")) is not None and verdict.weight == 3)
    assert [at_once for _, at_once in world.news[before:] if at_once] == [True]
    await world.watch.stop(1.0)
