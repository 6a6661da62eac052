"""Draining to the end: who has nothing left leaves, at the deadline also with something left."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from config.model import VirtualService
from config.words import OnFailure
from lvsd.core import draining, overrides, views
from lvsd.core.effects import Level, RememberOverrides, Tell
from lvsd.core.events import ConnectionsCounted, OverridesSet, Ticked
from lvsd.core.identity import service_key
from lvsd.core.overrides import Asked, Refused
from lvsd.core.pool_state import Connections, Override, OverrideKind
from lvsd.ctl import render
from netlink.errors import Refusal
from netlink.operations import SetDestination
from netlink.table import DestinationKey
from tests.unit.core.world import Bench, config, real, virtual

A, B = "1.1.1.17", "1.1.1.18"
UP, DOWN = State.UP, State.DOWN
WEB = virtual(real(A, 3), real(B, 3))
NAME = f"tcp 1.1.1.12:80 > {A}:80"
NOTHING = (0, 0, 0)


def drained(service: VirtualService = WEB, deadline: float | None = None, seconds: float | None = None) -> Bench:
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    said = Asked(A, OverrideKind.DRAIN, 0, deadline=deadline, seconds=seconds)
    changes = overrides.decided(bench.director, said, bench.now)
    assert not isinstance(changes, Refused)
    bench.feed(OverridesSet(changes))
    return bench


def count(bench: Bench, left: tuple[int, int, int] | None, seconds: float = 1.0) -> list[str]:
    """So many seconds later the kernel counts this for A; what was told."""
    bench.now += seconds
    key = service_key(WEB.virtual)
    found = {} if left is None else {DestinationKey(A, 80): Connections(*left)}
    bench.feed(ConnectionsCounted({key: found}))
    return bench.told()


def test_it_leaves_when_nothing_is_left() -> None:
    bench = drained()
    assert draining.watched(bench.director) == (service_key(WEB.virtual),)
    for left in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        assert count(bench, left, 60) == []
        assert bench.weights(WEB) == {A: 0, B: 3}
    assert count(bench, NOTHING) == ["drained", "table_changed"]
    assert bench.weights(WEB) == {B: 3}
    assert draining.watched(bench.director) == ()


def test_it_is_not_believed_at_once() -> None:
    bench = drained()
    assert count(bench, NOTHING) == []
    assert count(bench, NOTHING) == ["drained", "table_changed"]


def test_at_the_deadline_it_leaves_with_what_is_left() -> None:
    bench = drained(deadline=60.0)
    assert count(bench, (7, 2, 1), 59) == []
    assert count(bench, (7, 2, 1)) == ["drained", "table_changed"]
    (told,) = (one for one in bench.effects if isinstance(one, Tell) and one.event == "drained")
    assert told.level is Level.WARNING
    assert told.fields == {
        "service": "http", "real_server": f"{A}:80", "seconds": 60.0, "active": 7, "inactive": 2, "persistent": 1,
    }  # fmt: skip
    assert bench.director.overrides[NAME].left == 10


def test_it_stays_out_until_it_is_enabled_or_the_time_is_over() -> None:
    bench = drained(seconds=600.0)
    count(bench, NOTHING, 10)
    bench.hear({A: DOWN})
    bench.hear({A: UP})
    assert bench.weights(WEB) == {B: 3}
    bench.now += 590
    bench.feed(Ticked())
    assert bench.weights(WEB) == {A: 3, B: 3}
    bench = drained()
    count(bench, NOTHING, 10)
    changes = overrides.decided(bench.director, Asked(A, None, 0), bench.now)
    assert not isinstance(changes, Refused)
    bench.feed(OverridesSet(changes))
    assert bench.weights(WEB) == {A: 3, B: 3}


def test_it_is_written_down_before_the_kernel_hears_of_it() -> None:
    bench = drained()
    count(bench, NOTHING, 10)
    assert isinstance(bench.effects[0], RememberOverrides)
    assert bench.effects[0].overrides[NAME].kind is OverrideKind.DRAINED


def test_one_that_failed_and_left_already_is_drained() -> None:
    bench = drained()
    bench.hear({A: DOWN})
    assert count(bench, None, 10) == ["drained"]


def test_one_that_still_has_its_weight_is_not_drained() -> None:
    bench = Bench(config(WEB))
    bench.hear({A: UP, B: UP})
    key = service_key(WEB.virtual)
    lowered = SetDestination(key, replace(bench.kernel[key].destinations[DestinationKey(A, 80)], weight=0))
    bench.refuse = {lowered: Refusal(lowered, 12, "the kernel is out of memory")}
    bench.feed(OverridesSet({NAME: Override(OverrideKind.DRAIN, since=bench.now)}))
    assert bench.weights(WEB) == {A: 3, B: 3}
    assert count(bench, NOTHING, 10) == []


def test_another_services_count_says_nothing() -> None:
    bench = drained()
    bench.now += 10
    bench.feed(ConnectionsCounted({}))
    assert bench.effects == []


@pytest.mark.parametrize(
    ("scheduler", "flags", "on_failure", "place"),
    [
        ("wrr", 0, OnFailure.QUIESCE, None), ("sh", 8, OnFailure.REMOVE, 0), ("mh", 8, OnFailure.QUIESCE, 0),
    ],
)  # fmt: skip
def test_only_under_a_hashing_scheduler_it_keeps_its_place(
    scheduler: str, flags: int, on_failure: OnFailure, place: int | None
) -> None:
    service = replace(WEB, scheduler=scheduler, flags=flags, on_failure=on_failure)
    bench = drained(service)
    count(bench, NOTHING, 10)
    assert bench.weights(service).get(A) == place


@pytest.mark.parametrize("deadline", [0.0, -1.0, 1e9])
def test_a_deadline_that_cannot_be(deadline: float) -> None:
    bench = Bench(config(WEB))
    found = overrides.decided(bench.director, Asked(A, OverrideKind.DRAIN, 0, deadline=deadline), bench.now)
    assert isinstance(found, Refused)


def test_it_is_shown() -> None:
    bench = drained(deadline=600.0)
    mark = views.status(bench.director, bench.now).services[0].real_servers[0].override
    assert mark is not None
    assert (mark.kind, mark.deadline) == ("drain", 600.0)
    count(bench, (3, 0, 0), 600)
    mark = views.status(bench.director, bench.now).services[0].real_servers[0].override
    assert mark is not None
    assert (mark.kind, mark.deadline, mark.connections_left) == ("drained", None, 3)
    assert "drained to the end" in render.status(views.status(bench.director, bench.now))
