"""The floor with every other rule beside it: whoever is held out for whatever reason, suspected, on the way back or
passed over by clients, so many as the floor says are in rotation while people leave enough.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkers.core.messages import State
from config.checks import Check, TcpCheck, Timing
from config.model import VirtualService
from config.pool_rules import (
    Amount,
    CorrelatedFailure,
    Floor,
    FloorAction,
    HoldDown,
    LatencyWeights,
    Passive,
    PassiveAction,
    PoolRules,
)
from lvsd.core import views
from lvsd.core.events import ClientsSeen, ConfigChanged, MaintenanceSeen, TableSuspected, Ticked
from lvsd.core.identity import real_id, service_key
from lvsd.core.passive import Finding, Seen
from tests.unit.core.world import Bench, config, real, virtual

REALS = tuple(f"10.0.0.{number}" for number in range(1, 7))
UP, DOWN = State.UP, State.DOWN
AT_ONCE = Check(TcpCheck(), Timing(fall=1))


@dataclass(frozen=True)
class Flap:
    """It fails, and passes again a second later, so many times."""

    address: str
    times: int


@dataclass(frozen=True)
class Mute:
    """Its clients are not answered, all others' are."""

    address: str


Move = Flap | Mute | dict[str, State] | dict[str, Finding] | frozenset[str] | float | str

one = st.sampled_from(REALS)
amounts = st.one_of(st.builds(Amount, st.integers(1, 6)), st.builds(Amount, st.integers(1, 100), st.just(value=True)))
rules = st.builds(
    PoolRules,
    st.builds(Floor, amounts, st.sampled_from([FloorAction.KEEP, FloorAction.FAIL_OPEN])),
    st.none() | st.builds(CorrelatedFailure, st.sampled_from([50, 100]), st.integers(1, 2)),
    st.sampled_from([0.0, 5.0]),
    st.none() | st.just(HoldDown(4.0, 40.0, 30.0)),
    passive=st.none() | st.just(Passive(action=PassiveAction.FAIL)),
    latency_weights=st.none() | st.just(LatencyWeights()),
)
states = st.dictionaries(one, st.sampled_from([UP, DOWN]), min_size=1)
moves = st.lists(
    st.one_of(
        states,
        states,
        st.dictionaries(one, st.just(DOWN), min_size=3),
        st.dictionaries(one, st.sampled_from(Finding), min_size=2),
        st.builds(Flap, one, st.integers(2, 3)),
        st.builds(Mute, one),
        st.frozensets(one, max_size=3),
        st.sampled_from([1.0, 6.0, 60.0]),
        st.sampled_from(["restart", "reload", "flush"]),
    ),
    max_size=20,
)


@dataclass
class World:
    """A director, and what an outsider knows."""

    rules: PoolRules
    bench: Bench = field(init=False)
    said: dict[str, State] = field(default_factory=lambda: dict.fromkeys(REALS, UP))
    maintenance: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.bench = Bench(config(self.service))
        self.bench.hear(self.said)

    @property
    def service(self) -> VirtualService:
        return replace(virtual(*(real(one, 10, check=AT_ONCE) for one in REALS)), rules=self.rules)

    def move(self, move: Move) -> None:
        self.bench.now += 1
        match move:
            case frozenset():
                self.maintenance = move
                self.bench.feed(MaintenanceSeen(move))
            case float():
                self.bench.now += move
                self.bench.feed(Ticked())
            case "restart":
                now, self.bench = self.bench.now, self.bench.restarted()
                self.bench.now = now
                self.bench.feed(MaintenanceSeen(self.maintenance))
                self.bench.hear(self.said)
            case "reload":
                self.bench.feed(ConfigChanged(self.bench.director.config))
            case "flush":
                self.bench.kernel = {}
                self.bench.feed(TableSuspected())
            case Flap(address, times):
                for state in (DOWN, UP) * times:
                    self.bench.now += 1
                    self.tell({address: state})
            case Mute(address):
                others = dict.fromkeys(REALS, Finding.ANSWERED)
                self.tell(others | {address: Finding.UNANSWERED})
            case dict():
                self.tell(move)
            case _:
                raise AssertionError(move)

    def tell(self, said: dict[str, State] | dict[str, Finding]) -> None:
        """What checks found, or what clients' packets tell."""
        found = {name: state for name, state in said.items() if isinstance(state, State)}
        if found:
            self.said |= found
            self.bench.hear(found)
            return
        seen = {
            real_id(self.service, real(name)): Seen(one, 12) for name, one in said.items() if isinstance(one, Finding)
        }
        self.bench.feed(ClientsSeen({service_key(self.service.virtual): seen}))

    @property
    def pooled(self) -> set[str]:
        return {address for address, weight in self.bench.weights(self.service).items() if weight}

    @property
    def enabled(self) -> set[str]:
        return set(REALS) - self.maintenance

    @property
    def least(self) -> int:
        assert self.rules.floor is not None
        return self.rules.floor.minimum.of(len(REALS))

    def holds(self) -> dict[str, str]:
        """Why anybody stands otherwise than its checks say, as a person sees it."""
        (row,) = views.status(self.bench.director, self.bench.now).services
        return {one.real_server.partition(":")[0]: one.hold for one in row.real_servers}


@given(rules, moves)
def test_so_many_as_the_floor_says_are_in_rotation_while_people_leave_enough_and_nobody_whom_they_took_out(
    ruled: PoolRules, script: list[Move]
) -> None:
    world = World(ruled)
    for move in script:
        world.move(move)
        assert len(world.pooled) >= min(world.least, len(world.enabled))
        assert world.pooled <= world.enabled


@given(rules, moves)
def test_who_is_well_serves_or_it_is_said_why_not_and_who_is_not_does_not_or_it_is_said_why(
    ruled: PoolRules, script: list[Move]
) -> None:
    world = World(ruled)
    for move in script:
        world.move(move)
        holds, pooled = world.holds(), world.pooled
        for address in world.enabled:
            well = world.said[address] is UP
            if holds[address] in ("flapping", "unanswered"):
                assert well
                assert address not in pooled
            elif holds[address] in ("suspected", "floor"):
                assert address in pooled
            else:
                assert (address in pooled) is well


@given(rules, moves)
def test_in_the_end_all_that_are_well_serve_with_their_whole_weight(ruled: PoolRules, script: list[Move]) -> None:
    """No hold, no suspicion and no slow start lasts for ever, and no path loses anybody."""
    world = World(ruled)
    for move in script:
        world.move(move)
    world.move(frozenset())
    world.move(dict.fromkeys(REALS, UP))
    for _ in range(3):
        world.bench.now += 10_000
        world.bench.hear(world.said)
        world.bench.feed(Ticked())
    assert world.bench.weights(world.service) == dict.fromkeys(REALS, 10)
