"""The floor's invariants, as PyBal states them for its depool threshold (pybal/coordinator.py), and PyBal beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkers.core.messages import State
from config.model import VirtualService
from config.pool_rules import Amount, Floor, FloorAction, PoolRules
from lvsd.core.events import ConfigChanged, MaintenanceSeen, OverridesSet, TableSuspected
from lvsd.core.overrides import Asked, Refused, decided
from lvsd.core.pool_state import OverrideKind
from tests.unit.core.world import Bench, config, real, virtual

REALS = tuple(f"10.0.0.{number}" for number in range(1, 7))
UP, DOWN = State.UP, State.DOWN
SAID = (OverrideKind.DRAIN, OverrideKind.DISABLE, OverrideKind.WEIGHT)

Move = tuple[str, State] | dict[str, State] | frozenset[str] | str

amounts = st.one_of(st.builds(Amount, st.integers(1, 6)), st.builds(Amount, st.integers(1, 100), st.just(value=True)))
heard = st.tuples(st.sampled_from(REALS), st.sampled_from([UP, DOWN]))
several = st.dictionaries(st.sampled_from(REALS), st.sampled_from([UP, DOWN]), min_size=1)
taken = st.frozensets(st.sampled_from(REALS), max_size=3)
moves = st.lists(
    st.one_of(heard, heard, heard, several, taken, st.sampled_from(["restart", "reload", "flush"])), max_size=30
)


def of_six(floor: Floor) -> VirtualService:
    return replace(virtual(*map(real, REALS)), rules=PoolRules(floor))


@dataclass
class World:
    """A director, and what an outsider knows."""

    service: VirtualService
    bench: Bench = field(init=False)
    said: dict[str, State] = field(default_factory=dict)
    maintenance: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.bench = Bench(config(self.service))
        self.hear(dict.fromkeys(REALS, UP))

    def hear(self, states: dict[str, State]) -> None:
        self.bench.now += 1
        self.said |= states
        self.bench.hear(states)

    def move(self, move: Move) -> None:
        match move:
            case (address, state):
                self.hear({address: state})
            case dict():
                self.hear(move)
            case frozenset():
                self.maintenance = move
                self.bench.feed(MaintenanceSeen(move))
            case "restart":
                self.bench = self.bench.restarted()
                self.bench.feed(MaintenanceSeen(self.maintenance))
                self.hear(self.said)
            case "reload":
                self.bench.feed(ConfigChanged(self.bench.director.config))
            case _:
                self.bench.kernel = {}
                self.bench.feed(TableSuspected())

    @property
    def pooled(self) -> set[str]:
        return {address for address, weight in self.bench.weights(self.service).items() if weight}

    @property
    def enabled(self) -> set[str]:
        return set(REALS) - self.maintenance

    @property
    def up(self) -> set[str]:
        return {one for one in REALS if self.said[one] is UP}

    @property
    def can_depool(self) -> bool:
        rule = self.service.rules.floor
        assert rule is not None
        return len(self.up & self.enabled) >= rule.minimum.of(len(REALS))


@given(amounts, moves)
def test_p0_who_is_in_the_pool_is_enabled(minimum: Amount, script: list[Move]) -> None:
    world = World(of_six(Floor(minimum)))
    for move in script:
        world.move(move)
        assert world.pooled <= world.enabled


@given(amounts, moves)
def test_p1_who_is_up_is_in_the_pool_or_disabled(minimum: Amount, script: list[Move]) -> None:
    world = World(of_six(Floor(minimum)))
    for move in script:
        world.move(move)
        assert world.up & world.enabled <= world.pooled


@given(amounts, moves)
def test_p2_who_is_in_the_pool_is_up_or_too_few_would_be_left(minimum: Amount, script: list[Move]) -> None:
    world = World(of_six(Floor(minimum)))
    for move in script:
        world.move(move)
        assert world.pooled <= world.up or not world.can_depool


@given(amounts, moves)
def test_the_pool_never_falls_below_the_floor_while_people_leave_enough(minimum: Amount, script: list[Move]) -> None:
    world = World(of_six(Floor(minimum)))
    for move in script:
        world.move(move)
        assert len(world.pooled) >= min(minimum.of(len(REALS)), len(world.enabled))


@given(amounts, st.integers(0, 6), moves)
def test_fail_open_is_all_or_the_healthy_and_has_two_marks(minimum: Amount, above: int, script: list[Move]) -> None:
    low = minimum.of(len(REALS))
    high = min(low + above, 6)
    world = World(of_six(Floor(minimum, FloorAction.FAIL_OPEN, Amount(max(high, 1)))))
    for move in script:
        before = world.pooled == world.enabled
        world.move(move)
        healthy = world.up & world.enabled
        assert world.pooled in (healthy, world.enabled)
        if len(healthy) < low:
            assert world.pooled == world.enabled
        elif len(healthy) >= max(low, high) or (isinstance(move, tuple) and not before):
            assert world.pooled == healthy


asks = st.tuples(st.sampled_from(REALS), st.sampled_from([*SAID, None]))


@given(amounts, st.lists(st.one_of(heard, asks), max_size=25))
def test_no_unforced_word_of_a_person_takes_away_what_the_floor_needs(
    minimum: Amount, script: list[tuple[str, State] | tuple[str, OverrideKind | None]]
) -> None:
    world = World(of_six(Floor(minimum)))
    for address, what in script:
        if isinstance(what, State):
            world.hear({address: what})
            continue
        before = len(world.pooled & world.up)
        changes = decided(world.bench.director, Asked(address, what, 0), world.bench.now)
        if not isinstance(changes, Refused):
            world.bench.feed(OverridesSet(changes))
            assert len(world.pooled & world.up) >= min(before, minimum.of(len(REALS)))


@dataclass
class PyBal:
    """Its coordinator, from its documentation: one result at a time, `pooledDownServers`, `canDepool`."""

    minimum: int
    up: set[str] = field(default_factory=lambda: set(REALS))
    pool: set[str] = field(default_factory=lambda: set(REALS))
    pooled_down: set[str] = field(default_factory=set)

    def result(self, server: str, state: State) -> None:
        if state is UP:
            self.up.add(server)
            self.pool.add(server)
            self.pooled_down.discard(server)
            while self.pooled_down and len(self.up) >= self.minimum:
                self.pool.discard(self.pooled_down.pop())
            return
        was_up = server in self.up
        self.up.discard(server)
        if was_up and len(self.up) >= self.minimum:
            self.pool.discard(server)
        elif was_up:
            self.pooled_down.add(server)


@given(amounts, st.lists(st.one_of(heard, heard, st.sampled_from(["reload"])), max_size=40))
def test_one_result_at_a_time_the_pool_is_pybals(minimum: Amount, script: list[Move]) -> None:
    world, pybal = World(of_six(Floor(minimum))), PyBal(minimum.of(len(REALS)))
    for move in script:
        world.move(move)
        if isinstance(move, tuple):
            pybal.result(*move)
        assert world.pooled == pybal.pool
