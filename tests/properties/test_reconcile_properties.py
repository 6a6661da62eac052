"""Invariants of the plan: it arrives, it makes before it breaks, it leaves strangers alone."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import example, given
from hypothesis import strategies as st

from lvsd.core.reconcile import applied, plan
from netlink.table import Destination, DestinationKey, Entry, Family, Service, ServiceKey, Table

# Few names, so that tables overlap; with random ones the properties cannot fail.
_KEYS = [ServiceKey(Family.INET, 6, "1.1.1.12", port) for port in (25, 80, 443)]
_DESTINATIONS = [DestinationKey(address, 80) for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3")]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    entries: dict[ServiceKey, Entry] = {}
    for key in draw(st.lists(st.sampled_from(_KEYS), unique=True)):
        chosen = draw(st.lists(st.sampled_from(_DESTINATIONS), unique=True))
        reals = {one: Destination(one, draw(st.sampled_from([0, 3])), draw(st.integers(0, 2))) for one in chosen}
        entries[key] = Entry(Service(key, draw(st.sampled_from(["rr", "wrr"]))), reals)
    return entries


owners = st.frozensets(st.sampled_from(_KEYS))


def _ours(table: Table, owned: frozenset[ServiceKey]) -> Table:
    return {key: entry for key, entry in table.items() if key in owned}


@given(tables(), tables(), owners)
def test_the_plan_arrives(desired: Table, actual: Table, owned: frozenset[ServiceKey]) -> None:
    owned = owned | frozenset(desired)
    reached = applied(actual, plan(desired, actual, owned))
    assert _ours(reached, owned) == desired


@given(tables(), tables(), owners)
def test_a_second_plan_is_empty(desired: Table, actual: Table, owned: frozenset[ServiceKey]) -> None:
    reached = applied(actual, plan(desired, actual, owned))
    assert plan(desired, reached, owned) == ()


@given(tables(), tables(), owners)
def test_strangers_stay(desired: Table, actual: Table, owned: frozenset[ServiceKey]) -> None:
    strangers = {key: entry for key, entry in actual.items() if key not in owned and key not in desired}
    reached = applied(actual, plan(desired, actual, owned))
    assert {key: reached[key] for key in strangers} == strangers


def _served(table: Table) -> frozenset[ServiceKey]:
    return frozenset(key for key, entry in table.items() if _capacity(entry.destinations))


def _capacity(destinations: Mapping[DestinationKey, Destination]) -> int:
    return sum(destination.weight for destination in destinations.values())


def _one(weights: dict[int, int]) -> Table:
    """One service; index of the destination -> weight."""
    key = _KEYS[0]
    reals = {_DESTINATIONS[i]: Destination(_DESTINATIONS[i], 3, weight) for i, weight in weights.items()}
    return {key: Entry(Service(key, "wrr"), reals)}


@example(desired=_one({0: 0, 1: 2}), actual=_one({0: 2, 1: 0}))  # lowered first, it would serve nobody for a moment
@example(desired=_one({1: 2}), actual=_one({0: 2, 1: 0}))  # removed first, too
@example(desired=_one({0: 0, 1: 1}), actual=_one({0: 1}))
@given(tables(), tables())
def test_what_is_served_before_and_after_is_served_at_every_step(desired: Table, actual: Table) -> None:
    always = _served(desired) & _served(actual)
    now = actual
    for operation in plan(desired, actual, frozenset(_KEYS)):
        now = applied(now, (operation,))
        assert always <= _served(now), operation


@given(tables(), tables())
def test_a_destination_that_stays_is_never_removed(desired: Table, actual: Table) -> None:
    staying = {
        (key, one)
        for key, entry in desired.items()
        if key in actual
        for one in entry.destinations
        if one in actual[key].destinations
    }
    now = actual
    for operation in plan(desired, actual, frozenset(_KEYS)):
        now = applied(now, (operation,))
        for key, one in staying:
            assert one in now[key].destinations
