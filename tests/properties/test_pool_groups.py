"""Priority groups, whatever happens: who serves is who should, seen from outside, with a floor beside them or not."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkers.core.messages import State
from config.model import VirtualService
from config.pool_rules import Amount, Floor, PoolRules
from lvsd.core.effects import Apply
from lvsd.core.events import ConfigChanged, MaintenanceSeen, TableSuspected
from lvsd.core.identity import service_key
from lvsd.core.reconcile import applied
from tests.unit.core.world import Bench, config, real, virtual

REALS = tuple(f"10.0.0.{number}" for number in range(1, 7))
UP, DOWN = State.UP, State.DOWN

Move = tuple[str, State] | frozenset[str] | str

amounts = st.one_of(st.builds(Amount, st.integers(1, 4)), st.builds(Amount, st.integers(1, 100), st.just(value=True)))
floors = st.none() | st.builds(Floor, amounts)
numbers = st.lists(st.integers(1, 3), min_size=6, max_size=6)
heard = st.tuples(st.sampled_from(REALS), st.sampled_from([UP, DOWN]))
taken = st.frozensets(st.sampled_from(REALS), max_size=3)
moves = st.lists(st.one_of(heard, heard, heard, taken, st.sampled_from(["restart", "reload", "flush"])), max_size=25)


@st.composite
def services(draw: st.DrawFn, *, floor: bool) -> VirtualService:
    reals = (replace(real(one), priority_group=group) for one, group in zip(REALS, draw(numbers), strict=True))
    rules = PoolRules(floor=draw(floors) if floor else None, group_minimum=draw(amounts))
    return replace(virtual(*reals), rules=rules)


@dataclass
class World:
    """A director that has heard of all its real servers, and what an outsider knows."""

    service: VirtualService
    bench: Bench = field(init=False)
    said: dict[str, State] = field(default_factory=lambda: dict.fromkeys(REALS, UP))
    maintenance: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.bench = Bench(config(self.service))
        self.bench.hear(self.said)

    def move(self, move: Move) -> None:
        self.bench.now += 1
        match move:
            case (address, state):
                self.said[address] = state
                self.bench.hear({address: state})
            case frozenset():
                self.maintenance = move
                self.bench.feed(MaintenanceSeen(move))
            case "restart":
                self.bench = self.bench.restarted()
                self.bench.feed(MaintenanceSeen(self.maintenance))
                self.bench.hear(self.said)
            case "reload":
                self.bench.feed(ConfigChanged(self.bench.director.config))
            case _:
                self.bench.kernel = {}
                self.bench.feed(TableSuspected())

    @property
    def pooled(self) -> set[str]:
        return {address for address, weight in self.bench.weights(self.service).items() if weight}

    @property
    def well(self) -> set[str]:
        return {one for one in REALS if self.said[one] is UP} - self.maintenance

    def called(self) -> set[str]:
        """Whose turn it is: group after group until enough of them are well."""
        called: set[str] = set()
        for group in sorted({one.priority_group for one in self.service.real_servers}):
            if called and len(called & self.well) >= self.service.rules.group_minimum.of(len(called)):
                break
            called |= {one.address for one in self.service.real_servers if one.priority_group == group}
        return called


@given(services(floor=False), moves)
def test_who_is_well_and_called_serves_and_nobody_else(service: VirtualService, script: list[Move]) -> None:
    world = World(service)
    for move in script:
        world.move(move)
        assert world.pooled == world.well & world.called()


@given(services(floor=True), moves)
def test_with_a_floor_who_is_kept_serves_only_in_groups_that_are_called(
    service: VirtualService, script: list[Move]
) -> None:
    world = World(service)
    for move in script:
        world.move(move)
        assert world.well & world.called() <= world.pooled <= world.called() - world.maintenance
        assert world.pooled or not world.well


@given(services(floor=True), moves)
def test_who_is_well_and_stands_by_is_never_taken_out_of_the_table(service: VirtualService, script: list[Move]) -> None:
    world = World(service)
    for move in script:
        world.move(move)
        assert world.well <= set(world.bench.weights(service))


@given(services(floor=True), moves)
def test_at_no_step_of_a_plan_is_nobody_there(service: VirtualService, script: list[Move]) -> None:
    world = World(service)
    key = service_key(service.virtual)
    for move in script:
        table, before = world.bench.kernel, world.pooled
        world.move(move)
        if move in ("restart", "flush") or not before or not world.pooled:
            continue
        for effect in world.bench.effects:
            for operation in effect.operations if isinstance(effect, Apply) else ():
                table = applied(table, (operation,))
                assert any(one.weight for one in table[key].destinations.values()), operation
