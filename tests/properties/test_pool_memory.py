"""What is remembered of a service's real servers: nothing of those that are gone, nothing for rules that are gone, and
of who comes back nothing from before, whatever reloads bring.
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
    HoldDown,
    LatencyWeights,
    Passive,
    PassiveAction,
    PoolRules,
)
from lvsd.core.events import ClientsSeen, ConfigChanged, Ticked
from lvsd.core.identity import real_id, service_key
from lvsd.core.passive import Finding, Seen
from lvsd.core.pool_state import NO_POOL, Pool
from tests.unit.core.world import Bench, config, real, virtual

REALS = tuple(f"10.0.0.{number}" for number in range(1, 6))
UP, DOWN = State.UP, State.DOWN
LONG = 1000.0
AT_ONCE = Check(TcpCheck(), Timing(fall=1))


@dataclass(frozen=True)
class Listed:
    """A reload with another list of real servers, or other rules."""

    addresses: frozenset[str]
    rules: PoolRules


Move = dict[str, State] | dict[str, Finding] | Listed | float

one = st.sampled_from(REALS)
rules = st.builds(
    PoolRules,
    st.none() | st.just(Floor(Amount(1))),
    st.none() | st.just(CorrelatedFailure(60)),
    st.sampled_from([0.0, LONG]),
    st.none() | st.just(HoldDown(LONG, LONG, LONG)),
    passive=st.none() | st.just(Passive(action=PassiveAction.FAIL)),
    latency_weights=st.none() | st.just(LatencyWeights()),
)
states = st.dictionaries(one, st.sampled_from([UP, DOWN]), min_size=1)
moves = st.lists(
    st.one_of(
        states,
        states,
        st.dictionaries(one, st.sampled_from(Finding), min_size=1),
        st.builds(Listed, st.frozensets(one, min_size=1), rules),
        st.sampled_from([1.0, 10.0]),
    ),
    max_size=25,
)


@dataclass
class World:
    """A director of one service that is reconfigured again and again."""

    rules: PoolRules
    listed: frozenset[str] = frozenset(REALS)
    bench: Bench = field(init=False)

    def __post_init__(self) -> None:
        self.bench = Bench(config(self.service))
        self.bench.hear(dict.fromkeys(REALS, UP))

    @property
    def service(self) -> VirtualService:
        reals = (real(one, check=AT_ONCE) for one in sorted(self.listed))
        return replace(virtual(*reals), rules=self.rules)

    @property
    def names(self) -> set[str]:
        return {real_id(self.service, one) for one in self.service.real_servers}

    @property
    def pool(self) -> Pool:
        return self.bench.director.pools.get(service_key(self.service.virtual), NO_POOL)

    def move(self, move: Move) -> None:
        self.bench.now += 1
        match move:
            case Listed(addresses, rules):
                self.listed, self.rules = addresses, rules
                self.bench.feed(ConfigChanged(config(self.service)))
            case float():
                self.bench.now += move
                self.bench.feed(Ticked())
            case dict() if all(isinstance(said, State) for said in move.values()):
                self.bench.hear({address: state for address, state in move.items() if isinstance(state, State)})
            case _:
                seen = {
                    real_id(self.service, real(address)): Seen(finding, 12)
                    for address, finding in move.items()
                    if isinstance(finding, Finding) and address in self.listed
                }
                self.bench.feed(ClientsSeen({service_key(self.service.virtual): seen}))


@given(rules, moves)
def test_nothing_is_remembered_but_of_real_servers_and_rules_that_are(begun: PoolRules, script: list[Move]) -> None:
    world = World(begun)
    for move in script:
        world.move(move)
        pool, ruled = world.pool, world.rules
        memories = {
            "failed_at": (pool.failed_at, ruled.correlated_failure),
            "flaps": (pool.flaps, ruled.hold_down),
            "ramps": (pool.ramps, ruled.slow_start),
            "speeds": (pool.speeds, ruled.latency_weights),
            "unanswered": (pool.unanswered, ruled.passive),
            "passive_flaps": (pool.passive_flaps, ruled.passive),
        }
        for name, (memory, rule) in memories.items():
            assert set(memory) <= (world.names if rule else set()), name
        assert set(pool.held) <= world.names
        assert pool.suspicion is None or (ruled.correlated_failure and pool.suspicion.members <= world.names)
        assert world.bench.director.pools in ({}, {service_key(world.service.virtual): pool})
        assert ruled != PoolRules() or world.bench.director.pools == {}


@given(rules, moves, one)
def test_who_is_taken_out_of_the_list_and_put_back_is_a_stranger(
    begun: PoolRules, script: list[Move], address: str
) -> None:
    world = World(begun)
    for move in script:
        world.move(move)
    world.move(Listed(frozenset(REALS) - {address}, world.rules))
    world.move(Listed(frozenset(REALS), world.rules))
    name = real_id(world.service, real(address))
    pool = world.pool
    known = (pool.held, pool.failed_at, pool.ramps, pool.flaps, pool.speeds, pool.unanswered, pool.passive_flaps)
    assert not [memory for memory in known if name in memory]
