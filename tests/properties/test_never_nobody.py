"""Every rule of a service at once: while anybody is well somebody serves, at each step of each plan, whatever happens;
and nothing that a reload, a restart or a flush does is seen in who serves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkers.core.messages import State, Verdicts
from config.checks import Check, NoCheck, TcpCheck, Timing
from config.model import VirtualService
from config.pool_rules import Amount, CorrelatedFailure, Floor, FloorAction, HoldDown, PoolRules
from config.words import OnFailure
from lvsd.core.effects import Apply
from lvsd.core.events import ConfigChanged, MaintenanceSeen, TableSuspected, Ticked, VerdictsHeard
from lvsd.core.identity import check_id, service_key
from lvsd.core.reconcile import applied
from netlink.table import Table
from tests.unit.core.world import Bench, config, real, verdict, virtual

REALS = tuple(f"10.0.0.{number}" for number in range(1, 6))
SPARES = ("10.0.0.98", "10.0.0.99")
UP, DOWN = State.UP, State.DOWN
AT_ONCE = Check(TcpCheck(), Timing(fall=1))
NO = Check(NoCheck())

Move = dict[str, State] | frozenset[str] | float | str

known = (*REALS, *SPARES)
amounts = st.one_of(st.builds(Amount, st.integers(1, 5)), st.builds(Amount, st.integers(1, 100), st.just(value=True)))
open_floors = st.sampled_from([FloorAction.KEEP, FloorAction.FAIL_OPEN, FloorAction.SORRY])
rules = st.builds(
    PoolRules,
    st.none() | st.builds(Floor, amounts, open_floors, st.none() | amounts),
    st.none() | st.builds(CorrelatedFailure, st.sampled_from([50, 100])),
    st.sampled_from([0.0, 5.0]),
    st.none() | st.just(HoldDown(4.0, 40.0, 30.0)),
    group_minimum=amounts,
)
states = st.dictionaries(st.sampled_from(known), st.sampled_from([UP, DOWN]), min_size=1)
moves = st.lists(
    st.one_of(
        states,
        states,
        st.dictionaries(st.sampled_from(REALS), st.just(DOWN), min_size=3),
        st.frozensets(st.sampled_from(known), max_size=3),
        st.sampled_from([1.0, 6.0, 60.0]),
        st.sampled_from(["reload", "flush"]),
    ),
    max_size=15,
)


@st.composite
def services(draw: st.DrawFn) -> VirtualService:
    reals = (
        replace(real(one, draw(st.integers(1, 3)), check=AT_ONCE), priority_group=draw(st.integers(1, 2)))
        for one in REALS
    )
    checks = draw(st.sampled_from([(), (NO,), (AT_ONCE, AT_ONCE), (AT_ONCE, NO)]))
    spares = tuple(real(one, check=check) for one, check in zip(SPARES, checks, strict=False))
    scheduler, flags = draw(st.sampled_from([("wrr", 0), ("sh", 0), ("sh", 0x8)]))
    service = virtual(*reals, scheduler=scheduler, flags=flags, fallback=spares)
    quorum = draw(st.integers(1, 5))
    return replace(
        service,
        rules=draw(rules),
        quorum=quorum,
        hysteresis=draw(st.integers(0, quorum - 1)),
        on_failure=draw(st.sampled_from(OnFailure)),
    )


@dataclass
class World:
    """A director that has heard of everybody, and what an outsider knows."""

    service: VirtualService
    bench: Bench = field(init=False)
    said: dict[str, State] = field(default_factory=lambda: dict.fromkeys(known, UP))
    since: dict[str, float] = field(default_factory=dict)
    maintenance: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.bench = Bench(config(self.service))
        self.tell(self.said)

    def tell(self, states: dict[str, State]) -> None:
        """As a worker reports it: since when it is so, too."""
        for address, state in states.items():
            if self.said[address] is not state or address not in self.since:
                self.since[address] = self.bench.now
        self.said |= states
        (service,) = self.bench.director.config.services
        heard = tuple(
            replace(verdict(check_id(service, one), states[one.address], self.bench.now), since=self.since[one.address])
            for one in (*service.real_servers, *service.fallback)
            if one.address in states
        )
        self.bench.feed(VerdictsHeard(Verdicts(self.bench.director.generation, heard)))

    def move(self, move: Move) -> None:
        match move:
            case dict():
                self.bench.now += 1
                self.tell(move)
            case frozenset():
                self.bench.now += 1
                self.maintenance = move
                self.bench.feed(MaintenanceSeen(move))
            case float():
                self.bench.now += move
                self.bench.feed(Ticked())
            case "reload":
                self.bench.feed(ConfigChanged(self.bench.director.config))
            case _:
                self.bench.kernel = {}
                self.bench.feed(TableSuspected())

    @property
    def weights(self) -> dict[str, int]:
        """Who serves, with what weight: a weight of 0 is there or not by what was before."""
        return {address: weight for address, weight in self.bench.weights(self.service).items() if weight}

    @property
    def serving(self) -> set[str]:
        return set(self.weights)

    @property
    def well(self) -> set[str]:
        return {one for one in REALS if self.said[one] is UP} - self.maintenance


def steps(table: Table, world: World) -> list[Table]:
    """The tables that the kernel had from then on, one for each operation."""
    tables = [table]
    for effect in world.bench.effects:
        for operation in effect.operations if isinstance(effect, Apply) else ():
            tables.append(applied(tables[-1], (operation,)))
    return tables


def serves(table: Table, service: VirtualService) -> bool:
    entry = table.get(service_key(service.virtual))
    return entry is not None and any(one.weight for one in entry.destinations.values())


@given(services(), moves)
def test_somebody_serves_while_anybody_is_well_and_the_fallback_never_beside_others(
    service: VirtualService, script: list[Move]
) -> None:
    world = World(service)
    for move in script:
        world.move(move)
        assert world.serving or not world.well
        assert not (world.serving & set(REALS) and world.serving & set(SPARES))


@given(services(), moves)
def test_at_no_step_of_a_plan_is_nobody_there(service: VirtualService, script: list[Move]) -> None:
    world = World(service)
    for move in script:
        before = world.bench.kernel
        world.move(move)
        if move != "flush" and serves(before, service) and serves(world.bench.kernel, service):
            assert all(serves(table, service) for table in steps(before, world))


@given(services(), moves)
def test_a_reload_of_the_same_and_a_flushed_table_change_nobodys_weight(
    service: VirtualService, script: list[Move]
) -> None:
    """But that a flushed table does not tell any more which group serves beside one in its slow start."""
    world = World(service)
    for move in script:
        before = world.weights
        world.move(move)
        if move == "reload" or (move == "flush" and not service.rules.slow_start):
            assert world.weights == before
