"""Large mappings are what dicts would be, and what is shared stays as it was; a summary is the plan's beginning."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.messages import State
from config.model import Config
from lvsd.core import large
from lvsd.core.health import standing_state
from lvsd.core.identity import real_id
from lvsd.core.reconcile import differences, plan
from netlink.operations import Operation
from netlink.table import ServiceKey, Table
from tests.properties.test_slices_properties import ADDRESSES, configurations, happenings, lived, strangely

names = st.text("abc", max_size=3)
steps = st.lists(st.tuples(st.dictionaries(names, st.integers()), st.frozensets(names, max_size=3)), max_size=6)


@given(st.dictionaries(names, st.integers()), steps, st.sampled_from((0, 3, large.SMALL)))
def test_a_large_mapping_is_what_a_dict_would_be(
    begin: dict[str, int], changes: list[tuple[dict[str, int], frozenset[str]]], small: int
) -> None:
    with patch.object(large, "SMALL", small):
        lives = [(large.changed({}, begin), dict(begin))]
        for new, gone in changes:
            mapping, model = lives[-1]
            expected = {key: value for key, value in model.items() if key not in gone} | new
            lives.append((large.changed(mapping, new, gone), expected))
    for mapping, model in lives:  # also those that others were made of
        assert mapping == model
        assert (len(mapping), sorted(mapping)) == (len(model), sorted(model))
        assert all(mapping.get(name) == model.get(name) for name in "abc")
        assert all((name in mapping) == (name in model) for name in "abc")


@given(configurations(), happenings)
def test_a_large_belief_is_what_a_small_one_would_be(begin: Config, happened: list[object]) -> None:
    small, sent = lived(begin, happened, 10_000)
    with patch.object(large, "SMALL", 0):
        parted, sent_parted = lived(begin, happened, 10_000)
    assert parted.director == small.director
    assert (parted.kernel, sent_parted) == (small.kernel, sent)


@given(configurations(), happenings)
def test_once_all_is_settled_everybody_who_is_out_was_announced_so(begin: Config, happened: list[object]) -> None:
    director = lived(begin, happened, 1)[0].director
    for virtual in director.config.services:
        for real in virtual.real_servers:
            state = standing_state(director, virtual, real)
            announced = director.announced.get(real_id(virtual, real))
            assert state in (announced, State.UNKNOWN)


@given(configurations(), configurations(), st.integers(0, 20), st.sampled_from((0, 1, 2, 5, 20)))
def test_a_summary_is_the_beginning_of_the_plan(before: Config, after: Config, number: int, most: int) -> None:
    up = dict.fromkeys(ADDRESSES, State.UP)
    old, new = lived(before, [up], 1)[0], lived(after, [up], 1)[0]
    actual: Table
    for actual in ({}, old.kernel, strangely(new.kernel, number)):
        for owned in (frozenset[ServiceKey](), frozenset(actual)):
            operations: tuple[Operation, ...] = plan(new.kernel, actual, owned)
            found = differences(new.kernel, actual, owned, most)
            assert found == (len(operations), operations[:most])
