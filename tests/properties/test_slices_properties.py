"""Deciding what an event touches, slice by slice, comes to what deciding everything at once would."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.messages import State
from config.model import Config, VirtualService
from lvsd.core import slices
from lvsd.core.desired import desired
from lvsd.core.events import ConfigChanged, Event, MaintenanceSeen, TableRead
from lvsd.core.identity import service_key
from lvsd.core.reconcile import applied, plan
from netlink.memory import MemoryTable
from netlink.operations import DeleteDestination, DeleteService, Operation
from netlink.table import Table
from tests.unit.core.world import Bench, config, real, virtual

ADDRESSES = ("1.1.1.21", "1.1.1.22", "1.1.1.23")
PORTS = (25, 80, 443)
SPARE = real("1.1.1.99")


@st.composite
def configurations(draw: st.DrawFn) -> Config:
    chosen = draw(st.lists(st.sampled_from(PORTS), unique=True, min_size=1))
    return config(*(draw(services(port)) for port in chosen))


def services(port: int) -> st.SearchStrategy[VirtualService]:
    servers = st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=3)
    fallback = st.sampled_from(((), (SPARE,)))
    return st.builds(
        lambda addresses, weight, spare: virtual(*(real(one, weight) for one in addresses), port=port, fallback=spare),
        servers,
        st.integers(1, 2),
        fallback,
    )


def verdicts() -> st.SearchStrategy[dict[str, State]]:
    return st.dictionaries(st.sampled_from(ADDRESSES), st.sampled_from((State.UP, State.DOWN)), min_size=1)


# what happens: verdicts, a reload, a person at the maintenance directory, a stranger at the table
happenings = st.lists(
    st.one_of(
        verdicts(),
        configurations(),
        st.frozensets(st.sampled_from(ADDRESSES)),
        st.integers(0, 20),
    ),
    max_size=6,
)


def lived(begin: Config, happened: Sequence[object], size: int) -> tuple[Bench, list[tuple[Operation, ...]]]:
    """A balancer to which this happened, deciding so many real servers at once; and what it sent, event by event."""
    with patch.object(slices, "SLICE_REAL_SERVERS", size):
        bench = Bench(begin)
        sent = [tuple(bench.operations())]
        for one in happened:
            if isinstance(one, dict):
                bench.hear(one)
            else:
                bench.feed(_event(bench, one))
            sent.append(tuple(bench.operations()))
    return bench, sent


def _event(bench: Bench, happened: object) -> Event:
    match happened:
        case Config():
            return ConfigChanged(happened)
        case frozenset():
            return MaintenanceSeen(happened)
        case int():
            bench.kernel = strangely(bench.kernel, happened)
            return TableRead(dict(bench.kernel))
        case _:
            raise AssertionError(happened)


def strangely(table: Table, number: int) -> Table:
    """The table after a stranger deleted something: a destination, or all of a service."""
    deletions: list[Operation] = []
    for key, entry in table.items():
        deletions += [DeleteService(key), *(DeleteDestination(key, one) for one in entry.destinations)]
    return applied(table, deletions[number : number + 1])


@given(configurations(), happenings)
def test_slices_of_any_size_come_to_the_same(begin: Config, happened: list[object]) -> None:
    whole, _ = lived(begin, happened, 10_000)
    sliced, _ = lived(begin, happened, 1)
    assert sliced.kernel == whole.kernel
    assert sliced.director.announced == whole.director.announced
    assert sliced.director.quorum == whole.director.quorum
    assert not sliced.director.unsettled.services


@given(configurations(), happenings, st.sampled_from((1, 3, 10_000)))
def test_nothing_is_forgotten(begin: Config, happened: list[object], size: int) -> None:
    bench, _ = lived(begin, happened, size)
    director = bench.director
    assert plan(desired(director), bench.kernel, director.owned) == ()
    assert set(bench.kernel) == {service_key(one.virtual) for one in director.config.services}


@given(configurations(), happenings)
def test_a_slice_sends_what_the_whole_plan_has_for_its_services(begin: Config, happened: list[object]) -> None:
    _, whole = lived(begin, happened, 10_000)
    _, sliced = lived(begin, happened, 1)
    for together, apart in zip(whole, sliced, strict=True):
        assert _by_service(together) == _by_service(apart)


def _by_service(operations: Sequence[Operation]) -> dict[object, list[Operation]]:
    found: dict[object, list[Operation]] = {}
    for one in operations:
        key = one.service if hasattr(one, "service") else one.key
        found.setdefault(getattr(key, "key", key), []).append(one)
    return found


@given(configurations(), configurations())
def test_memory_becomes_what_the_plan_says(before: Config, after: Config) -> None:
    old, _ = lived(before, [dict.fromkeys(ADDRESSES, State.UP)], 1)
    new, _ = lived(after, [dict.fromkeys(ADDRESSES, State.UP)], 1)
    operations = plan(new.kernel, old.kernel, frozenset(old.kernel))
    memory = MemoryTable(old.kernel)
    assert memory.apply(operations) == ()
    assert memory.read_table() == applied(old.kernel, operations) == new.kernel


@given(configurations(), configurations())
def test_all_at_once_is_one_after_another(before: Config, after: Config) -> None:
    old, _ = lived(before, [dict.fromkeys(ADDRESSES, State.UP)], 1)
    new, _ = lived(after, [], 1)
    operations = plan(new.kernel, old.kernel, frozenset(old.kernel))
    table: Table = old.kernel
    for one in operations:
        table = applied(table, (one,))
    assert applied(old.kernel, operations) == table
