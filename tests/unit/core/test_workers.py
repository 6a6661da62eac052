"""Several checker workers: who has which checks, who is gone, silent, surplus, or says what it must not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import (
    CAP_NET_RAW,
    CHECKS_A_PACKET,
    PROTOCOL,
    RAW_WORKER,
    Hello,
    State,
    Verdict,
    Verdicts,
)
from config.checks import Check, Dial, ExternalCheck, HttpCheck, SynCheck, TcpCheck, Timing, Tls
from config.model import Config, Daemon, RealServer
from lvsd.core import assignment, crew, division, views
from lvsd.core.assignment import configured_checks, hurried, needs_raw, workers_wanted
from lvsd.core.effects import AskAll, AssignChecks, Effect, RestartWorker, Tell, Yield
from lvsd.core.events import ConfigChanged, Event, Resumed, Started, Ticked, VerdictsHeard, WorkerCame, WorkerWent
from lvsd.core.identity import check_id
from tests.unit.core.world import CONFINED, Bench, real, verdict, virtual

REALS = tuple(real(f"10.0.5.{number}") for number in range(1, 41))
WEB = virtual(*REALS)


def config(workers: int, *services: object, probes_per_host: int = 32) -> Config:
    found = services or (WEB,)
    return Config(found, (), Daemon(workers=workers, probes_per_host=probes_per_host))  # type: ignore[arg-type]  # the caller's


def hello(number: int) -> Hello:
    capabilities = CAP_NET_RAW if number == RAW_WORKER else 0
    return replace(CONFINED, pid=100 + number, capabilities=f"{capabilities:016x}", worker=number)


class Crew(Bench):
    """A director and so many workers, that are given checks and say what they found."""

    def __init__(self, workers: int, *services: object) -> None:
        self.given: dict[int, AssignChecks] = {}
        self.silent: set[int] = set()
        self.packets: dict[int, int] = {}
        super().__init__(config(workers, *services))
        self.come(*range(2, workers + 1))

    def _sign_of_life(self, event: Event) -> list[Event]:  # noqa: ARG002  they speak when told to
        return []

    def _carry_out(self, effect: Effect) -> list[object]:  # type: ignore[override]  # events
        if isinstance(effect, AssignChecks):
            self.given[effect.worker] = effect
        return super()._carry_out(effect)  # type: ignore[return-value]  # as above

    def come(self, *numbers: int) -> list[Effect]:
        effects: list[Effect] = []
        for number in numbers:
            self.packets[number] = 0
            effects += self.feed(WorkerCame(hello(number)))
        return effects

    def say(self, number: int, *verdicts: Verdict, packet: int | None = None) -> list[Effect]:
        self.packets[number] = packet if packet is not None else self.packets.get(number, 0) + 1
        return self.feed(VerdictsHeard(Verdicts(self.given[number].generation, verdicts, self.packets[number]), number))

    def pass_time(self, seconds: float) -> list[Effect]:
        effects: list[Effect] = []
        for _ in range(int(seconds)):
            self.now += 1.0
            for number, worker in self.director.workers.known.items():
                if worker.connected and number not in self.silent and number in self.given:
                    effects += self.say(number)
            effects += self.feed(Ticked())
        return effects

    def shares(self) -> dict[int, set[str]]:
        return {number: {one.id for one in given.checks} for number, given in self.given.items()}


def told(effects: list[Effect]) -> list[tuple[str, object]]:
    return [(one.event, one.fields.get("worker")) for one in effects if isinstance(one, Tell)]


def identities() -> set[str]:
    return {check_id(WEB, one) for one in REALS}


def test_each_check_has_one_worker_and_all_of_an_address_the_same() -> None:
    other = virtual(*(real(one.address, port=443) for one in REALS), port=443, name="https")
    crew = Crew(3, WEB, other)
    shares = crew.shares()
    assert sorted(name for share in shares.values() for name in share) == sorted(crew.director.checks)
    assert all(len(share) >= 14 for share in shares.values())
    hosts = [{crew.director.checks[name].real.address for name in share} for share in shares.values()]
    assert sum(map(len, hosts)) == 40


def test_a_worker_that_comes_back_gets_the_same_with_what_is_known_and_nobody_else_hears_of_it() -> None:
    crew = Crew(2)
    before = crew.given[2]
    name = before.checks[0].id
    crew.say(2, verdict(name, State.DOWN, crew.now))
    assert told(crew.feed(WorkerWent(2))) == [("worker_lost", "checker-2")]
    assert crew.director.verdicts[name].state is State.DOWN
    effects = crew.come(2)
    [given] = [one for one in effects if isinstance(one, AssignChecks)]
    assert [one.id for one in given.checks] == [one.id for one in before.checks]
    assert (given.checks[0].known, given.checks[0].since) == (State.DOWN, crew.director.verdicts[name].since)
    assert (given.checks[1].known, given.checks[1].since) == (State.UNKNOWN, None)
    assert given.generation > before.generation


def test_who_is_silent_loses_his_share_to_the_others_and_gets_it_back_when_he_speaks() -> None:
    crew = Crew(3)
    before = crew.shares()
    name = crew.given[2].checks[0].id
    crew.say(2, verdict(name, State.DOWN, crew.now))
    crew.silent = {2}
    assert crew.pass_time(6) == []
    effects = crew.pass_time(1)
    assert told(effects) == [("worker_silent", "checker-2")]
    assert crew.shares()[2] == set()
    assert crew.shares()[1] | crew.shares()[3] == identities()
    assert before[1] < crew.shares()[1]
    assert before[3] < crew.shares()[3]
    moved = next(one for number in (1, 3) for one in crew.given[number].checks if one.id == name)
    assert moved.known is State.DOWN
    crew.silent = set()
    effects = crew.pass_time(1)
    assert [one.worker for one in effects if isinstance(one, AssignChecks)] == [2, 1, 3]
    assert crew.shares() == before


def test_who_is_gone_for_long_is_not_waited_for() -> None:
    crew = Crew(2)
    crew.feed(WorkerWent(2))
    crew.pass_time(5)
    assert crew.shares()[1] != identities()
    crew.pass_time(2)
    assert crew.shares()[1] == identities()
    crew.come(2)
    assert crew.shares()[1] | crew.shares()[2] == identities()
    assert not crew.shares()[1] & crew.shares()[2]


class Slowly(Crew):
    """Others have their turn when they are told to."""

    waiting = 0

    def _carry_out(self, effect: Effect) -> list[object]:  # type: ignore[override]  # events
        if isinstance(effect, Yield):
            self.waiting += 1
            return []
        return super()._carry_out(effect)

    def is_dividing(self) -> bool:
        return self.director.workers.division is not None

    def turn(self) -> list[Effect]:
        self.waiting -= 1
        return self.feed(Resumed())

    def settle(self) -> None:
        while self.waiting:
            self.turn()


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Slowly:
    """Three workers, the second of them long silent; it takes a few turns to find out who is to have its checks."""
    crew = Slowly(3)
    crew.settle()
    monkeypatch.setattr(division, "PLACES_AT_ONCE", 20)
    crew.silent = {2}
    assert told(crew.pass_time(7)) == [("worker_silent", "checker-2")]
    return crew


def test_while_shares_are_worked_out_each_keeps_what_it_has(slowly: Slowly) -> None:
    before = slowly.shares()
    turns = 0
    name = slowly.given[3].checks[0].id
    while slowly.waiting:
        assert slowly.shares() == before
        assert slowly.director.workers.sharing == (1, 2, 3)
        slowly.say(3, verdict(name, State.DOWN, slowly.now))
        slowly.turn()
        turns += 1
    assert turns == 40 // (20 // 2) - 1
    assert slowly.director.verdicts[name].state is State.DOWN
    assert slowly.shares()[2] == set()
    assert slowly.shares()[1] | slowly.shares()[3] == identities()
    assert next(one for one in slowly.given[3].checks if one.id == name).known is State.DOWN


def test_who_speaks_before_its_checks_moved_keeps_them(slowly: Slowly) -> None:
    before = slowly.given[2]
    name = before.checks[0].id
    assert slowly.say(2, verdict(name, State.DOWN, slowly.now))
    assert slowly.director.verdicts[name].state is State.DOWN
    assert not slowly.is_dividing()
    slowly.settle()
    assert slowly.given[2] is before
    assert slowly.director.workers.sharing == (1, 2, 3)


def test_who_comes_back_before_its_checks_moved_gets_them_at_once(slowly: Slowly) -> None:
    before = slowly.given[2]
    slowly.feed(WorkerWent(2))
    slowly.come(2)
    assert slowly.given[2].generation > before.generation
    assert slowly.shares()[2] == {one.id for one in before.checks}
    assert not slowly.is_dividing()


def test_a_tick_takes_up_what_was_left_lying(slowly: Slowly) -> None:
    before = slowly.director.workers.division
    effects = slowly.pass_time(1)
    assert Yield() in effects
    assert told(effects) == []
    assert slowly.director.workers.division is before
    assert Yield() in slowly.turn()


def test_who_joins_may_speak_before_it_has_anything_and_may_go_again(slowly: Slowly) -> None:
    slowly.settle()
    before = slowly.shares()
    slowly.feed(WorkerWent(2))
    assert told(slowly.come(2)) == [("worker_connected", "checker-2")]
    for packet in range(1, 4):
        assert slowly.feed(VerdictsHeard(Verdicts(0, (), packet), 2)) == []
    assert slowly.director.workers.known[2].connected
    assert slowly.is_dividing()
    slowly.feed(WorkerWent(2))
    assert not slowly.is_dividing()
    slowly.settle()
    assert slowly.shares() == before
    assert slowly.director.workers.sharing == (1, 3)


def test_a_new_configuration_gives_everybody_its_checks_at_once(slowly: Slowly) -> None:
    fewer = virtual(*REALS[:30])
    slowly.feed(ConfigChanged(config(3, fewer)))
    assert not slowly.is_dividing()
    shares = slowly.shares()
    assert sorted(name for share in shares.values() for name in share) == sorted(
        check_id(fewer, one) for one in REALS[:30]
    )
    given = dict(slowly.given)
    slowly.settle()
    assert slowly.given == given


def test_the_last_one_keeps_what_it_has_however_silent() -> None:
    crew = Crew(2)
    crew.silent = {1, 2}
    crew.pass_time(20)
    assert crew.shares()[1] | crew.shares()[2] == identities()
    assert crew.director.workers.sharing == (1, 2)


def test_who_is_connected_and_mute_is_replaced_even_the_last_one_and_the_raw_one() -> None:
    crew = Crew(1, WEB, RAW)
    crew.come(RAW_WORKER)
    crew.pass_time(1)
    crew.silent = {1, RAW_WORKER}
    assert crew.pass_time(20) == []
    effects = crew.pass_time(1)
    assert [one for one in effects if isinstance(one, RestartWorker)] == [RestartWorker(1), RestartWorker(RAW_WORKER)]
    assert told(effects) == [("worker_mute", "checker"), ("worker_mute", "checker-raw")]
    crew.feed(WorkerWent(1))
    crew.feed(WorkerWent(RAW_WORKER))
    assert crew.pass_time(30) == []


def test_a_worker_from_before_an_upgrade_probes_until_another_is_there_and_is_replaced_once() -> None:
    crew = Crew(1)
    old = replace(CONFINED, protocol=PROTOCOL - 1)
    crew.feed(WorkerWent(1))
    effects = crew.feed(WorkerCame(old))
    assert told(effects) == [("worker_connected", "checker"), ("worker_outdated", "checker")]
    assert RestartWorker(1) in effects
    assert any(isinstance(one, AssignChecks) and one.worker == 1 for one in effects)
    crew.feed(WorkerWent(1))
    assert RestartWorker(1) not in crew.feed(WorkerCame(old))  # the program on the disk is no newer
    crew.feed(WorkerWent(1))
    assert told(crew.feed(WorkerCame(CONFINED))) == [("worker_connected", "checker")]


def test_a_director_that_did_not_run_itself_blames_nobody() -> None:
    crew = Crew(2)
    before = crew.shares()
    crew.now += 60.0
    crew.silent = {2}
    assert crew.pass_time(3) == []
    assert crew.shares() == before


def test_more_workers_join_as_they_come_and_surplus_ones_stay_until_their_checks_moved() -> None:
    crew = Crew(1)
    crew.feed(ConfigChanged(config(3)))
    assert crew.shares()[1] == identities()
    assert crew.director.workers.kept == 3
    crew.come(2)
    assert {1, 2} == crew.shares().keys()
    crew.come(3)
    three = crew.shares()
    assert set.union(*three.values()) == identities()
    crew.feed(ConfigChanged(config(2)))
    assert crew.shares()[3] == set()
    assert crew.director.workers.kept == 3
    crew.feed(Ticked())
    assert crew.director.workers.kept == 3  # nobody has said yet that it runs them
    crew.say(1)
    crew.say(2)
    crew.feed(Ticked())
    assert crew.director.workers.kept == 2
    assert told(crew.feed(WorkerWent(3))) == []
    assert [row.name for row in views.status(crew.director, crew.now).processes] == ["checker", "checker-2"]


def test_who_should_be_there_and_never_came_is_shown() -> None:
    bench = Bench(config(2, WEB, RAW))
    bench.now += 5.0
    rows = views.status(bench.director, bench.now).processes
    assert [(row.name, row.pid, row.connected, row.age) for row in rows] == [
        ("checker", 42, True, 5.0),
        ("checker-2", 0, False, 5.0),
        ("checker-raw", 0, False, 5.0),
    ]


def test_a_surplus_worker_is_not_kept_for_ever_by_one_that_never_comes() -> None:
    crew = Crew(3)
    crew.feed(WorkerWent(2))
    crew.feed(ConfigChanged(config(2)))
    crew.pass_time(3)
    assert crew.director.workers.kept == 3
    crew.pass_time(3)
    assert crew.director.workers.kept == 2


def test_a_worker_speaks_for_its_own_checks_alone() -> None:
    crew = Crew(2)
    own, foreign = crew.given[1].checks[0].id, crew.given[2].checks[0].id
    effects = crew.say(1, verdict(own, State.DOWN, crew.now), verdict(foreign, State.DOWN, crew.now))
    assert told(effects)[0] == ("worker_overstepped", "checker")
    assert crew.director.verdicts.keys() == {own}
    assert ("worker_overstepped", "checker") not in told(crew.say(1, verdict(foreign, State.DOWN, crew.now)))
    assert foreign not in crew.director.verdicts


def test_what_was_under_way_when_a_check_moved_is_passed_over_without_a_word() -> None:
    crew = Crew(2)
    earlier, moved = crew.given[1].generation, crew.given[1].checks[0].id
    crew.feed(WorkerWent(1))
    crew.pass_time(8)
    crew.come(1)
    late = Verdicts(earlier, (verdict(crew.given[2].checks[0].id, State.DOWN, crew.now),))
    assert told(crew.feed(VerdictsHeard(late, 1))) == []
    assert moved not in crew.director.verdicts


def test_a_gap_in_what_it_says_has_it_say_all() -> None:
    crew = Crew(1)
    name = crew.given[1].checks[0].id
    assert crew.say(1, packet=1) == []
    effects = crew.say(1, verdict(name, State.DOWN, crew.now), packet=3)
    assert AskAll(1) in effects
    assert crew.director.verdicts[name].state is State.DOWN
    assert crew.say(1, packet=4) == []
    crew.come(1)
    assert crew.say(1, packet=1) == []


def test_a_flood_is_cut_and_its_worker_replaced_while_a_storm_of_failures_is_heard() -> None:
    crew = Crew(2)
    name = crew.given[1].checks[0].id
    packet = (verdict(name, State.UP, 0.0),) * CHECKS_A_PACKET
    for one in crew.given[2].checks:  # all of them fail at once, each told alone, more than once
        for state in (State.DOWN, State.UP, State.DOWN):
            crew.say(2, verdict(one.id, state, crew.now))
    assert all(crew.director.verdicts[one.id].state is State.DOWN for one in crew.given[2].checks)
    effects: list[Effect] = []
    count = 0
    while RestartWorker(1) not in effects and count < 200:
        effects = crew.say(1, *packet)
        count += 1
    assert 10 < count < 100
    assert told(effects) == [("worker_flooding", "checker")]
    assert crew.say(1, verdict(name, State.DOWN, crew.now)) == []
    assert crew.director.verdicts[name].state is State.UP
    assert crew.director.workers.known[2].connected
    crew.come(1)
    crew.say(1, verdict(name, State.DOWN, crew.now))
    assert crew.director.verdicts[name].state is State.DOWN


def test_all_levels_every_second_for_long_are_no_flood() -> None:
    crew = Crew(1)
    names = [one.id for one in crew.given[1].checks]
    for _ in range(500):
        crew.now += 1.0
        effects = crew.say(1, *(verdict(name, State.UP, crew.now) for name in names))
        assert not any(isinstance(one, RestartWorker) for one in effects)


RAW = virtual(
    real("10.0.1.1", check=Check(SynCheck())),
    real("10.0.1.2", check=Check(TcpCheck(), dial=Dial(mark=7))),
    real("10.0.1.3"),
    port=25,
    name="raw",
)


def test_checks_that_need_it_go_to_the_raw_worker_and_no_others() -> None:
    crew = Crew(2, WEB, RAW)
    assert crew.director.workers.raw
    assert not crew.given.get(RAW_WORKER)
    crew.come(RAW_WORKER)
    names = {check_id(RAW, one) for one in RAW.real_servers[:2]}
    assert crew.shares()[RAW_WORKER] == names
    assert not names & (crew.shares()[1] | crew.shares()[2])
    crew.say(1, verdict(check_id(RAW, RAW.real_servers[0]), State.DOWN, crew.now))
    assert not crew.director.verdicts
    crew.say(RAW_WORKER, verdict(check_id(RAW, RAW.real_servers[0]), State.DOWN, crew.now))
    assert len(crew.director.verdicts) == 1
    rows = views.status(crew.director, crew.now).processes
    assert [(row.name, row.probes) for row in rows if row.name == "checker-raw"] == [("checker-raw", 2)]
    crew.silent = {RAW_WORKER}
    crew.pass_time(20)
    assert crew.shares()[RAW_WORKER] == names
    crew.feed(ConfigChanged(config(2)))
    assert crew.director.workers.wanted == 2
    assert crew.shares()[RAW_WORKER] == set()


def test_without_a_check_that_needs_it_there_is_no_raw_worker() -> None:
    assert not Crew(1).director.workers.raw
    assert needs_raw(Check(SynCheck()))
    assert not needs_raw(Check(TcpCheck(), dial=Dial(source="192.0.2.1", proxy_protocol=2)))


@pytest.mark.parametrize(
    ("check", "reals", "cores", "workers"),
    [
        (Check(TcpCheck(), Timing(interval=1.0)), 40, 64, 1),
        (Check(TcpCheck(), Timing(interval=0.002)), 40, 64, 2),
        (Check(TcpCheck(), Timing(interval=1.0, fast_interval=0.002)), 40, 64, 2),
        (Check(HttpCheck(tls=Tls()), Timing(interval=0.02)), 40, 64, 3),
        (Check(ExternalCheck(("/bin/true",)), Timing(interval=0.1)), 40, 64, 4),
        (Check(ExternalCheck(("/bin/true",)), Timing(interval=0.1)), 40, 2, 2),
    ],
)
def test_as_many_as_the_probes_keep_busy_and_the_machine_has_cores(
    check: Check, reals: int, cores: int, workers: int
) -> None:
    servers: tuple[RealServer, ...] = tuple(real(f"10.0.0.{number}", check=check) for number in range(reals))
    found = config(0, virtual(*servers))
    assert workers_wanted(found, configured_checks(found), cores) == (workers, False)
    asked = config(5, virtual(*servers))
    assert workers_wanted(asked, configured_checks(asked), cores) == (5, False)


def test_the_machine_has_as_many_cores_as_the_director_is_told() -> None:
    busy = Check(TcpCheck(), Timing(interval=0.002))
    bench = Bench(config(0, virtual(*(real(one.address, check=busy) for one in REALS))))
    assert bench.director.workers.wanted == 1
    bench.feed(Started(bench.director.config, frozenset(), {}, cores=8))
    assert bench.director.workers.wanted == 2


def test_the_cap_travels_with_the_checks() -> None:
    bench = Bench(config(1, probes_per_host=5))
    [given] = [one for one in bench.greet() if isinstance(one, AssignChecks)]
    assert given.probes_per_host == 5


def test_who_is_hurried_hears_of_it_in_packets_of_a_bounded_size() -> None:
    crew = Crew(2)
    found = dict(hurried(crew.director, [*identities(), "unknown"]))
    assert {number: set(names) for number, names in found.items()} == crew.shares()
    many = Crew(1, virtual(*(real(f"10.0.{number // 200}.{number % 200 + 1}") for number in range(300))))
    parts = list(hurried(many.director, many.director.checks))
    assert max(len(names) for _, names in parts) == 64
    assert sum(len(names) for _, names in parts) == 300


def test_orders_to_the_supervisor_come_back_and_nonsense_says_nothing() -> None:
    assert crew.read_orders(crew.orders(3, raw=True, restarts=(2,))) == crew.Orders((1, 2, 3, 0), (2,))
    assert crew.read_orders(crew.orders(1, raw=False)) == crew.Orders((1,), ())
    assert crew.read_orders(b"READY\nALIVE\nWORKERS 1 2\nWORKERS 1 2 3\nWORKERS 1").workers == (1, 2, 3)
    for words in (b"", b"WORKERS", b"WORKERS\n", b"WORKERS 0\n", b"WORKERS 2 3\n", b"WORKERS 1", b"\xff\n", b" \n"):
        assert crew.read_orders(words) == crew.Orders()
    assert crew.read_orders(b"WORKERS 1 999 65 -1 x 64\n").workers == (1, 64)
    assert crew.read_orders(b"RESTART 99\nRESTART x\nRESTART\n") == crew.Orders()
    assert crew.RAW == RAW_WORKER
    assert crew.read_orders(crew.orders(999, raw=True)).workers == (*range(1, 65), 0)
    assert len(crew.orders(64, raw=True, restarts=range(65))) < 4096


def test_who_probes_an_address_does_not_depend_on_how_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(500)]
    placed = {one: assignment.chosen(one, (1, 2, 3)) for one in addresses}
    assert {*placed.values()} == {1, 2, 3}
    monkeypatch.setattr(assignment, "ADDRESSES_KEPT", 7)
    assert {one: assignment.chosen(one, (1, 2, 3)) for one in reversed(addresses)} == placed
    assert {one: assignment.chosen(one, (3, 2, 1)) for one in addresses} == placed
    assert len(assignment._chosen_before((3, 2, 1))) <= 7
