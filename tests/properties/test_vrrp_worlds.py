"""Whatever happened to machines with clocks of their own: on whole networks one is soon active, and stays."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from config.model import VrrpInstance
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.timers import active_down_interval
from tests.unit.vrrp import samples
from tests.unit.vrrp.worlds import Fate, Worlds

LATE_SECONDS = 0.2
SLACK_SECONDS = 2 * LATE_SECONDS + 0.01
SLOWEST = 0.9
RANKS = [1, 100, 100, 150, 200, 254, 255]

ranks = st.lists(st.sampled_from(RANKS), min_size=2, max_size=5)
rates = st.lists(st.sampled_from([SLOWEST, 0.97, 1.0, 1.05, 1.1]), min_size=1, max_size=5)
fates = st.lists(
    st.lists(st.sampled_from([0.0, 0.001, 0.05, LATE_SECONDS]), max_size=2).map(tuple), min_size=1, max_size=12
)
timings = st.sampled_from([(2, 1.0), (2, 2.0), (3, 0.01), (3, 0.1), (3, 1.0), (3, 2.0)])
deeds = st.sampled_from(
    ["start", "start", "resume", "kill", "stop", "freeze", "freeze", "thaw", "split", "fail over", "back"]
)
stories = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.9, 3.3, 3.7, 6.0]),  # of an interval
        deeds,
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    max_size=20,
)


def _config(
    rank: int, timing: tuple[int, float], *, preempt: bool, group: str = "", delay: float = 0.0
) -> VrrpInstance:
    version, interval = timing
    one = samples.instance(priority=rank, version=version, interval=interval, preempt=preempt, password=None)
    return msgspec.structs.replace(one, sync_group=group, preempt_delay=delay)


def _do(world: Worlds, deed: str, one: int, other: int) -> None:
    one, other = one % len(world.machines), other % len(world.machines)
    deeds: dict[str, Callable[[], None]] = {
        "start": lambda: world.start(one),
        "resume": lambda: world.start(one, resume=True),
        "kill": lambda: world.kill(one),
        "stop": lambda: world.stop(one),
        "freeze": lambda: world.freeze(one),
        "thaw": lambda: world.thaw(one),
        "split": lambda: world.split(other, one, other),
        "fail over": lambda: world.fail_over(one),
        "back": lambda: world.fail_over(one, back=True),
    }
    deeds[deed]()


def _live(world: Worlds, interval: float, story: list[tuple[float, str, int, int]]) -> None:
    world.start(0)
    for pause, deed, one, other in story:
        _do(world, deed, one, other)
        world.run(pause * interval)
    if not any(machine.alive for machine in world.machines):
        world.start(0)
    world.heal()


def _longest(world: Worlds) -> float:
    configs = [router.config for machine in world.machines for router in machine.routers]
    return max(active_down_interval(one.version, one.priority, one.advertisement_interval) for one in configs) / SLOWEST


def _one_and_the_same(world: Worlds, quiet_seconds: float) -> None:
    """One machine is active on all networks, nobody else holds anything, and that does not change."""
    turns = [len(history) for history in world.history]
    world.run(quiet_seconds)
    assert [len(history) for history in world.history] == turns
    active = {machine.number for network in range(world.networks) for machine in world.active(network)}
    assert len(active) == 1
    for machine in world.machines:
        if machine.alive:
            assert machine.held == [machine.number in active] * world.networks


@given(ranks, timings, st.booleans(), st.sampled_from([0.0, 0.0, 2.5]), rates, fates, stories)
def test_one_is_active_on_a_network_that_is_whole(
    given_ranks: list[int],
    timing: tuple[int, float],
    preempt: bool,
    delay: float,
    given_rates: list[float],
    given_fates: list[Fate],
    story: list[tuple[float, str, int, int]],
) -> None:
    """`delay`, in intervals: what the better one waits before it preempts."""
    configs = [[_config(rank, timing, preempt=preempt, delay=delay * timing[1])] for rank in given_ranks]
    world = Worlds(configs, given_rates, cycle(given_fates))
    _live(world, timing[1], story)
    world.run(_longest(world) + SLACK_SECONDS)
    assert len(world.active()) == 1
    if delay:
        world.run(2 * _longest(world) + delay * timing[1] / SLOWEST)
    _one_and_the_same(world, 20 * timing[1])
    alive = [machine for machine in world.machines if machine.alive]
    if preempt and not any(machine.routers[0].yielded for machine in alive):
        best = max(machine.routers[0].config.priority for machine in alive)
        assert world.active()[0].routers[0].config.priority == best


@given(ranks, timings, st.booleans(), rates, fates, stories)
def test_a_group_is_active_on_one_machine(
    given_ranks: list[int],
    timing: tuple[int, float],
    preempt: bool,
    given_rates: list[float],
    given_fates: list[Fate],
    story: list[tuple[float, str, int, int]],
) -> None:
    configs = [[_config(rank, timing, preempt=preempt, group="both")] * 2 for rank in given_ranks]
    world = Worlds(configs, given_rates, cycle(given_fates))
    _live(world, timing[1], story)
    world.run(4 * _longest(world) + SLACK_SECONDS)
    _one_and_the_same(world, 20 * timing[1])


def _settled(given_ranks: list[int], timing: tuple[int, float], given_rates: list[float], *, preempt: bool) -> Worlds:
    world = Worlds([[_config(rank, timing, preempt=preempt)] for rank in given_ranks], given_rates, cycle([(0.0005,)]))
    for machine in world.machines:
        world.start(machine.number)
    world.heal()
    world.run(_longest(world) + 5 * max(1.0, timing[1]))
    return world


no_owner = st.lists(st.sampled_from(RANKS[:-1]), min_size=2, max_size=5)


@given(no_owner, timings, rates, st.floats(0.0, 20.0))
def test_who_was_frozen_does_not_disturb_who_serves(
    given_ranks: list[int], timing: tuple[int, float], given_rates: list[float], intervals: float
) -> None:
    world = _settled(given_ranks, timing, given_rates, preempt=False)
    frozen = world.active()[0]
    world.freeze(frozen.number)
    world.run(_longest(world) + SLACK_SECONDS + intervals * timing[1])
    (serving,) = [machine for machine in world.active() if machine is not frozen]
    turns = serving.routers[0].transitions
    world.thaw(frozen.number)
    assert frozen.routers[0].role is Role.BACKUP
    assert frozen.routers[0].cause in {Cause.OVERSLEPT, Cause.HIGHER_PRIORITY}
    assert frozen.held == [False]
    _one_and_the_same(world, 20 * timing[1])
    assert serving.routers[0].transitions == turns


@given(ranks, timings, st.booleans(), rates, st.booleans())
def test_a_hand_over_waits_for_no_timer(
    given_ranks: list[int], timing: tuple[int, float], preempt: bool, given_rates: list[float], asked: bool
) -> None:
    world = _settled(given_ranks, timing, given_rates, preempt=preempt)
    leaving = world.active()[0]
    assume(not (asked and leaving.routers[0].config.priority == 255))
    if asked:
        world.fail_over(leaving.number)
    else:
        world.stop(leaving.number)
    world.run(0.002)
    (successor,) = world.active()
    assert successor is not leaving
    assert successor.routers[0].cause is Cause.HANDED_OVER
    best = max(machine.routers[0].config.priority for machine in world.machines if machine is not leaving)
    assert successor.routers[0].config.priority == best
    _one_and_the_same(world, 20 * timing[1])
