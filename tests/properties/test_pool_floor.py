"""PyBal's invariants on every path by which real servers leave: checks, people, maintenance, reloads with another list,
first checks of a new list, restarts, a flushed table. The outage of 2015 came from a path that did not apply the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkers.core.messages import State
from config.model import VirtualService
from config.pool_rules import Amount, Floor, PoolRules
from lvsd.core.events import ConfigChanged, MaintenanceSeen, OverridesSet, TableSuspected
from lvsd.core.identity import real_id
from lvsd.core.pool_state import Override, OverrideKind
from tests.unit.core.world import Bench, config, real, virtual

REALS = tuple(f"10.0.0.{number}" for number in range(1, 8))
UP, DOWN = State.UP, State.DOWN
OUT = (OverrideKind.DRAIN, OverrideKind.DRAINED, OverrideKind.DISABLE, OverrideKind.AWAIT)


@dataclass(frozen=True)
class Heard:
    states: dict[str, State]


@dataclass(frozen=True)
class Listed:
    """Another list of real servers; what the first checks of those that are new find."""

    addresses: frozenset[str]
    first: State


@dataclass(frozen=True)
class Said:
    address: str
    kind: OverrideKind | None


@dataclass(frozen=True)
class Taken:
    addresses: frozenset[str]


Move = Heard | Listed | Said | Taken | str

amounts = st.one_of(st.builds(Amount, st.integers(1, 6)), st.builds(Amount, st.integers(1, 100), st.just(value=True)))
one = st.sampled_from(REALS)
states = st.sampled_from([UP, DOWN])
moves = st.lists(
    st.one_of(
        st.builds(Heard, st.dictionaries(one, states, min_size=1, max_size=7)),
        st.builds(Heard, st.dictionaries(one, st.just(DOWN), min_size=1, max_size=7)),
        st.builds(Listed, st.frozensets(one, min_size=1), states),
        st.builds(Said, one, st.sampled_from([*OUT, None])),
        st.builds(Taken, st.frozensets(one, max_size=3)),
        st.sampled_from(["restart", "reload", "flush"]),
    ),
    max_size=20,
)


@dataclass
class World:
    """A director, and what an outsider knows."""

    floor: Floor
    listed: frozenset[str] = frozenset(REALS[:5])
    bench: Bench = field(init=False)
    said: dict[str, State] = field(default_factory=lambda: dict.fromkeys(REALS[:5], UP))
    words: dict[str, OverrideKind] = field(default_factory=dict)
    maintenance: frozenset[str] = frozenset()
    sizes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bench = Bench(config(self.service))
        self.bench.hear(self.said)

    @property
    def service(self) -> VirtualService:
        return replace(virtual(*map(real, sorted(self.listed))), rules=PoolRules(self.floor))

    def move(self, move: Move) -> None:
        self.bench.now += 1
        match move:
            case Heard(states):
                self.hear({address: state for address, state in states.items() if address in self.listed})
            case Listed(addresses, first):
                fresh = dict.fromkeys(sorted(addresses - self.listed), first)
                self.said = {one: state for one, state in self.said.items() if one in addresses}
                self.words = {one: kind for one, kind in self.words.items() if one in addresses}
                self.listed = addresses
                self.sizes = []
                self.bench.feed(ConfigChanged(config(self.service)))
                for address, state in fresh.items():  # one by one, as they come in
                    self.hear({address: state})
            case Said(address, kind) if address in self.listed:
                self.words.pop(address, None)
                self.words.update({} if kind is None else {address: kind})
                name = real_id(self.service, real(address))
                # AWAIT is the configuration's, which does not ask for it here: a person's word stands for it
                word = OverrideKind.DISABLE if kind is OverrideKind.AWAIT else kind
                self.bench.feed(OverridesSet({name: None if word is None else Override(word, since=self.bench.now)}))
            case Taken(addresses):
                self.maintenance = addresses
                self.bench.feed(MaintenanceSeen(addresses))
            case "restart":
                self.restart()
            case "reload":
                self.bench.feed(ConfigChanged(self.bench.director.config))
            case "flush":
                self.bench.kernel = {}
                self.bench.feed(TableSuspected())
            case _:
                pass  # of somebody who is not listed nothing can be said

    def hear(self, states: dict[str, State]) -> None:
        self.said |= states
        self.bench.hear(states)
        self.sizes.append(len(self.pooled & self.listed))

    def restart(self) -> None:
        """What people said is known before anything is heard, which comes one by one, as a new worker finds it."""
        words = dict(self.bench.director.overrides)
        self.bench = self.bench.restarted()
        self.bench.feed(OverridesSet(words))
        self.bench.feed(MaintenanceSeen(self.maintenance))
        for address, state in self.said.items():
            self.bench.hear({address: state})

    @property
    def pooled(self) -> set[str]:
        return {address for address, weight in self.bench.weights(self.service).items() if weight}

    @property
    def enabled(self) -> set[str]:
        return set(self.listed - self.maintenance) - self.words.keys()

    @property
    def up(self) -> set[str]:
        return {one for one in self.listed if self.said[one] is UP}

    @property
    def minimum(self) -> int:
        return self.floor.minimum.of(len(self.listed))


@given(amounts, moves)
def test_p0_who_is_in_the_pool_is_enabled(minimum: Amount, script: list[Move]) -> None:
    world = World(Floor(minimum))
    for move in script:
        world.move(move)
        assert world.pooled <= world.enabled


@given(amounts, moves)
def test_p1_who_is_up_is_in_the_pool_or_disabled(minimum: Amount, script: list[Move]) -> None:
    world = World(Floor(minimum))
    for move in script:
        world.move(move)
        assert world.up & world.enabled <= world.pooled


@given(amounts, moves)
def test_p2_who_is_in_the_pool_is_up_or_too_few_would_be_left(minimum: Amount, script: list[Move]) -> None:
    world = World(Floor(minimum))
    for move in script:
        world.move(move)
        assert world.pooled <= world.up or len(world.up & world.enabled) < world.minimum


@given(amounts, moves)
def test_so_many_as_the_floor_says_are_in_the_pool_while_people_leave_enough(
    minimum: Amount, script: list[Move]
) -> None:
    world = World(Floor(minimum))
    for move in script:
        world.move(move)
        assert len(world.pooled) >= min(world.minimum, len(world.enabled))


@given(amounts, moves)
def test_on_no_way_there_the_pool_was_smaller_than_before_and_the_floor(minimum: Amount, script: list[Move]) -> None:
    """Also between the first checks of a new list, one after the other: nobody who serves is let go for good hope."""
    world = World(Floor(minimum))
    for move in script:
        before = world.pooled
        world.move(move)
        kept = before & world.listed & world.enabled
        if isinstance(move, Listed):
            assert all(number >= min(world.minimum, len(kept)) for number in world.sizes)
