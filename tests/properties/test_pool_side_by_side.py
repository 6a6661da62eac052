"""Services in one director behave as each would alone, whatever their rules: nobody's rule, memory or misfortune is
another's, also when one event befalls all of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkers.core.messages import State
from config.checks import Check, NoCheck
from config.model import VirtualService
from config.pool_rules import Amount, Floor, FloorAction, HoldDown, PoolRules
from lvsd.core import views
from lvsd.core.effects import Effect, Tell
from lvsd.core.events import ConfigChanged, MaintenanceSeen, OverridesSet, TableSuspected, Ticked
from lvsd.core.identity import real_id
from lvsd.core.pool_state import Override, OverrideKind
from tests.unit.core.world import Bench, config, real, virtual

REALS = ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
SPARE = "10.0.0.99"
UP, DOWN = State.UP, State.DOWN
SAID = (OverrideKind.DRAIN, OverrideKind.DISABLE, OverrideKind.WEIGHT)


@dataclass(frozen=True)
class Said:
    """A person's word on a real server, in the service of that number."""

    number: int
    address: str
    kind: OverrideKind | None


Move = dict[str, State] | frozenset[str] | float | Said | str

one = st.sampled_from(REALS)
amounts = st.one_of(st.builds(Amount, st.integers(1, 4)), st.builds(Amount, st.integers(1, 100), st.just(value=True)))
floors = st.none() | st.builds(Floor, amounts, st.sampled_from(FloorAction), st.none() | amounts)
holds = st.none() | st.just(HoldDown(first=3.0, longest=10.0, forget=15.0))
moves = st.lists(
    st.one_of(
        st.dictionaries(one, st.sampled_from([UP, DOWN]), min_size=1),
        st.dictionaries(one, st.sampled_from([UP, DOWN]), min_size=1),
        st.frozensets(one, max_size=2),
        st.sampled_from([1.0, 4.0, 20.0]),
        st.builds(Said, st.integers(0, 2), one, st.sampled_from([*SAID, None])),
        st.sampled_from(["restart", "reload", "flush"]),
    ),
    max_size=15,
)


@st.composite
def services(draw: st.DrawFn, *, port: int) -> VirtualService:
    reals = (replace(real(address, 10), priority_group=draw(st.integers(1, 2))) for address in REALS)
    rules = PoolRules(
        draw(floors),
        slow_start=draw(st.sampled_from([0.0, 6.0])),
        hold_down=draw(holds),
        manual_resume=draw(st.booleans()),
        group_minimum=draw(amounts),
    )
    spares = (real(SPARE, check=Check(NoCheck())),) if draw(st.booleans()) else ()
    service = virtual(*reals, port=port, name=f"web{port}", fallback=spares)
    ruled = replace(service, rules=rules) if draw(st.booleans()) else service  # many have none
    return replace(ruled, quorum=draw(st.sampled_from([1, 20])))


@dataclass
class World:
    """A director of these services, and what it has told since it was asked."""

    services: tuple[VirtualService, ...]
    bench: Bench = field(init=False)
    maintenance: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.bench = Bench(config(*self.services))
        self.bench.hear(dict.fromkeys(REALS, UP))

    def move(self, move: Move) -> list[Effect]:
        match move:
            case dict():
                self.bench.now += 1
                return self.bench.hear(move)
            case frozenset():
                self.maintenance = move
                return self.bench.feed(MaintenanceSeen(move))
            case float():
                self.bench.now += move
                return self.bench.feed(Ticked())
            case Said(number, address, kind):
                word = None if kind is None else Override(kind, weight=3, since=self.bench.now)
                named = (one for one in self.services if one.name == f"web{80 + number}")
                return self.bench.feed(OverridesSet({real_id(one, real(address)): word for one in named}))
            case "restart":
                said = dict(self.bench.director.overrides)
                now, self.bench = self.bench.now, self.bench.restarted()
                self.bench.now = now
                told = self.bench.feed(OverridesSet(said))
                return [*told, *self.bench.feed(MaintenanceSeen(self.maintenance))]
            case "reload":
                return self.bench.feed(ConfigChanged(self.bench.director.config))
            case _:
                self.bench.kernel = {}
                return self.bench.feed(TableSuspected())


def told(effects: list[Effect], name: str) -> Counter[str]:
    """What was said of a service."""
    return Counter(str(one) for one in effects if isinstance(one, Tell) and one.fields.get("service") == name)


def shown(bench: Bench, name: str) -> list[object]:
    """What a person sees of a service, but for whom its checks are shared with."""
    (row,) = (row for row in views.status(bench.director, bench.now).services if row.name == name)
    return [row.floor_broken, row.quorum_state, row.weight_up, *(replace(one, shared=()) for one in row.real_servers)]


@given(st.tuples(services(port=80), services(port=81), services(port=82)), moves)
def test_each_service_is_as_if_it_were_alone(three: tuple[VirtualService, ...], script: list[Move]) -> None:
    together, alone = World(three), [World((one,)) for one in three]
    for move in script:
        effects = together.move(move)
        for service, world in zip(three, alone, strict=True):
            said = told(world.move(move), service.name)
            assert together.bench.weights(service) == world.bench.weights(service)
            assert told(effects, service.name) == said
            assert shown(together.bench, service.name) == shown(world.bench, service.name)
