"""Queues side by side: order, turns, bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lvsd.runtime.lanes import LANE_LIMIT, RUNNING_LIMIT, TOTAL_LIMIT, Lanes


def test_a_lane_is_done_in_order_one_at_a_time() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(3):
        assert lanes.add("a", number) is None
    assert lanes.begin() == ("a", 0)
    assert lanes.begin() is None
    lanes.end("a")
    assert lanes.begin() == ("a", 1)


def test_every_lane_has_its_turn() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(3):
        lanes.add("a", number)
        lanes.add("b", number)
    order = []
    while (begun := lanes.begin()) is not None:
        order.append(begun[0])
        lanes.end(begun[0])
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert lanes.empty


def test_so_many_run_at_once() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(RUNNING_LIMIT + 5):
        lanes.add(str(number), number)
    assert sum(lanes.begin() is not None for _ in range(RUNNING_LIMIT + 5)) == RUNNING_LIMIT
    lanes.end("3")
    assert lanes.begin() == (str(RUNNING_LIMIT), RUNNING_LIMIT)


def test_the_oldest_makes_room() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(LANE_LIMIT):
        assert lanes.add("a", number) is None
    assert lanes.add("a", -1) == 0
    assert lanes.begin() == ("a", 1)


def test_all_lanes_together_are_bounded() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(TOTAL_LIMIT):
        assert lanes.add(str(number), number) is None
    assert lanes.add("0", -1) == 0
    assert lanes.add("new", -2) == -2
    assert lanes.clear() == TOTAL_LIMIT
    assert lanes.empty
    assert lanes.begin() is None


@given(
    st.lists(st.one_of(st.tuples(st.just("add"), st.sampled_from("abc")), st.just(("begin", "")), st.just(("end", ""))))
)
def test_nothing_is_lost_and_no_lane_runs_twice(steps: list[tuple[str, str]]) -> None:
    lanes: Lanes[int] = Lanes()
    running: list[str] = []
    added: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    begun: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for number, (step, lane) in enumerate(steps):
        if step == "add":
            lanes.add(lane, number)
            added[lane].append(number)
        elif step == "end" and running:
            lanes.end(running.pop(0))
        elif step == "begin" and (found := lanes.begin()) is not None:
            assert found[0] not in running
            running.append(found[0])
            begun[found[0]].append(found[1])
    for lane, numbers in begun.items():
        assert numbers == added[lane][: len(numbers)]
    assert lanes.empty is (begun == added)
