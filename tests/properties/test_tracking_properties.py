"""Two balancers that look at one farm: when it dies or comes back for both, the address stays where it is."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from config.model import TrackedService
from lvsd.core.state import Damped
from lvsd.core.tracked_services import Sight, damped, worth

DELAY = 3.0
STEP = 0.5
LATE_STEPS = 5  # 2.5 s: how much later than the other one balancer may see what happens; less than the delay
BASE = {"lb1": 100, "lb2": 90}


@dataclass
class Pair:
    """Two balancers; the better one is active, and at a draw whoever is."""

    track: TrackedService
    active: str = "lb1"
    moves: int = 0

    def __post_init__(self) -> None:
        self.held: dict[str, Damped | None] = {"lb1": None, "lb2": None}
        self.now = 0.0

    def see(self, sights: dict[str, Sight]) -> None:
        self.now += STEP
        for name, sight in sights.items():
            value = worth(self.track, sight)
            assert value is not None
            self.held[name] = damped(self.held[name], value, DELAY, self.now, active=name == self.active)
        other = "lb2" if self.active == "lb1" else "lb1"
        if self.priority(other) > self.priority(self.active):
            self.active, self.moves = other, self.moves + 1

    def priority(self, name: str) -> int:
        held = self.held[name]
        return max(1, BASE[name] + (held.value if held is not None else 0))


TRACKS = st.builds(
    TrackedService, st.sampled_from([0, -50, 50, -253]), st.just("web"), st.just(DELAY), st.sampled_from([0, 20])
)
FARMS = st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(1, 30)), min_size=1, max_size=12)
"""What the farm is like, one after the other: with its quorum or not, servers missing, for how many steps."""


def steps(farm: list[tuple[bool, int, int]]) -> list[Sight]:
    return [Sight(gained, missing) for gained, missing, length in farm for _ in range(length)]


@given(TRACKS, FARMS, st.integers(0, LATE_STEPS), st.booleans())
def test_what_both_see_moves_nothing(
    track: TrackedService, farm: list[tuple[bool, int, int]], late: int, first: bool
) -> None:
    pair = Pair(track)
    seen = [Sight(gained=True, missing=0), *steps(farm)]
    delayed = [seen[0]] * late + seen
    for early_sight, late_sight in zip(seen + [seen[-1]] * late, delayed, strict=True):
        ours, theirs = (early_sight, late_sight) if first else (late_sight, early_sight)
        pair.see({"lb1": ours, "lb2": theirs})
    assert pair.moves == 0


@given(TRACKS, st.integers(1, 40))
def test_who_alone_sees_nothing_yields_within_the_delay_and_once(track: TrackedService, before: int) -> None:
    pair = Pair(track)
    good, bad = Sight(gained=True, missing=0), Sight(gained=False, missing=2)
    for _ in range(before):
        pair.see({"lb1": good, "lb2": good})
    for _ in range(int(DELAY / STEP) + 1):
        pair.see({"lb1": bad, "lb2": good})
    assert pair.active == "lb2"
    for _ in range(100):
        pair.see({"lb1": bad, "lb2": good})
    assert pair.moves == 1


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), max_size=20))
def test_a_path_that_flaps_faster_than_the_delay_moves_nothing(flaps: list[tuple[int, int]]) -> None:
    pair = Pair(TrackedService(0, "web", DELAY))
    good, bad = Sight(gained=True, missing=0), Sight(gained=False, missing=2)
    pair.see({"lb1": good, "lb2": good})
    for down, up in flaps:
        for _ in range(down):
            pair.see({"lb1": bad, "lb2": good})
        for _ in range(up):
            pair.see({"lb1": good, "lb2": good})
    assert pair.moves == 0
