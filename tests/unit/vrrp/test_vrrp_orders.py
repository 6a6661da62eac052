"""The state machine under orders: tracking, sync groups, hand-overs, whispers, delays; and what version 3 learns."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import msgspec
import pytest

from config.model import VrrpInstance
from lvsd.vrrp.events import (
    Announce,
    Claim,
    Effect,
    Event,
    Heard,
    LinkChanged,
    Release,
    Resign,
    Resume,
    Send,
    Start,
    TakeOver,
    Tell,
    Unyield,
    Wake,
    Weighed,
    Whisper,
)
from lvsd.vrrp.instance import step
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.packet import Advertisement, Kind
from lvsd.vrrp.state import Instance, Standby
from lvsd.vrrp.whispers import DEAF_SECONDS, STANDBYS_LIMIT, UNHEARD_LIMIT
from tests.unit.vrrp import samples

PEER, THIRD = samples.PEER_SOURCE, "192.0.2.14"
CONFIG = samples.instance(priority=100)
VERSION_3 = samples.instance(priority=100, version=3, interval=0.1, password=None)
GROUPED = msgspec.structs.replace(CONFIG, sync_group="both")
LINK = Link(samples.OWN_SOURCE, "")


def run(instance: Instance, event: Event, now: float) -> tuple[Instance, list[Effect]]:
    after, effects = step(instance, event, now)
    return after, [effect for effect in effects if not isinstance(effect, Tell)]


def backup(config: VrrpInstance = CONFIG) -> Instance:
    seen, _ = step(Instance(config), LinkChanged(LINK), 0.0)
    return step(seen, Start(), 0.0)[0]


def active(config: VrrpInstance = CONFIG) -> Instance:
    found, _ = step(backup(config), Wake(), 100.0)
    if config.sync_group:
        found, _ = step(found, TakeOver(), 100.0)
    assert found.role is Role.ACTIVE
    return found


def advert(priority: int, source: str = PEER, interval: float = 1.0, kind: Kind = Kind.ADVERTISEMENT) -> Heard:
    return Heard(Advertisement(source, priority, (), True, interval, kind))


def whispers(effects: list[Effect]) -> list[Whisper]:
    return [effect for effect in effects if isinstance(effect, Whisper)]


# tracking


def test_initialize_weighed_counts_from_the_start() -> None:
    weighed, effects = run(Instance(CONFIG), Weighed(-30), 0.0)
    assert (weighed.priority, effects) == (70, [])
    started, _ = step(step(weighed, LinkChanged(LINK), 0.0)[0], Start(), 0.0)
    assert started.timer_at == pytest.approx(3 + (256 - 70) / 256)


def test_backup_weighed_shifts_its_deadline() -> None:
    before = backup()
    after, effects = run(before, Weighed(50), 1.0)
    assert (after.priority, effects) == (150, [])
    assert after.timer_at == pytest.approx(before.timer_at - 50 / 256)


def test_active_weighed_tells_the_others_at_once() -> None:
    after, effects = run(active(), Weighed(-40), 100.3)
    assert (after.role, effects, after.timer_at) == (Role.ACTIVE, [Send(60)], 101.3)
    assert run(after, Weighed(-40), 100.4) == (after, [])


def test_active_weighed_below_who_stands_by_hands_over() -> None:
    known, _ = run(active(), advert(90, kind=Kind.STANDBY), 100.2)
    stays, effects = run(known, Weighed(-5), 100.3)
    assert (stays.role, effects) == (Role.ACTIVE, [Send(95)])
    leaves, effects = run(known, Weighed(-20), 100.3)
    assert (leaves.role, leaves.cause) == (Role.BACKUP, Cause.PRIORITY_LOWERED)
    assert effects == [Send(0), Whisper(Kind.HANDOVER, 80, PEER), Release(CONFIG.addresses)]


def test_without_preemption_a_lower_weight_keeps_the_addresses() -> None:
    sitting = active(samples.instance(priority=100, preempt=False))
    known, _ = run(sitting, advert(90, kind=Kind.STANDBY), 100.2)
    assert run(known, Weighed(-20), 100.3)[0].role is Role.ACTIVE


def test_without_preemption_who_can_serve_nobody_lets_go_all_the_same() -> None:
    sitting = active(samples.instance(priority=100, preempt=False))
    known, _ = run(sitting, advert(90, kind=Kind.STANDBY), 100.2)
    leaves, effects = run(known, Weighed(-253), 100.3)
    assert (leaves.role, leaves.cause) == (Role.BACKUP, Cause.PRIORITY_LOWERED)
    assert Whisper(Kind.HANDOVER, 1, PEER) in effects


def test_without_preemption_who_can_serve_nobody_lets_go_when_another_can() -> None:
    sitting = active(samples.instance(priority=100, preempt=False))
    alone, _ = run(sitting, Weighed(-253), 100.2)
    still, _ = run(alone, advert(1, kind=Kind.STANDBY), 100.3)
    assert still.role is Role.ACTIVE
    leaves, _ = run(still, advert(90, kind=Kind.STANDBY), 101.3)
    assert (leaves.role, leaves.cause) == (Role.BACKUP, Cause.PRIORITY_LOWERED)
    low = active(samples.instance(priority=1, preempt=False))
    assert run(low, advert(90, kind=Kind.STANDBY), 100.3)[0].role is Role.ACTIVE


def test_without_preemption_and_known_standbys_who_can_serve_nobody_offers_the_addresses_and_keeps_them() -> None:
    sitting = active(samples.instance(priority=100, preempt=False))
    offering, effects = run(sitting, Weighed(-253), 100.2)
    assert (offering.role, effects) == (Role.ACTIVE, [Send(0)])
    assert offering.timer_at == pytest.approx(100.2 + 3 + 255 / 256)
    resumed, effects = run(offering, Wake(), offering.timer_at)
    assert (resumed.role, effects) == (Role.ACTIVE, [Send(1)])
    assert run(resumed, Weighed(-250), 110.0)[1] == []
    taken, effects = run(offering, advert(90), 101.0)
    assert (taken.role, taken.cause, effects) == (Role.BACKUP, Cause.HIGHER_PRIORITY, [Release(CONFIG.addresses)])
    well, effects = run(offering, Weighed(0), 101.0)
    assert (well.role, effects) == (Role.ACTIVE, [Send(100)])
    assert run(active(), Weighed(-253), 100.2)[1] == [Send(1)]  # who preempts does so by itself
    assert run(sitting, Weighed(-20), 100.2)[1] == [Send(80)]


@pytest.mark.parametrize(("configured", "delta", "effective"), [(100, 200, 254), (100, -200, 1), (255, -100, 255)])
def test_the_effective_priority_keeps_its_bounds(configured: int, delta: int, effective: int) -> None:
    assert replace(Instance(samples.instance(priority=configured)), weighed=delta).priority == effective


# sync groups


def test_initialize_take_over_is_ignored() -> None:
    assert run(Instance(GROUPED), TakeOver(), 1.0) == (Instance(GROUPED), [])


def test_backup_take_over_follows_a_wish_alone() -> None:
    waiting = backup(GROUPED)
    assert run(waiting, TakeOver(), 1.0) == (waiting, [])
    wants, effects = run(waiting, Wake(), 10.0)
    assert (wants.role, wants.wants, wants.timer_at, effects) == (Role.BACKUP, True, inf, [])
    taken, effects = run(wants, TakeOver(), 10.1)
    assert (taken.role, taken.cause, taken.wants) == (Role.ACTIVE, Cause.ACTIVE_ROUTER_SILENT, False)
    assert effects == [Send(100), Claim(GROUPED.addresses), Announce(GROUPED.addresses, 5)]


def test_a_wish_ends_when_the_active_router_is_heard_again() -> None:
    wants, _ = run(backup(GROUPED), Wake(), 10.0)
    calm, _ = run(wants, advert(200), 11.0)
    assert (calm.wants, calm.timer_at) == (False, 11 + calm.active_down)


def test_an_owner_in_a_group_waits_for_the_others() -> None:
    owner = msgspec.structs.replace(GROUPED, priority=255)
    begun = backup(owner)
    assert (begun.role, begun.timer_at) == (Role.BACKUP, 0.0)


def test_active_take_over_is_ignored() -> None:
    assert run(active(), TakeOver(), 100.1) == (active(), [])


# hand-overs


def test_initialize_resign_is_ignored() -> None:
    assert run(Instance(CONFIG), Resign(Cause.FAILOVER), 1.0) == (Instance(CONFIG), [])


def test_backup_resign_is_ignored() -> None:
    assert run(backup(), Resign(Cause.GROUP), 1.0) == (backup(), [])


def test_active_resign_for_a_person_yields_until_it_is_active_again() -> None:
    left, effects = run(active(), Resign(Cause.FAILOVER), 100.5)
    assert (left.role, left.cause, left.yielded) == (Role.BACKUP, Cause.FAILOVER, True)
    assert effects == [Send(0), Release(CONFIG.addresses)]
    obeys, _ = run(left, advert(50), 101.0)
    assert obeys.timer_at == 101.0 + obeys.active_down
    again, _ = run(obeys, Wake(), obeys.timer_at)
    assert (again.role, again.yielded) == (Role.ACTIVE, False)


def test_active_resign_for_its_group_does_not_yield() -> None:
    left, _ = run(active(GROUPED), Resign(Cause.GROUP), 100.5)
    assert (left.role, left.yielded) == (Role.BACKUP, False)


def test_initialize_unyield_is_ignored() -> None:
    assert run(Instance(CONFIG), Unyield(), 1.0) == (Instance(CONFIG), [])


def test_backup_unyield_preempts_again() -> None:
    left, _ = run(active(), Resign(Cause.FAILOVER), 100.5)
    obeys, _ = run(left, advert(50), 101.0)
    free, _ = run(obeys, Unyield(), 101.5)
    heard, _ = run(free, advert(50), 102.0)
    assert heard.timer_at == obeys.timer_at


def test_active_unyield_changes_nothing() -> None:
    assert run(active(), Unyield(), 100.1) == (active(), [])


# whispers


def test_a_backup_tells_whom_it_obeys_about_once_a_second_until_nobody_echoes() -> None:
    one, told = backup(), []
    for tenth in range(200):
        one, effects = run(one, advert(200, interval=0.1), tenth / 10)
        told += whispers(effects)
    assert told == [Whisper(Kind.STANDBY, 100, PEER)] * UNHEARD_LIMIT
    echoed, _ = run(one, advert(200, kind=Kind.STANDBY), 20.0)
    assert whispers(run(echoed, advert(200), 20.1)[1]) == [Whisper(Kind.STANDBY, 100, PEER)]
    assert run(one, advert(200, source=THIRD, kind=Kind.STANDBY), 20.0)[0].unheard == UNHEARD_LIMIT


def test_another_active_router_is_told_anew() -> None:
    one = backup()
    for second in range(10):
        one, _ = run(one, advert(200), float(second))
    assert whispers(run(one, advert(220, source=THIRD), 10.0)[1]) == [Whisper(Kind.STANDBY, 100, THIRD)]


def _deaf() -> Instance:
    """A backup whose active router has not echoed for long, at 10 s."""
    one = backup()
    for second in range(10):
        one, _ = run(one, advert(200), float(second))
    return one


def test_a_router_that_does_not_understand_is_left_alone_also_when_roles_change() -> None:
    one, _ = run(_deaf(), Wake(), 20.0)
    assert one.role is Role.ACTIVE
    one, _ = run(one, advert(200), 21.0)
    assert one.role is Role.BACKUP
    assert whispers(run(one, advert(200), 22.0)[1]) == []
    assert whispers(run(one, advert(200), 2.0 + DEAF_SECONDS)[1]) == [Whisper(Kind.STANDBY, 100, PEER)]


def test_a_router_that_understands_by_now_is_told_again() -> None:
    one, _ = run(_deaf(), Wake(), 20.0)
    one, _ = run(one, advert(90, kind=Kind.STANDBY), 20.5)
    one, _ = run(one, advert(200), 21.0)
    assert whispers(run(one, advert(200), 22.0)[1]) == [Whisper(Kind.STANDBY, 100, PEER)]


def test_the_active_router_echoes_and_hands_over_to_the_best_that_is_fresh() -> None:
    one = active()
    one, effects = run(one, advert(90, kind=Kind.STANDBY), 100.1)
    assert effects == [Whisper(Kind.STANDBY, 100, PEER)]
    assert run(one, advert(90, kind=Kind.STANDBY), 100.15) == (one, [])
    one, _ = run(one, advert(95, source=THIRD, kind=Kind.STANDBY), 100.2)
    assert run(one, Resign(Cause.FAILOVER), 101.0)[1][1] == Whisper(Kind.HANDOVER, 100, THIRD)
    one, _ = run(one, advert(90, kind=Kind.STANDBY), 103.0)
    assert run(one, Resign(Cause.FAILOVER), 104.0)[1][1] == Whisper(Kind.HANDOVER, 100, PEER)
    assert whispers(run(one, Resign(Cause.FAILOVER), 107.0)[1]) == []


def test_nobody_fills_the_memory_with_standbys() -> None:
    one = active()
    for number in range(100):
        one, _ = run(one, advert(90, source=f"192.0.2.{number + 20}", kind=Kind.STANDBY), 100.0 + number / 1000)
    assert len(one.standbys) == STANDBYS_LIMIT
    assert run(one, advert(90, source="192.0.2.99", kind=Kind.STANDBY), 100.5) == (one, [])
    later, _ = run(one, advert(90, source="192.0.2.99", kind=Kind.STANDBY), 110.0)
    assert later.standbys == (Standby("192.0.2.99", 90, 110.0),)


def test_who_is_chosen_takes_over_at_once() -> None:
    obeys, _ = run(backup(), advert(200), 1.0)
    taken, effects = run(obeys, advert(200, kind=Kind.HANDOVER), 1.5)
    assert (taken.role, taken.cause, effects[0]) == (Role.ACTIVE, Cause.HANDED_OVER, Send(100))
    after_zero, _ = run(obeys, advert(0), 1.4)
    assert run(after_zero, advert(200, kind=Kind.HANDOVER), 1.5)[0].role is Role.ACTIVE


def test_only_the_router_we_obey_can_choose_us() -> None:
    obeys, _ = run(backup(), advert(200), 1.0)
    assert run(obeys, advert(250, source=THIRD, kind=Kind.HANDOVER), 1.5) == (obeys, [])
    assert run(backup(), advert(250, kind=Kind.HANDOVER), 1.5)[0].role is Role.BACKUP


def test_a_member_of_a_group_that_is_chosen_waits_for_the_others() -> None:
    obeys, _ = run(backup(GROUPED), advert(200), 1.0)
    chosen, effects = run(obeys, advert(200, kind=Kind.HANDOVER), 1.5)
    assert (chosen.role, chosen.wants, effects) == (Role.BACKUP, True, [])
    assert run(chosen, TakeOver(), 1.5)[0].cause is Cause.ACTIVE_ROUTER_LEFT


def test_an_active_router_is_not_told_to_take_over() -> None:
    assert run(active(), advert(200, kind=Kind.HANDOVER), 100.1) == (active(), [])


# a router that was held up, or whose process was


def _resumed(*, preempt: bool) -> tuple[Instance, list[Effect]]:
    seen, _ = step(Instance(samples.instance(priority=100, preempt=preempt)), LinkChanged(LINK), 0.0)
    return run(seen, Resume(), 100.0)


def test_who_resumes_and_may_not_preempt_listens_first() -> None:
    one, effects = _resumed(preempt=False)
    assert (one.role, one.cause, one.timer_at, effects) == (
        Role.ACTIVE,
        Cause.RESUMED,
        101.1,
        [Claim(CONFIG.addresses)],
    )
    for late in (100.9, 101.05, 101.5):  # in time; a little late, as advertisements are; held up, and looked at first
        left, effects = run(one, advert(50), late)
        assert (left.role, left.cause, effects[0]) == (Role.BACKUP, Cause.OVERSLEPT, Release(CONFIG.addresses)), late
    stays, effects = run(one, Wake(), 101.1)
    assert (stays.role, effects) == (Role.ACTIVE, [Send(100)])
    assert run(stays, advert(50), 101.2)[0].role is Role.ACTIVE


def test_who_resumes_and_preempts_speaks_at_once() -> None:
    one, effects = _resumed(preempt=True)
    assert (one.role, effects[0]) == (Role.ACTIVE, Send(100))
    assert run(one, advert(50), 100.1)[0].role is Role.ACTIVE


def test_who_overslept_gives_way_to_whom_it_hears() -> None:
    woken, effects = run(active(), advert(50), 105.0)
    assert (woken.role, woken.cause, woken.active_router) == (Role.BACKUP, Cause.OVERSLEPT, PEER)
    assert effects == [Release(CONFIG.addresses)]
    assert woken.timer_at == 105.0 + woken.active_down


def test_who_overslept_and_hears_nobody_goes_on() -> None:
    woken, effects = run(active(), Wake(), 105.0)
    assert (woken.role, effects[0]) == (Role.ACTIVE, Send(100))
    assert run(active(), advert(0), 105.0)[0].role is Role.ACTIVE


def test_a_little_lateness_is_no_oversleeping() -> None:
    assert run(active(), advert(50), 101.9)[0].role is Role.ACTIVE


# the delay before preemption


def test_a_lower_priority_is_obeyed_until_the_delay_is_over() -> None:
    patient = backup(msgspec.structs.replace(CONFIG, preempt_delay=10.0))
    for second in range(10):
        patient, _ = run(patient, advert(50), float(second))
        assert patient.timer_at == second + patient.active_down
    due = patient.timer_at
    patient, _ = run(patient, advert(50), 10.0)
    assert patient.timer_at == due
    assert run(patient, Wake(), due)[0].role is Role.ACTIVE


def test_a_better_router_ends_the_delay() -> None:
    patient = backup(msgspec.structs.replace(CONFIG, preempt_delay=10.0))
    patient, _ = run(patient, advert(50), 0.0)
    patient, _ = run(patient, advert(200), 9.0)
    patient, _ = run(patient, advert(50), 11.0)
    assert patient.timer_at == 11.0 + patient.active_down


# version 3


def test_a_backup_learns_the_interval_of_whom_it_obeys() -> None:
    learnt, _ = run(backup(VERSION_3), advert(200, interval=2.0), 1.0)
    assert learnt.timer_at == pytest.approx(1.0 + 3 * 2.0 + 156 / 256 * 2.0)
    taken, _ = run(learnt, Wake(), learnt.timer_at)
    assert taken.timer_at == pytest.approx(learnt.timer_at + 0.1)
    left, _ = run(learnt, advert(0, interval=2.0), 2.0)
    assert left.timer_at == pytest.approx(2.0 + 156 / 256 * 2.0)


def test_version_2_learns_nothing() -> None:
    heard, _ = run(backup(), advert(200, interval=9.0), 1.0)
    assert heard.timer_at == 1.0 + 3 + 156 / 256
