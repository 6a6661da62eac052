"""Every (role, event) pair of the state machine has a test here, and one test proves that.

A test's name begins with `test_ROLE_EVENT_`. The figures are those measured of keepalived.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import get_args

import msgspec
import pytest

from config.model import GratuitousArp, VirtualAddress, VrrpInstance
from lvsd.vrrp.active import ANSWER_PAUSE_SECONDS, LOSSES_LIMIT, LOSSES_WINDOW_SECONDS
from lvsd.vrrp.drops import Drop
from lvsd.vrrp.events import (
    AddressLost,
    Announce,
    Claim,
    Effect,
    Event,
    Heard,
    LinkChanged,
    Reconfigured,
    Refused,
    Release,
    Resume,
    Send,
    Shutdown,
    Start,
    Tell,
    Wake,
    Whisper,
)
from lvsd.vrrp.instance import step
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.packet import Advertisement
from lvsd.vrrp.state import Instance
from tests.unit.vrrp import samples, test_vrrp_orders

CONFIG = samples.instance(priority=100)
OWNER = samples.instance(priority=255)
ADDRESSES = CONFIG.addresses
LINK = Link(samples.OWN_SOURCE, "")
DOWN = Link("", "eth0 is down")
LOWER, HIGHER = "192.0.2.2", "192.0.2.99"  # than our own source
BURST = Announce(ADDRESSES, 5)
SKEW = 156 / 256
ACTIVE_DOWN = 3 + SKEW


def _do(instance: Instance, event: Event, now: float) -> tuple[Instance, list[Effect]]:
    """A step, without what it tells and whispers."""
    after, effects = step(instance, event, now)
    return after, [effect for effect in effects if not isinstance(effect, Tell | Whisper)]


def _told(instance: Instance, event: Event, now: float) -> list[str]:
    return [effect.event for effect in step(instance, event, now)[1] if isinstance(effect, Tell)]


def _advert(priority: int, source: str = HIGHER, *, agree: bool = True) -> Heard:
    return Heard(Advertisement(source, priority, (), agree))


def _initialize(config: VrrpInstance = CONFIG, link: Link = LINK) -> Instance:
    return step(Instance(config), LinkChanged(link), 0.0)[0]


def _backup(config: VrrpInstance = CONFIG, now: float = 100.0) -> Instance:
    return step(_initialize(config), Start(), now)[0]


def _active(config: VrrpInstance = CONFIG, now: float = 200.0) -> Instance:
    backup = _backup(config, now - 300)
    if backup.role is Role.BACKUP:
        return step(backup, Wake(), now)[0]
    return step(replace(backup, since=now), Wake(), now)[0]


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def test_every_role_and_event_has_a_test() -> None:
    wanted = {f"test_{role.value}_{_snake(event.__name__)}_" for role in Role for event in get_args(Event)}
    assert len(wanted) == 39
    names = {*globals(), *vars(test_vrrp_orders)}
    assert {prefix for prefix in wanted if not any(name.startswith(prefix) for name in names)} == set()


# initialize


def test_initialize_start_becomes_backup_and_removes_leftovers() -> None:
    after, effects = _do(_initialize(), Start(), 100.0)
    assert (after.role, after.cause, after.since) == (Role.BACKUP, Cause.START, 100.0)
    assert after.wake_at == 100 + ACTIVE_DOWN
    assert effects == [Release(ADDRESSES)]


def test_initialize_start_of_the_owner_is_active_at_once() -> None:
    after, effects = _do(_initialize(OWNER), Start(), 100.0)
    assert (after.role, after.cause) == (Role.ACTIVE, Cause.START)
    assert effects == [Send(255), Claim(ADDRESSES), BURST]


def test_initialize_start_without_a_link_waits_and_says_why() -> None:
    idle = _initialize(link=DOWN)
    after, effects = _do(idle, Start(), 100.0)
    assert (after.role, after.cause, after.wake_at) == (Role.INITIALIZE, Cause.LINK_DOWN, inf)
    assert effects == [Release(ADDRESSES)]
    assert _told(idle, Start(), 100.0) == ["vrrp_fault"]


def test_initialize_resume_is_active_at_once_and_removes_nothing() -> None:
    after, effects = _do(_initialize(), Resume(), 100.0)
    assert (after.role, after.cause) == (Role.ACTIVE, Cause.RESUMED)
    assert effects == [Send(100), Claim(ADDRESSES), BURST]
    assert after.active_router == samples.OWN_SOURCE


def test_initialize_resume_without_a_link_is_a_start() -> None:
    after, effects = _do(_initialize(link=DOWN), Resume(), 100.0)
    assert after.role is Role.INITIALIZE
    assert effects == [Release(ADDRESSES)]


def test_initialize_link_changed_listens_a_whole_interval_when_the_link_comes_up() -> None:
    waiting = step(_initialize(link=DOWN), Start(), 100.0)[0]
    after, effects = _do(waiting, LinkChanged(LINK), 150.0)
    assert (after.role, after.cause, after.wake_at) == (Role.BACKUP, Cause.LINK_UP, 150 + ACTIVE_DOWN)
    assert effects == [Release(ADDRESSES)]


def test_initialize_link_changed_lets_the_owner_listen_one_advertisement() -> None:
    waiting = step(_initialize(OWNER, DOWN), Start(), 100.0)[0]
    after, _ = _do(waiting, LinkChanged(LINK), 150.0)
    assert (after.role, after.wake_at) == (Role.BACKUP, 150 + 1 + 1 / 256)


def test_initialize_link_changed_before_the_start_is_only_noted() -> None:
    after, effects = step(Instance(CONFIG), LinkChanged(LINK), 0.0)
    assert (after.role, after.link, effects) == (Role.INITIALIZE, LINK, ())


def test_initialize_link_changed_tells_another_fault_once() -> None:
    waiting = step(_initialize(link=DOWN), Start(), 100.0)[0]
    other = Link("", "eth0 has no IPv4 address")
    assert _told(waiting, LinkChanged(other), 101.0) == ["vrrp_fault"]
    assert _told(waiting, LinkChanged(DOWN), 101.0) == []


def test_initialize_reconfigured_is_kept_for_the_start() -> None:
    after, effects = step(_initialize(), Reconfigured(OWNER), 1.0)
    assert (after.config, after.role, effects) == (OWNER, Role.INITIALIZE, ())


def test_initialize_shutdown_stays_down_when_the_link_comes_up() -> None:
    waiting = step(_initialize(link=DOWN), Start(), 100.0)[0]
    stopped, effects = step(waiting, Shutdown(), 101.0)
    assert (stopped.cause, effects) == (Cause.SHUTDOWN, ())
    assert step(stopped, LinkChanged(LINK), 102.0)[0].role is Role.INITIALIZE


@pytest.mark.parametrize("event", [Wake(), _advert(250), Refused(Drop.TTL, HIGHER), AddressLost(ADDRESSES)])
def test_initialize_ignores(event: Event) -> None:
    assert step(_initialize(), event, 5.0) == (_initialize(), ())


test_initialize_wake_ = test_initialize_heard_ = test_initialize_refused_ = test_initialize_ignores
test_initialize_address_lost_ = test_initialize_ignores


# backup


def test_backup_wake_takes_over_in_order() -> None:
    backup = _backup()
    after, effects = _do(backup, Wake(), backup.wake_at)
    assert (after.role, after.cause) == (Role.ACTIVE, Cause.ACTIVE_ROUTER_SILENT)
    assert effects == [Send(100), Claim(ADDRESSES), BURST]
    assert (after.timer_at, after.burst_at) == (backup.wake_at + 1, backup.wake_at + 5)
    assert (after.active_router, after.active_priority) == (samples.OWN_SOURCE, 100)


def test_backup_wake_too_early_does_nothing() -> None:
    backup = _backup()
    assert step(backup, Wake(), backup.wake_at - 0.001) == (backup, ())


@pytest.mark.parametrize(("priority", "source"), [(101, HIGHER), (100, LOWER), (100, HIGHER), (255, LOWER)])
def test_backup_heard_as_high_or_higher_waits_anew(priority: int, source: str) -> None:
    after, effects = _do(_backup(), _advert(priority, source), 103.0)
    assert (after.wake_at, effects) == (103 + ACTIVE_DOWN, [])
    assert (after.active_router, after.active_priority) == (source, priority)


def test_backup_heard_lower_neither_resets_nor_shortens() -> None:
    backup = _backup()
    after, effects = step(backup, _advert(99), 103.0)
    assert (after.wake_at, after.active_router, effects) == (backup.wake_at, HIGHER, ())


def test_backup_heard_lower_without_preemption_is_obeyed() -> None:
    after, _ = step(_backup(samples.instance(priority=100, preempt=False)), _advert(99), 103.0)
    assert after.wake_at == 103 + ACTIVE_DOWN


def test_backup_heard_lower_as_owner_preempts_whatever_is_configured() -> None:
    owner = step(_initialize(samples.instance(priority=255, preempt=False), DOWN), Start(), 100.0)[0]
    listening = step(owner, LinkChanged(LINK), 100.0)[0]
    assert step(listening, _advert(254), 100.5)[0].wake_at == listening.wake_at


def test_backup_heard_priority_zero_hurries_by_rank() -> None:
    obeying = step(_backup(), _advert(200), 101.0)[0]
    after, _ = step(obeying, _advert(0), 102.0)
    assert after.wake_at == 102 + SKEW
    assert step(after, Wake(), after.wake_at)[0].cause is Cause.ACTIVE_ROUTER_LEFT


def test_backup_heard_priority_zero_of_nobody_known_hurries() -> None:
    assert step(_backup(), _advert(0), 102.0)[0].wake_at == 102 + SKEW


def test_backup_heard_priority_zero_of_another_router_is_not_the_active_ones() -> None:
    obeying = step(_backup(), _advert(200), 101.0)[0]
    assert step(obeying, _advert(0, LOWER), 102.0)[0] == obeying


def test_backup_heard_lower_of_another_router_does_not_hide_the_active_one() -> None:
    obeying = step(_backup(), _advert(200), 101.0)[0]
    assert step(obeying, _advert(50, LOWER), 102.0)[0] == obeying


def test_backup_heard_with_other_addresses_is_obeyed_and_told_once() -> None:
    odd = _advert(200, agree=False)
    after, effects = step(_backup(), odd, 103.0)
    assert after.wake_at == 103 + ACTIVE_DOWN
    assert [effect.event for effect in effects if isinstance(effect, Tell)] == ["advertised_addresses_differed"]
    assert _told(after, odd, 104.0) == []


def test_backup_refused_is_told_once_a_kind() -> None:
    backup = _backup()
    after, effects = _do(backup, Refused(Drop.CHECKSUM, HIGHER), 101.0)
    assert (after.wake_at, effects) == (backup.wake_at, [])
    assert _told(backup, Refused(Drop.CHECKSUM, HIGHER), 101.0) == ["advertisement_dropped"]
    assert _told(after, Refused(Drop.CHECKSUM, HIGHER), 102.0) == []
    assert _told(after, Refused(Drop.TTL, HIGHER), 102.0) == ["advertisement_dropped"]


def test_backup_link_changed_to_a_fault_initializes() -> None:
    after, effects = _do(_backup(), LinkChanged(DOWN), 102.0)
    assert (after.role, after.cause, after.wake_at, effects) == (Role.INITIALIZE, Cause.LINK_DOWN, inf, [])
    assert (after.active_router, after.active_priority) == ("", 0)


def test_backup_link_changed_to_another_source_goes_on() -> None:
    backup = _backup()
    other = Link("192.0.2.44", "")
    assert step(backup, LinkChanged(other), 102.0) == (replace(backup, link=other), ())


def test_backup_reconfigured_with_another_priority_shifts_the_deadline() -> None:
    backup = _backup()
    after, effects = step(backup, Reconfigured(samples.instance(priority=228)), 101.0)
    assert (after.wake_at, effects) == (backup.wake_at - 0.5, ())


def test_backup_reconfigured_with_another_interval_waits_anew() -> None:
    after, _ = step(_backup(), Reconfigured(samples.instance(priority=100, interval=2.0)), 101.0)
    assert after.wake_at == 101 + 6 + SKEW


def test_backup_shutdown_says_nothing_to_the_network() -> None:
    after, effects = _do(_backup(), Shutdown(), 101.0)
    assert (after.role, after.cause, after.started, after.wake_at) == (Role.INITIALIZE, Cause.SHUTDOWN, False, inf)
    assert effects == []


@pytest.mark.parametrize("event", [AddressLost(ADDRESSES), Start(), Resume()])
def test_backup_ignores(event: Event) -> None:
    assert step(_backup(), event, 101.0) == (_backup(), ())


test_backup_address_lost_ = test_backup_start_ = test_backup_resume_ = test_backup_ignores


# active


def test_active_wake_advertises_each_interval() -> None:
    active = _active()
    after, effects = step(active, Wake(), 201.0)
    assert (after.timer_at, effects) == (202.0, (Send(100),))


def test_active_wake_with_nothing_due_does_nothing() -> None:
    assert step(_active(), Wake(), 200.5) == (_active(), ())


def test_active_wake_repeats_the_burst_once_after_the_delay() -> None:
    after, effects = step(_active(), Wake(), 205.0)
    assert effects == (Send(100), BURST)
    assert after.burst_at == inf


def test_active_wake_refreshes_as_configured() -> None:
    config = msgspec.structs.replace(CONFIG, gratuitous_arp=GratuitousArp(repeat=2, delay=0, refresh=10))
    active = _active(config)
    assert (active.burst_at, active.refresh_at) == (inf, 210.0)
    after, effects = step(active, Wake(), 210.0)
    assert effects == (Send(100), Announce(ADDRESSES, 1))
    assert after.refresh_at == 220.0


@pytest.mark.parametrize(("priority", "source"), [(101, LOWER), (255, LOWER), (100, HIGHER)])
def test_active_heard_higher_gives_way_without_priority_zero(priority: int, source: str) -> None:
    after, effects = _do(_active(), _advert(priority, source), 200.5)
    assert (after.role, after.cause) == (Role.BACKUP, Cause.HIGHER_PRIORITY)
    assert after.wake_at == 200.5 + ACTIVE_DOWN
    assert (after.active_router, after.active_priority) == (source, priority)
    assert effects == [Release(ADDRESSES)]


@pytest.mark.parametrize(("priority", "source"), [(99, HIGHER), (1, HIGHER), (100, LOWER)])
def test_active_heard_lower_is_answered_at_once(priority: int, source: str) -> None:
    after, effects = _do(_active(), _advert(priority, source), 200.5)
    assert after.role is Role.ACTIVE
    assert effects == [Send(100), BURST]
    assert (after.timer_at, after.burst_at) == (201.5, 205.5)


def test_active_heard_equal_addresses_are_compared_as_numbers() -> None:
    after, _ = _do(_active(), _advert(100, "192.0.2.9"), 200.5)
    assert after.role is Role.ACTIVE


def test_active_heard_priority_zero_is_answered_by_one_advertisement() -> None:
    after, effects = _do(_active(), _advert(0), 200.5)
    assert (after.role, effects) == (Role.ACTIVE, [Send(100)])


def test_active_heard_a_flood_is_answered_now_and_then() -> None:
    active, answers = _active(), 0
    for number in range(1000):
        active, effects = _do(active, _advert(number % 2, HIGHER), 200.5 + number / 1000)
        answers += len(effects) > 0
    assert answers <= 1 / ANSWER_PAUSE_SECONDS + 1


def test_active_heard_two_owners_the_higher_address_stays() -> None:
    after, _ = _do(_active(OWNER), _advert(255, HIGHER), 200.5)
    assert after.role is Role.BACKUP
    after, _ = _do(_active(OWNER), _advert(255, LOWER), 200.5)
    assert after.role is Role.ACTIVE


def test_active_refused_changes_nothing_and_is_told() -> None:
    after, effects = _do(_active(), Refused(Drop.AUTH_FAILURE, HIGHER), 200.5)
    assert (after.role, after.wake_at, effects) == (Role.ACTIVE, 201.0, [])
    assert _told(_active(), Refused(Drop.AUTH_FAILURE, HIGHER), 200.5) == ["advertisement_dropped"]


def test_active_address_lost_is_put_back_at_once() -> None:
    lost = ADDRESSES[:1]
    after, effects = _do(_active(), AddressLost(lost), 200.5)
    assert after.role is Role.ACTIVE
    assert effects == [Claim(lost), Announce(lost, 5)]


def test_active_address_lost_too_often_is_given_up() -> None:
    active = _active()
    for number in range(LOSSES_LIMIT):
        active, effects = _do(active, AddressLost(ADDRESSES[:1]), 201.0 + number)
        assert active.role is Role.ACTIVE
    after, effects = _do(active, AddressLost(ADDRESSES[:1]), 207.0)
    assert (after.role, after.cause) == (Role.BACKUP, Cause.ADDRESS_LOST)
    assert effects == [Send(0), Release(ADDRESSES)]
    assert after.wake_at == 207 + ACTIVE_DOWN
    assert after.active_router == ""


def test_active_address_lost_now_and_then_is_put_back_for_ever() -> None:
    active = _active()
    for number in range(LOSSES_LIMIT * 4):
        moment = 201.0 + number * LOSSES_WINDOW_SECONDS / LOSSES_LIMIT
        active = _do(active, AddressLost(ADDRESSES), moment)[0]
        assert active.role is Role.ACTIVE
    assert len(active.losses) <= LOSSES_LIMIT + 1


def test_active_link_changed_to_a_fault_resigns() -> None:
    after, effects = _do(_active(), LinkChanged(DOWN), 200.5)
    assert (after.role, after.cause, after.wake_at) == (Role.INITIALIZE, Cause.LINK_DOWN, inf)
    assert effects == [Send(0), Release(ADDRESSES)]
    assert _told(_active(), LinkChanged(DOWN), 200.5) == ["vrrp_role_changed", "vrrp_fault"]


def test_active_link_changed_to_another_source_speaks_from_there() -> None:
    after, effects = step(_active(), LinkChanged(Link("192.0.2.44", "")), 200.5)
    assert (after.role, after.active_router, effects) == (Role.ACTIVE, "192.0.2.44", ())


def test_active_reconfigured_adds_before_it_removes() -> None:
    old, kept = ADDRESSES
    new = VirtualAddress("192.0.2.105", 24, "eth0")
    config = msgspec.structs.replace(CONFIG, addresses=(kept, new))
    after, effects = _do(_active(), Reconfigured(config), 200.5)
    assert after.role is Role.ACTIVE
    assert effects == [Claim((new,)), Send(100), Announce((new,), 5), Release((old,))]


def test_active_reconfigured_with_a_lower_priority_stays_and_says_so() -> None:
    after, effects = _do(_active(), Reconfigured(samples.instance(priority=50)), 200.5)
    assert (after.role, after.active_priority, after.timer_at) == (Role.ACTIVE, 50, 201.5)
    assert effects == [Send(50)]


def test_active_reconfigured_with_another_interval_advertises_by_it() -> None:
    after, _ = _do(_active(), Reconfigured(samples.instance(priority=100, interval=3.0)), 200.5)
    assert after.timer_at == 203.5


@pytest.mark.parametrize("cause", [Cause.SHUTDOWN, Cause.RELOAD])
def test_active_shutdown_sends_priority_zero_and_releases(cause: Cause) -> None:
    after, effects = _do(_active(), Shutdown(cause), 200.5)  # type: ignore[arg-type] # (pytest's parameters are wider)
    assert (after.role, after.cause, after.started) == (Role.INITIALIZE, cause, False)
    assert effects == [Send(0), Release(ADDRESSES)]
    assert step(after, LinkChanged(LINK), 201.0)[0].role is Role.INITIALIZE


@pytest.mark.parametrize("event", [Start(), Resume()])
def test_active_ignores(event: Event) -> None:
    assert step(_active(), event, 200.5) == (_active(), ())


test_active_start_ = test_active_resume_ = test_active_ignores


def test_a_burst_still_to_come_is_forgotten_with_the_role() -> None:
    beaten = step(_active(), _advert(200), 200.5)[0]
    assert beaten.burst_at == inf
    assert beaten.refresh_at == inf


def test_what_is_told_of_a_change_of_role() -> None:
    effects = step(_active(), _advert(200), 200.5)[1]
    assert (
        Tell(
            "info",
            "vrrp_role_changed",
            (
                ("before", "active"),
                ("after", "backup"),
                ("cause", "higher_priority"),
                ("priority", 100),
                ("active_router", HIGHER),
            ),
        )
        in effects
    )


def test_a_loop_that_brings_back_our_own_advertisement_does_not_unseat_us() -> None:
    after, _ = _do(_active(), _advert(100, samples.OWN_SOURCE), 200.5)
    assert after.role is Role.ACTIVE


def test_a_new_role_may_tell_each_kind_again() -> None:
    backup = step(_backup(), Refused(Drop.TTL, HIGHER), 101.0)[0]
    active = step(backup, Wake(), backup.wake_at)[0]
    assert _told(active, Refused(Drop.TTL, HIGHER), 300.0) == ["advertisement_dropped"]
