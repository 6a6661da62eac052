"""Slices: whole services, touched ones first, the sweep at the end, and refusals that come in several answers."""

from __future__ import annotations

import errno
from unittest.mock import patch

import pytest

from checkers.core.messages import State
from config.model import VirtualService
from lvsd.core import slices
from lvsd.core.director import step
from lvsd.core.effects import Apply, Effect, Yield
from lvsd.core.events import ConfigChanged, PlanApplied, Resumed, Ticked
from lvsd.core.identity import service_key
from lvsd.core.reconcile import applied
from lvsd.core.state import Director
from netlink.errors import Refusal
from netlink.operations import AddDestination, AddService, DeleteService, Operation
from netlink.table import Destination, DestinationKey, Service
from tests.unit.core.world import Bench, config, real, virtual

A, B = "1.1.1.21", "1.1.1.22"
FIRST, SECOND, THIRD = (virtual(real(A), real(B), port=port, name=str(port)) for port in (25, 80, 443))


@pytest.fixture(autouse=True)
def one_service_at_a_time() -> object:
    with patch.object(slices, "SLICE_REAL_SERVERS", 1):
        yield


def keys(services: tuple[VirtualService, ...]) -> list[object]:
    return [service_key(one.virtual) for one in services]


def plans(effects: list[Effect]) -> list[tuple[Operation, ...]]:
    return [one.operations for one in effects if isinstance(one, Apply)]


def test_a_slice_is_whole_services() -> None:
    with patch.object(slices, "SLICE_REAL_SERVERS", 6):
        waiting = slices.due(Director(config=config(FIRST, SECOND, THIRD)), None)
        left, chosen, sweep = slices.taken(waiting)
        assert keys(chosen) == keys((FIRST, SECOND))
        assert not sweep
        left, chosen, sweep = slices.taken(left)
        assert keys(chosen) == keys((THIRD,))
        assert sweep
        assert slices.taken(left)[1:] == ((), False)


def test_what_is_touched_overtakes_what_waits() -> None:
    waiting = slices.due(Director(config=config(FIRST, SECOND, THIRD)), None)
    urgent = slices.due(waiting, slices.by_key((THIRD,)))
    left, chosen, _ = slices.taken(urgent)
    assert keys(chosen) == keys((THIRD,))
    assert list(left.unsettled.services) == keys((FIRST, SECOND))


def test_each_slice_is_a_plan_of_its_own_and_deletions_come_last() -> None:
    bench = Bench(config(FIRST, SECOND, virtual(port=8080)))
    bench.hear({A: State.UP, B: State.UP})
    changed = [virtual(real(A), port=port, name=str(port)) for port in (25, 80)]
    sent = plans(bench.feed(ConfigChanged(config(*changed, THIRD))))
    assert len(sent) == 3
    assert isinstance(sent[2][0], AddService)
    assert sent[2][-1] == DeleteService(service_key(virtual(port=8080).virtual))


def test_others_have_their_turn_between_two_slices() -> None:
    director, effects = step(Bench(config()).director, ConfigChanged(config(FIRST, SECOND)), 1.0)
    assert effects.count(Yield()) == 1
    assert len(director.unsettled.services) == 1
    director, effects = step(director, Resumed(), 1.0)
    assert Yield() not in effects
    assert not director.unsettled.services


def test_a_tick_goes_on_where_a_slice_was_lost() -> None:
    director, _ = step(Bench(config()).director, ConfigChanged(config(FIRST, SECOND)), 1.0)
    assert Yield() in step(director, Ticked(), 2.0)[1]


def test_a_reload_while_slices_wait_leaves_nothing_of_the_old_configuration() -> None:
    director, _ = step(Bench(config()).director, ConfigChanged(config(FIRST, SECOND, THIRD)), 1.0)
    director, effects = step(director, ConfigChanged(config(FIRST)), 2.0)
    assert set(director.unsettled.services) <= {service_key(FIRST.virtual)}
    while Yield() in effects:
        director, effects = step(director, Resumed(), 2.0)
    assert not director.unsettled.services


def test_what_waits_still_waits_after_a_reload() -> None:
    director, _ = step(Bench(config()).director, ConfigChanged(config(FIRST, SECOND, THIRD)), 1.0)
    director, effects = step(director, ConfigChanged(config(FIRST, SECOND, THIRD)), 2.0)
    sent = plans(list(effects))
    while Yield() in effects:
        director, effects = step(director, Resumed(), 2.0)
        sent += plans(list(effects))
    added = [one.service.key for operations in sent for one in operations if isinstance(one, AddService)]
    assert added == keys((SECOND, THIRD))


def test_what_is_deleted_at_the_end_was_there_before() -> None:
    key = service_key(FIRST.virtual)
    peer = Destination(DestinationKey(A, 80), 3, 1)
    operations = (AddService(Service(key, "wrr")), AddDestination(key, peer), DeleteService(key))
    assert applied({}, operations) == {}


def test_a_reload_forgets_what_is_gone_and_keeps_what_stays() -> None:
    bench = Bench(config(FIRST, SECOND))
    bench.hear({A: State.UP, B: State.UP})
    before = bench.director
    bench.feed(ConfigChanged(config(virtual(real(A), port=25, name="25"))))
    after = bench.director
    gone = {name for name in before.announced if name not in after.announced}
    assert gone == {name for name in before.announced if ":80" in name.split(" > ")[0] or name.endswith(f"{B}:80")}
    assert set(after.quorum) == {service_key(FIRST.virtual)}


def test_refusals_of_several_slices_are_one_failure() -> None:
    bench = Bench(config(FIRST, SECOND))
    peer = Destination(DestinationKey(A, 80), 3, 1)
    refused = [Refusal(AddDestination(service_key(one.virtual), peer), errno.EINVAL, "no") for one in (FIRST, SECOND)]
    director = bench.director
    for one in refused:
        director, _ = step(director, PlanApplied((one.operation,), (one,)), 100.0)
    assert director.kernel.refusals == tuple(refused)
    assert (director.kernel.failures, director.kernel.retry_at) == (1, 101.0)
    later, _ = step(director, Ticked(), 100.5)
    assert later.kernel.refusals == tuple(refused)


def test_a_refusal_after_the_retry_counts_anew() -> None:
    bench = Bench(config(FIRST))
    bench.hear({A: State.UP})
    operation = DeleteService(service_key(FIRST.virtual))
    one = Refusal(operation, errno.EINVAL, "no")
    director, _ = step(bench.director, PlanApplied((operation,), (one,)), 100.0)
    director, _ = step(director, PlanApplied((operation,), (one,)), 101.0)
    assert (director.kernel.failures, director.kernel.retry_at) == (2, 103.0)
