"""What was worked out for a configuration beforehand comes to what the step itself would have worked out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkers.core.messages import State
from config.model import Config
from config.words import Initial
from lvsd.core import groundwork
from lvsd.core.director import step
from lvsd.core.events import ConfigChanged, MaintenanceSeen, TableRead
from tests.properties.test_slices_properties import ADDRESSES, configurations, strangely, verdicts
from tests.unit.core.world import Bench

meanwhile = st.lists(st.one_of(verdicts(), st.frozensets(st.sampled_from(ADDRESSES)), st.integers(0, 20)), max_size=4)


@st.composite
def presuming(draw: st.DrawFn) -> Config:
    """Configurations that presume this and that of real servers before their first verdict."""
    drawn = draw(configurations())
    presumed = st.sampled_from((Initial.ADOPT, Initial.UP, Initial.DOWN, Initial.UNKNOWN))
    return replace(
        drawn,
        services=tuple(
            replace(one, real_servers=tuple(replace(real, initial=draw(presumed)) for real in one.real_servers))
            for one in drawn.services
        ),
    )


either = st.one_of(configurations(), presuming())


def live(bench: Bench, happened: list[object]) -> None:
    for one in happened:
        if isinstance(one, dict):
            bench.hear(one)
        elif isinstance(one, frozenset):
            bench.feed(MaintenanceSeen(one))
        elif isinstance(one, int):
            bench.kernel = strangely(bench.kernel, one)
            bench.feed(TableRead(dict(bench.kernel)))


@given(either, either, meanwhile, meanwhile)
def test_groundwork_done_before_other_things_happened_changes_nothing(
    begin: Config, after: Config, happened: list[object], since: list[object]
) -> None:
    bench = Bench(begin)
    live(bench, happened)
    done = groundwork.of(bench.director, after)
    live(bench, since)
    assert step(bench.director, ConfigChanged(after, done), 200.0) == step(bench.director, ConfigChanged(after), 200.0)


@given(configurations(), configurations(), configurations())
def test_groundwork_for_something_else_is_not_used(begin: Config, other: Config, after: Config) -> None:
    bench = Bench(begin)
    bench.hear(dict.fromkeys(ADDRESSES, State.UP))
    expected = step(bench.director, ConfigChanged(after), 200.0)
    for_another = groundwork.of(bench.director, other)
    beside_another = groundwork.of(Bench(other).director, after)
    assert step(bench.director, ConfigChanged(after, for_another), 200.0) == expected
    assert step(bench.director, ConfigChanged(after, beside_another), 200.0) == expected
