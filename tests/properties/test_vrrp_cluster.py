"""Whatever happened before: once the network is whole and quiet, one router is active, and soon."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from config.model import VrrpInstance
from lvsd.vrrp.timers import active_down_interval
from tests.unit.vrrp import samples
from tests.unit.vrrp.simulation import Cluster

LATENESS_LIMIT_SECONDS = 0.2
SLACK_SECONDS = 2 * LATENESS_LIMIT_SECONDS + 0.01
QUIET_SECONDS = 30.0

priorities = st.sampled_from([1, 100, 100, 101, 150, 200, 254, 255])
fates = st.lists(st.none() | st.sampled_from([0.0, 0.001, 0.05, LATENESS_LIMIT_SECONDS]), min_size=1, max_size=12)
pauses = st.sampled_from([0.0, 0.01, 0.3, 0.7, 1.0, 2.9, 3.3, 3.7, 5.0])
numbers = st.integers(0, 3)

happenings = st.lists(
    st.tuples(
        pauses,
        st.sampled_from(
            ["start", "start", "resume", "kill", "stop", "unplug", "plug", "rob", "rank", "split", "split"]
        ),
        numbers,
        numbers,
        priorities,
    ),
    max_size=25,
)


def _configs(ranks: list[int], interval: int, *, preempt: bool) -> list[VrrpInstance]:
    return [samples.instance(priority=rank, interval=float(interval), preempt=preempt) for rank in ranks]


def _happen(cluster: Cluster, what: str, one: int, other: int, priority: int) -> None:
    one, other = one % len(cluster.routers), other % len(cluster.routers)
    deeds: dict[str, Callable[[], None]] = {
        "start": lambda: cluster.start(one),
        "resume": lambda: cluster.start(one, resume=True),
        "kill": lambda: cluster.kill(one),
        "stop": lambda: cluster.stop(one),
        "unplug": lambda: cluster.wire(one, up=False),
        "plug": lambda: cluster.wire(one, up=True),
        "rob": lambda: cluster.rob(one),
        "rank": lambda: cluster.rank(one, priority),
        "split": lambda: cluster.split(one, other),
    }
    deeds[what]()


def _bound(cluster: Cluster) -> float:
    """The worst active-down interval of all, after an advertisement that was already under way."""
    configs = [router.instance.config for router in cluster.routers]
    return (
        max(active_down_interval(one.version, one.priority, one.advertisement_interval) for one in configs)
        + SLACK_SECONDS
    )


def _live_through(cluster: Cluster, story: list[tuple[float, str, int, int, int]]) -> None:
    cluster.start(0)
    for pause, what, one, other, priority in story:
        _happen(cluster, what, one, other, priority)
        cluster.run(pause)
    if not any(router.alive for router in cluster.routers):
        cluster.start(0)


ranks = st.lists(priorities, min_size=2, max_size=4)


@given(ranks, st.integers(1, 2), st.booleans(), fates, happenings)
def test_one_is_active_once_the_network_is_whole(
    given_ranks: list[int],
    interval: int,
    preempt: bool,
    given_fates: list[float | None],
    story: list[tuple[float, str, int, int, int]],
) -> None:
    cluster = Cluster(_configs(given_ranks, interval, preempt=preempt), cycle(given_fates))
    _live_through(cluster, story)
    cluster.heal()
    cluster.run(_bound(cluster))
    for _ in range(int(QUIET_SECONDS)):
        active = [router for router in cluster.routers if router.active]
        assert len(active) == 1
        alive = [router for router in cluster.routers if router.alive]
        if preempt:
            best = max(router.instance.config.priority for router in alive)
            assert active[0].instance.config.priority == best
        for router in alive:
            assert router.held == (set(router.instance.config.addresses) if router.active else set())
        cluster.run(1.0)


@given(
    ranks,
    st.integers(1, 2),
    st.lists(st.tuples(pauses, st.sampled_from(["start", "resume", "kill", "stop", "rob"]), numbers), max_size=25),
)
def test_on_a_good_network_nobody_is_missed_for_longer_than_the_timers_allow(
    given_ranks: list[int], interval: int, story: list[tuple[float, str, int]]
) -> None:
    """The first router lives throughout, and may be robbed; the others come and go."""
    cluster = Cluster(_configs(given_ranks, interval, preempt=True), cycle([0.001]))
    others = len(given_ranks) - 1
    _live_through(
        cluster,
        [
            (pause, what, number % len(given_ranks) if what == "rob" else 1 + number % others, 0, 0)
            for pause, what, number in story
        ],
    )
    cluster.run(20.0)
    spans = zip(cluster.history, cluster.history[1:], strict=False)
    assert max(end - begin for (begin, active), (end, _) in spans if not active) <= _bound(cluster)
    assert cluster.history[-1][1]


@given(ranks, st.lists(pauses, min_size=1, max_size=8))
def test_a_stop_in_good_order_hands_over_within_the_skew_time(given_ranks: list[int], waits: list[float]) -> None:
    cluster = Cluster(_configs(given_ranks, 1, preempt=True), cycle([0.001]))
    for number in range(len(cluster.routers)):
        cluster.start(number)
        cluster.run(waits[number % len(waits)])
    cluster.run(10.0)
    leaving = next(router.number for router in cluster.routers if router.active)
    cluster.stop(leaving)
    cluster.run(1.0 + SLACK_SECONDS)  # one second is the longest skew time
    assert sum(router.active for router in cluster.routers) == 1


@given(ranks, st.sampled_from([0.0, 0.1, 1.0, 2.5]))
def test_a_killed_process_that_resumes_in_time_keeps_its_role(given_ranks: list[int], away: float) -> None:
    cluster = Cluster(_configs(given_ranks, 1, preempt=True), cycle([0.001]))
    for number in range(len(cluster.routers)):
        cluster.start(number)
    cluster.run(10.0)
    active = next(router for router in cluster.routers if router.active)
    cluster.run(0.5)
    cluster.kill(active.number)
    cluster.run(away)
    held_throughout = set(active.held)
    cluster.start(active.number, resume=True)
    cluster.run(10.0)
    assert [router.number for router in cluster.routers if router.active] == [active.number]
    assert active.held == held_throughout == set(active.instance.config.addresses)
