"""The engine's turns with a clock that jumps from one to the next: who is asked when, and how often it wakes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from math import inf

import pytest

from checkers.core.messages import AssignedCheck, State, Target
from checkers.syn import asker as asker_module
from checkers.syn import engine as engine_module
from checkers.syn import watch as watch_module
from checkers.syn.batch import TICK_SECONDS
from checkers.syn.channel import Line, Objection
from checkers.syn.engine import Engine
from checkers.syn.packet import ACK, SYN, Answer, Form
from checkers.syn.watch import SynWatch
from config.checks import SynCheck, Timing

FAST = Timing(interval=0.1, timeout=0.1, fall=3)
OFTEN = Timing(interval=0.05, timeout=0.05, fall=3)
SECOND = Timing(interval=1.0, timeout=1.0)
PORT = 80
LOST = 1e9  # a round trip that nobody waits for


class Network:
    """In place of a channel and of the clock: real servers answer after a round trip that their address tells."""

    def __init__(self, round_trip: Callable[[bytes], float]) -> None:
        self.now = 1000.0
        self.line = Line(2, "10.1.0.1", 0, 0)
        self.users, self.first_port = 0, 40000
        self.asked: list[tuple[float, bytes]] = []
        self._round_trip = round_trip
        self._way: list[tuple[float, Answer]] = []
        ours, self._theirs = os.pipe()
        self.receiver = os.fdopen(ours)

    def clock(self) -> float:
        return self.now

    def ask(self, forms: Sequence[Form], our_ports: Sequence[int], numbers: Sequence[int]) -> dict[int, OSError]:
        for form, our_port, number in zip(forms, our_ports, numbers, strict=True):
            peer = form.slot[4:8]  # of struct sockaddr_in
            self.asked.append((self.now, peer))
            answer = (peer, PORT, our_port, (number + 1) % 2**32, SYN | ACK)
            self._way.append((self.now + self._round_trip(peer), answer))
        return {}

    def hears(self) -> tuple[list[Answer | None], list[float]]:
        come = [one for one in self._way if one[0] <= self.now]
        self._way = [one for one in self._way if one[0] > self.now]
        return [answer for _, answer in come], [moment for moment, _ in come]

    def arrival(self) -> float:
        """When the next answer comes."""
        return min((moment for moment, _ in self._way), default=inf)

    def state(self) -> tuple[bool, bool]:
        return self.arrival() <= self.now, False

    def objections(self, _limit: int) -> Iterator[Objection | None]:
        return iter(())

    def stands(self) -> bool:
        return True

    def close(self) -> None:
        self.receiver.close()
        os.close(self._theirs)


class Simulation:
    """A watch whose engine is given its turns by hand, for checks of consecutive addresses."""

    def __init__(self, network: Network, count: int, timing: Timing, known: State) -> None:
        self.network = network
        self.crashes: list[str] = []
        self.watch = SynWatch(lambda *_: None, lambda name, _: self.crashes.append(name))
        self.names = [str(number) for number in range(count)]
        self.watch.assign(
            AssignedCheck(name, Target(f"10.2.{at // 250}.{1 + at % 250}", PORT), SynCheck(), timing, known)
            for at, name in enumerate(self.names)
        )
        self.engine: Engine = self.watch._engine

    def run(self, seconds: float) -> int:
        """How often it woke."""
        woken, end, engine, network = 0, self.network.now + seconds, self.engine, self.network
        while (found := self._next()) is not None and found[0] <= end:
            network.now = max(network.now, found[0])
            woken += 1
            found[1]()
            while engine._going_on:
                engine._go_on()
        network.now = end
        return woken

    def _next(self) -> tuple[float, Callable[[], None]] | None:
        """What wakes it next, and when: its timer, or an answer where it listens."""
        engine, network = self.engine, self.network
        assert engine._timer is not None
        moment, arrival = engine._timer.when(), network.arrival()
        if arrival < moment and not engine._resting:  # there is one channel
            return arrival, lambda: engine._news(network)  # type: ignore[arg-type]  # it does what a channel does
        engine._timer.cancel()
        return moment, engine._tick

    def probes(self) -> list[int]:
        beliefs = [self.watch.belief(name) for name in self.names]
        return [belief.probes for belief in beliefs if belief is not None]


def simulate(
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    timing: Timing,
    round_trip: Callable[[bytes], float],
    judge: Callable[[Simulation], None],
    known: State = State.UP,
) -> None:
    """`judge` a simulation that has settled."""

    async def work() -> None:
        network = Network(round_trip)
        for module in (engine_module, watch_module):
            monkeypatch.setattr(module, "monotonic", network.clock)
        monkeypatch.setattr(engine_module, "time", network.clock)
        monkeypatch.setattr(engine_module, "Channel", lambda _line: network)
        monkeypatch.setattr(asker_module, "line_to", lambda *_: network.line)
        simulation = Simulation(network, count, timing, known)
        try:
            simulation.run(4 * timing.interval)
            judge(simulation)
            assert simulation.crashes == []
        finally:
            await simulation.watch.stop(1.0)

    asyncio.run(work())


@pytest.mark.parametrize("known", [State.UP, State.DOWN])
@pytest.mark.parametrize("timing", [FAST, OFTEN, SECOND])
def test_who_never_answers_is_asked_as_often_as_who_does(
    monkeypatch: pytest.MonkeyPatch, timing: Timing, known: State
) -> None:
    def judge(simulation: Simulation) -> None:
        before = simulation.probes()
        simulation.run(20 * timing.interval)
        counts = [after - earlier for earlier, after in zip(before, simulation.probes(), strict=True)]
        assert set(counts) <= {19, 20, 21}

    simulate(monkeypatch, 40, timing, lambda peer: LOST if peer[3] % 2 else 0.001, judge, known)


@pytest.mark.parametrize(
    ("count", "timing", "round_trip", "wakes"),
    [
        (1000, FAST, 0.0, 50),  # all are answered while they are asked
        (1000, FAST, 0.0003, 100),  # and looked for once more
        (1000, OFTEN, 0.0, 100),
        (1000, OFTEN, 0.0003, 100),  # when the others are asked
        (1000, SECOND, 0.0003, 40),
        (10000, SECOND, 0.0, 20),  # two handfuls each
    ],
)
def test_many_share_a_wake_and_none_is_late(
    monkeypatch: pytest.MonkeyPatch, count: int, timing: Timing, round_trip: float, wakes: int
) -> None:
    def judge(simulation: Simulation) -> None:
        before = simulation.probes()
        assert simulation.run(1.0) <= wakes + 2
        counts = [after - earlier for earlier, after in zip(before, simulation.probes(), strict=True)]
        each = round(1.0 / timing.interval)
        assert set(counts) <= {each - 1, each, each + 1}
        assert simulation.watch.lateness.longest < 0.001
        beliefs = [simulation.watch.belief(name) for name in simulation.names]
        assert all(abs(belief.latency - round_trip) < 1e-6 for belief in beliefs if belief is not None)

    simulate(monkeypatch, count, timing, lambda _: round_trip, judge)


def test_answers_to_many_are_read_at_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(simulation: Simulation) -> None:
        simulation.run(0.006)  # none is out
        before, asked = sum(simulation.probes()), len(simulation.network.asked)
        while len(simulation.network.asked) == asked:
            simulation.run(0.001)
        assert sum(simulation.probes()) == before
        simulation.run(simulation.network.asked[-1][0] + TICK_SECONDS + 1e-6 - simulation.network.now)
        assert sum(simulation.probes()) - before == len(simulation.network.asked) - asked > 100

    simulate(monkeypatch, 1000, FAST, lambda _: 0.003, judge)


def test_those_who_never_answer_are_given_up_and_asked_in_one_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(simulation: Simulation) -> None:
        assert simulation.run(1.0) <= 102  # it looks for answers once, and listens then

    simulate(monkeypatch, 1000, FAST, lambda _: LOST, judge, State.DOWN)


def test_the_answer_to_a_lone_probe_is_read_when_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(simulation: Simulation) -> None:
        asked = len(simulation.network.asked)
        while len(simulation.network.asked) == asked:
            simulation.run(0.001)
        [before] = simulation.probes()
        simulation.run(simulation.network.asked[-1][0] + 0.00301 - simulation.network.now)
        assert simulation.probes() == [before + 1]

    simulate(monkeypatch, 1, FAST, lambda _: 0.003, judge)


def test_the_last_number_is_followed_by_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"\xff" * count)

    def judge(simulation: Simulation) -> None:
        beliefs = [simulation.watch.belief(name) for name in simulation.names]
        assert [belief.failures for belief in beliefs if belief is not None] == [0] * 40

    simulate(monkeypatch, 40, FAST, lambda _: 0.001, judge)
