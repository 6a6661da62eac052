"""Whatever the checks say, in whatever order, through reloads and crashes: who serves, and what was run."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkers.core.messages import State
from config.checks import Check, NoCheck
from config.model import VirtualService
from config.words import OnFailure
from lvsd.core.effects import Apply, RunCommand
from lvsd.core.events import ConfigChanged, MaintenanceSeen, TableSuspected, WorkerWent
from lvsd.core.identity import service_key
from lvsd.core.reconcile import applied
from netlink.table import Table
from tests.unit.core.world import Bench, config, real, virtual

REALS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
SPARE = "10.0.0.99"
UP, DOWN = State.UP, State.DOWN

heard = st.tuples(st.sampled_from(REALS), st.sampled_from([UP, DOWN]))
taken = st.frozensets(st.sampled_from(REALS), max_size=2)
moves = st.lists(
    st.one_of(heard, heard, heard, taken, st.sampled_from(["restart", "reload", "flush", "worker went"])), max_size=25
)


@st.composite
def services(draw: st.DrawFn, *, fallback: bool = True) -> VirtualService:
    weights = draw(st.lists(st.integers(1, 3), min_size=3, max_size=3))
    quorum = draw(st.integers(1, sum(weights)))
    hysteresis = draw(st.integers(0, min(quorum - 1, sum(weights) - quorum)))
    servers = tuple(
        replace(real(address, weight), on_up=("/bin/true", address), on_down=("/bin/true", address))
        for address, weight in zip(REALS, weights, strict=True)
    )
    waits = draw(st.sampled_from([None, OnFailure.QUIESCE]))
    spare = (replace(real(SPARE, check=Check(NoCheck())), on_failure=waits),) if fallback else ()
    scheduler, flags = draw(st.sampled_from([("wrr", 0), ("sh", 0), ("sh", 0x8)]))
    service = virtual(
        *servers,
        scheduler=scheduler,
        flags=flags,
        on_failure=draw(st.sampled_from(list(OnFailure))),
        fallback=spare,
    )
    hooks = {"on_quorum_up": ("/bin/true", "quorum"), "on_quorum_down": ("/bin/true", "quorum")}
    return replace(service, quorum=quorum, hysteresis=hysteresis, **hooks)


@dataclass
class Told:
    """What an outsider knows: the last word on each real server, and who is in maintenance."""

    said: dict[str, State]
    maintenance: frozenset[str] = frozenset()

    def up(self, address: str) -> bool:
        return self.said.get(address) is UP and address not in self.maintenance

    def decided(self) -> bool:
        return all(address in self.said or address in self.maintenance for address in REALS)


def moved(bench: Bench, told: Told, move: object) -> Bench:
    """One move. After a crash the worker tells again what it knows, and the maintenance directory is read again."""
    if isinstance(move, tuple):
        told.said[move[0]] = move[1]
        bench.hear({move[0]: move[1]})
    elif isinstance(move, frozenset):
        told.maintenance = move
        bench.feed(MaintenanceSeen(move))
    elif move == "restart":
        bench = bench.restarted()
        bench.effects = [*bench.effects, *bench.feed(MaintenanceSeen(told.maintenance)), *bench.hear(told.said)]
    elif move == "reload":
        bench.feed(ConfigChanged(bench.director.config))
    elif move == "flush":
        bench.kernel = {}
        bench.feed(TableSuspected())
    else:  # and the next one comes: who is not connected is not heard
        bench.effects = [*bench.feed(WorkerWent()), *bench.greet()]
    return bench


def served_by(bench: Bench, service: VirtualService) -> frozenset[str]:
    return frozenset(address for address, weight in bench.weights(service).items() if weight)


@given(services(), moves)
def test_at_rest_either_the_real_servers_serve_or_the_fallback_does(
    service: VirtualService, script: list[object]
) -> None:
    bench, told = Bench(config(service)), Told({})
    for move in script:
        bench = moved(bench, told, move)
        serving = served_by(bench, service)
        healthy = {address for address in REALS if told.up(address)}
        assert not (SPARE in serving and serving & set(REALS))
        if told.decided():
            assert serving  # the fallback is always able
            assert serving in ({SPARE}, healthy)


@given(services(), moves)
def test_the_thresholds_hold_and_between_them_nothing_moves(service: VirtualService, script: list[object]) -> None:
    weights = {one.address: one.weight for one in service.real_servers}
    bench, told = Bench(config(service)), Told({})
    before: bool | None = None
    for move in script:
        bench = moved(bench, told, move)
        if not told.decided():
            continue
        weight = sum(weights[address] for address in REALS if told.up(address))
        gained = SPARE not in served_by(bench, service)
        if weight >= service.quorum + service.hysteresis:
            assert gained
        elif weight == 0 or weight < service.quorum - service.hysteresis:
            assert not gained
        elif before is not None:
            assert gained is before
        before = gained


@given(services(fallback=False), moves)
def test_without_fallback_every_healthy_server_serves_and_no_other(
    service: VirtualService, script: list[object]
) -> None:
    bench, told = Bench(config(service)), Told({})
    for move in script:
        bench = moved(bench, told, move)
        assert served_by(bench, service) == {address for address in REALS if told.up(address)}


@given(services(), moves)
def test_what_serves_before_and_after_serves_at_every_step(service: VirtualService, script: list[object]) -> None:
    bench, told = Bench(config(service)), Told({})
    key = service_key(service.virtual)

    def serves(table: Table) -> bool:
        return key in table and any(one.weight for one in table[key].destinations.values())

    for move in script:
        table = {} if move == "flush" else bench.kernel
        bench = moved(bench, told, move)
        if move == "restart" or not (serves(table) and serves(bench.kernel)):
            continue
        for effect in bench.effects:
            for operation in effect.operations if isinstance(effect, Apply) else ():
                table = applied(table, (operation,))
                assert serves(table), operation


@given(services(), moves)
def test_every_transition_runs_its_command_once_and_nothing_else_runs(
    service: VirtualService, script: list[object]
) -> None:
    bench, told = Bench(config(service)), Told({})
    last: dict[str, str] = {}
    for move in script:
        if move == "restart" and not told.decided():
            continue  # what a predecessor thought of servers it knew nothing of, nobody can tell
        bench = moved(bench, told, move)
        ran = [effect for effect in bench.effects if isinstance(effect, RunCommand)]
        assert not ran or move not in ("restart", "reload", "flush", "worker went")
        for effect in ran:
            name, state = effect.argv[1], effect.environment["LVSD_STATE"]
            assert last.get(name) != state  # up follows down, and down up
            assert name == "quorum" or told.up(name) is (state == "up")
            last[name] = state
    for address in told.said:
        assert last.get(address, "up") == ("up" if told.up(address) else "down")
