"""Whether a hand-over can be begun, whom it moves, and what came of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace as changed

from config.model import VirtualAddress, VrrpInstance
from lvsd.control.messages import ErrorReply, FailoverRequest
from lvsd.core.events import VrrpCame, VrrpHeard, VrrpWent
from lvsd.core.failover import concerned, outcome, refusal, reported
from lvsd.core.state import Director
from lvsd.vrrp.messages import Cause, InstanceStatus, Role, VrrpStatus
from tests.unit.core.world import Bench, config


def instance(name: str, number: int, group: str = "") -> VrrpInstance:
    address = VirtualAddress(f"1.1.1.{number}", 24, "eth0")
    return VrrpInstance(name, "eth0", number, 200, 3, (address,), sync_group=group)


def status(name: str, role: Role = Role.ACTIVE, active_router: str = "1.1.1.1", **more: object) -> InstanceStatus:
    found = InstanceStatus(name, role, 200, active_router, 200, 0.0, Cause.START, (), 0, 0, {}, 3)
    return changed(found, **more)


INSTANCES = (instance("one", 1, "pair"), instance("two", 2, "pair"), instance("three", 3))


def director(*statuses: InstanceStatus, instances: tuple[VrrpInstance, ...] = INSTANCES) -> Director:
    bench = Bench(config(vrrp=instances))
    bench.feed(VrrpCame())
    bench.feed(VrrpHeard(VrrpStatus(1, 42, statuses)))
    return bench.director


ALL = director(*(status(one.name) for one in INSTANCES))


@pytest.mark.parametrize(
    ("names", "expected"),
    [((), ["one", "two", "three"]), (("three",), ["three"]), (("one",), ["one", "two"])],
)
def test_sync_groups_go_together(names: tuple[str, ...], expected: list[str]) -> None:
    request = FailoverRequest(names)
    assert refusal(ALL, request) is None
    assert [one.name for one in concerned(ALL, request)] == expected


def test_without_names_only_what_is_active_goes_and_only_what_yielded_returns() -> None:
    mixed = director(status("one", Role.BACKUP), status("two", Role.BACKUP), status("three", yielded=True))
    assert [one.name for one in concerned(mixed, FailoverRequest())] == ["three"]
    assert [one.name for one in concerned(mixed, FailoverRequest(back=True))] == ["three"]


def test_what_cannot_be_done_is_refused_with_a_hint() -> None:
    backup = director(*(status(one.name, Role.BACKUP, "1.1.1.2") for one in INSTANCES))
    fault = director(status("one", Role.INITIALIZE, "", fault="interface eth0 is down"), instances=INSTANCES[:1])
    there = "the active router is 1.1.1.2: ask there"
    assert refusal(ALL, FailoverRequest(("four",))) == ErrorReply(
        "no VRRP instance 'four'", "there are: one, three, two"
    )
    assert refusal(backup, FailoverRequest(("one",))) == ErrorReply("one is not active here, but backup", there)
    assert refusal(backup, FailoverRequest()) == ErrorReply("no instance is active here", there)
    assert refusal(backup, FailoverRequest(("one",), back=True)) is None
    assert refusal(backup, FailoverRequest(back=True)) == ErrorReply(
        "no instance has yielded here", "`lvsctl vrrp` shows them"
    )
    assert refusal(fault, FailoverRequest(("one",))) == ErrorReply(
        "one is not active here, but initialize", "interface eth0 is down"
    )


def test_a_vrrp_process_that_is_gone_can_hand_nothing_over() -> None:
    bench = Bench(config(vrrp=INSTANCES))
    assert refusal(bench.director, FailoverRequest()) is not None
    bench.feed(VrrpCame())
    bench.feed(VrrpHeard(VrrpStatus(1, 42, (status("one"),))))
    assert reported(bench.director).keys() == {"one"}
    bench.feed(VrrpWent())
    assert reported(bench.director) == {}
    assert refusal(bench.director, FailoverRequest()) is not None


BEFORE = status("one")
MOVED = changed(BEFORE, role=Role.BACKUP, transitions=4, active_router="", active_priority=0)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (BEFORE, None),
        (MOVED, None),
        (changed(MOVED, active_router="1.1.1.2", active_priority=0), None),  # it leaves as well
        (changed(MOVED, active_router="1.1.1.2", active_priority=100), "handed_over"),
        (changed(BEFORE, transitions=5), "taken_back"),
    ],
)
def test_handed_over_is_when_another_advertises(found: InstanceStatus, expected: str | None) -> None:
    assert outcome(INSTANCES[0], BEFORE, found, back=False) == expected


@pytest.mark.parametrize(
    ("preempt", "found", "expected"),
    [
        (True, BEFORE, "returned"),
        (True, changed(MOVED, active_priority=100), None),
        (True, changed(MOVED, active_priority=100, yielded=True), None),
        (True, changed(MOVED, active_priority=200), "released"),
        (False, changed(MOVED, active_priority=100), "released"),
        (False, changed(MOVED, active_priority=100, yielded=True), None),
    ],
)
def test_back_is_waited_for_where_it_is_to_be_expected(
    preempt: bool, found: InstanceStatus, expected: str | None
) -> None:
    assert outcome(changed(INSTANCES[0], preempt=preempt), BEFORE, found, back=True) == expected
