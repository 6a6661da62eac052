"""Workers that come, go, fall silent and speak again, under any configuration: each check has exactly one."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.messages import RAW_WORKER, AssignedCheck, Verdicts
from config.checks import Check, SynCheck, TcpCheck
from config.model import Config, Daemon
from lvsd.core import division
from lvsd.core.assignment import configured_checks, place
from lvsd.core.director import step
from lvsd.core.effects import AssignChecks, Yield
from lvsd.core.events import ConfigChanged, Event, Resumed, Started, Ticked, VerdictsHeard, WorkerCame, WorkerWent
from lvsd.core.sharing import is_probed
from lvsd.core.state import Director
from tests.unit.core.test_workers import hello
from tests.unit.core.world import real, virtual

HOSTS = [f"10.1.{number // 8}.{number % 8 + 1}" for number in range(64)]
NUMBERS = st.integers(0, 5)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    services = []
    for port in range(80, 80 + draw(st.integers(1, 3))):
        hosts = draw(st.lists(st.sampled_from(HOSTS), max_size=12, unique=True))
        raw = draw(st.booleans())
        check = Check(SynCheck() if raw else TcpCheck())
        services.append(virtual(*(real(host, check=check) for host in hosts), port=port, name=str(port)))
    return Config(tuple(services), (), Daemon(workers=draw(st.integers(1, 5))))


EVENTS = st.one_of(
    st.builds(lambda number: ("came", number), NUMBERS),
    st.builds(lambda number: ("went", number), NUMBERS),
    st.builds(lambda number: ("says", number), NUMBERS),
    st.builds(lambda seconds: ("time", seconds), st.integers(1, 8)),
    st.builds(lambda config: ("config", config), configs()),
    st.builds(lambda turns: ("turns", turns), st.integers(1, 4)),
)


class World:
    """A director, and what each worker was given last over its connection."""

    def __init__(self, config: Config) -> None:
        self.now = 1000.0
        self.director = Director()
        self.here: dict[int, Sequence[AssignedCheck]] = {}
        self.waits = False  # whether something is to go on in a later turn
        self.feed(Started(config, frozenset(), {}))

    def feed(self, event: Event) -> list[AssignChecks]:
        self.director, effects = step(self.director, event, self.now)
        self.waits |= Yield() in effects
        given = [one for one in effects if isinstance(one, AssignChecks)]
        for one in given:
            if one.worker in self.here:
                self.here[one.worker] = one.checks
        return given

    def go_on(self, turns: int = 10_000) -> None:
        """So many turns of what waits for one."""
        while self.waits and turns:
            self.waits, turns = False, turns - 1
            self.feed(Resumed())

    def apply(self, what: str, value: object) -> None:
        match what, value:
            case "turns", int(turns):
                self.go_on(turns)
            case "came", int(number):
                self.feed(WorkerWent(number))
                self.here[number] = ()
                self.feed(WorkerCame(hello(number)))
            case "went", int(number):
                self.here.pop(number, None)
                self.feed(WorkerWent(number))
            case "says", int(number) if number in self.here:
                self.feed(VerdictsHeard(Verdicts(0, ()), number))
            case "time", int(seconds):
                for _ in range(seconds):
                    self.now += 1.0
                    self.feed(Ticked())
            case "config", Config() as config:
                self.feed(ConfigChanged(config))
            case _:
                pass


def probes(director: Director) -> set[str]:
    return {name for name, one in director.checks.items() if is_probed(one) and name not in director.shared.probe}


@given(configs(), st.lists(EVENTS, max_size=25), st.sampled_from((1, 8, 1000)))
def test_each_check_has_exactly_one_worker(config: Config, events: list[tuple[str, object]], at_once: int) -> None:
    """Also while it is worked out who is to have which."""
    with patch.object(division, "PLACES_AT_ONCE", at_once):
        world = World(config)
        for what, value in events:
            world.apply(what, value)
            workers = world.director.workers
            assert workers.sharing
            assert set(workers.sharing) <= set(range(1, workers.wanted + 1))
            assert workers.division is None or world.waits
            for number, checks in world.here.items():
                given = {one.id for one in checks}
                own = {
                    name
                    for name in probes(world.director)
                    if place(world.director.checks[name], workers.sharing) == number
                }
                assert given == own, number  # nobody runs another's, and who is there runs all of his
            for number in workers.sharing:
                assert number in workers.known
        for number in range(6):  # all come and speak: whatever happened before
            world.apply("came", number)
        world.go_on()
        assert not world.waits
    found = [one.id for checks in world.here.values() for one in checks]
    assert sorted(found) == sorted(probes(world.director))


@given(configs(), st.lists(EVENTS, max_size=25), st.sampled_from((1, 3, 8)))
def test_worked_out_some_at_a_time_it_comes_to_the_same(
    config: Config, events: list[tuple[str, object]], at_once: int
) -> None:
    ended = []
    for size in (at_once, 100_000):
        with patch.object(division, "PLACES_AT_ONCE", size):
            world = World(config)
            for what, value in events:
                world.apply(what, value)
                world.go_on()
        ended.append(world)
    parts, whole = (one.director for one in ended)
    assert parts.workers.sharing == whole.workers.sharing
    assert parts.shares.given.keys() == whole.shares.given.keys()
    for number, share in whole.shares.given.items():
        assert parts.shares.given[number].names == share.names
        assert isclose(parts.shares.given[number].pace, share.pace)
    here = [{number: [one.id for one in checks] for number, checks in one.here.items()} for one in ended]
    assert here[0] == here[1]


@given(st.sets(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 9), st.lists(st.sampled_from(HOSTS)))
def test_one_more_or_less_moves_only_its_share(numbers: set[int], other: int, hosts: list[str]) -> None:
    service = virtual(*(real(host) for host in dict.fromkeys(hosts)))
    checks = configured_checks(Config((service,)))
    before = tuple(sorted(numbers - {other}))
    after = tuple(sorted(numbers | {other}))
    if not before:
        return
    for checked in checks.values():
        then, now = place(checked, before), place(checked, after)
        assert now in (then, other)
        assert then in before
        assert then != RAW_WORKER
