"""One virtual router as a state machine: step(instance, event, now) -> (instance, effects). Pure.

RFC 3768 section 6.4, in RFC 9568's words, with these differences:
- an active router answers a lower priority at once, with an advertisement and gratuitous ARP, instead of leaving
  it to its next advertisement (as keepalived does);
- a backup believes priority 0 of the router it obeys alone: another one that leaves has nothing to hand over;
- a lost link, or addresses taken away again and again, end the active role.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from math import inf

from config.model import VirtualAddress, VrrpInstance
from lvsd.vrrp.events import (
    AddressLost,
    Announce,
    Claim,
    Effect,
    Event,
    Heard,
    Link,
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
)
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.moves import (
    Step,
    announce_all,
    burst_later,
    change_role,
    compare_addresses,
    fault,
    refresh_at,
    resign,
    take_over,
    tell_once,
)
from lvsd.vrrp.packet import Advertisement
from lvsd.vrrp.state import LEAVING_PRIORITY, OWNER_PRIORITY, Instance

LOSSES_LIMIT = 5
LOSSES_WINDOW_SECONDS = 60.0
"""Addresses taken away more often than that are given up: somebody means it."""

ANSWER_PAUSE_SECONDS = 0.1
"""At most one answer (an advertisement out of turn, a burst of ARP) in that time, however many provoke it."""


def step(instance: Instance, event: Event, now: float) -> Step:
    """What becomes of the instance, and what is to be done, in this order."""
    match instance.role:
        case Role.INITIALIZE:
            return _initialize(instance, event, now)
        case Role.BACKUP:
            return _backup(instance, event, now)
        case Role.ACTIVE:
            return _active(instance, event, now)


def _initialize(instance: Instance, event: Event, now: float) -> Step:
    match event:
        case Start():
            return _start(replace(instance, started=True, since=now), now)
        case Resume():
            begun = replace(instance, started=True, since=now)
            return take_over(begun, now, Cause.RESUMED) if instance.link.fit else _start(begun, now)
        case LinkChanged(link):
            return _link_seen(instance, link, now)
        case Reconfigured(config):
            return replace(instance, config=config), ()
        case Shutdown(cause):
            return replace(instance, started=False, cause=cause), ()
        case Wake() | Heard() | Refused() | AddressLost():
            return instance, ()


def _start(instance: Instance, now: float) -> Step:
    """RFC 3768 section 6.4.1. Leftovers of a predecessor go first: a backup answers for nothing."""
    leftovers = Release(instance.config.addresses)
    if not instance.link.fit:
        return replace(instance, cause=Cause.LINK_DOWN), (leftovers, fault(instance.link))
    if instance.config.priority == OWNER_PRIORITY:
        return take_over(instance, now, Cause.START)
    backup, told = change_role(instance, Role.BACKUP, now, Cause.START, now + instance.active_down)
    return backup, (leftovers, *told)


def _link_seen(instance: Instance, link: Link, now: float) -> Step:
    """Begin again as backup when the link is fit, also as the owner: a peer has served in the meantime."""
    seen = replace(instance, link=link)
    if not instance.started or link == instance.link:
        return seen, ()
    if not link.fit:
        return seen, (fault(link),)
    wait = seen.interval + seen.skew if seen.config.priority == OWNER_PRIORITY else seen.active_down
    backup, told = change_role(seen, Role.BACKUP, now, Cause.LINK_UP, now + wait)
    return backup, (Release(seen.config.addresses), *told)


def _backup(instance: Instance, event: Event, now: float) -> Step:
    """RFC 3768 section 6.4.2."""
    match event:
        case Wake() if now >= instance.timer_at:
            left = instance.active_router != "" and instance.active_priority == LEAVING_PRIORITY
            return take_over(instance, now, Cause.ACTIVE_ROUTER_LEFT if left else Cause.ACTIVE_ROUTER_SILENT)
        case Heard(advertisement):
            return _listen(instance, advertisement, now)
        case Refused(kind, source):
            return tell_once(instance, kind.value, source)
        case LinkChanged(link):
            return _backup_link(replace(instance, link=link), now)
        case Reconfigured(config):
            return _backup_config(instance, config, now), ()
        case Shutdown(cause):
            return change_role(replace(instance, started=False), Role.INITIALIZE, now, cause)
        case Wake() | AddressLost() | Start() | Resume():
            return instance, ()


def _listen(instance: Instance, heard: Advertisement, now: float) -> Step:
    """How long to wait now. A lower priority than ours changes nothing: the time runs out, and we take over."""
    peer_known = instance.active_router in ("", heard.source)
    instance, told = compare_addresses(instance, heard)
    noted = replace(instance, active_router=heard.source, active_priority=heard.priority)
    if heard.priority == LEAVING_PRIORITY:
        hurried = replace(noted, timer_at=now + noted.skew)
        return hurried if peer_known else instance, told
    if heard.priority >= instance.config.priority or not instance.preempts:
        obeyed = replace(noted, learned_interval=heard.interval, preempt_at=inf)
        return replace(obeyed, timer_at=now + obeyed.active_down), told
    patient = _patient(noted, heard, now)
    if patient is not None:
        return patient, told
    return noted if peer_known else instance, told


def _patient(noted: Instance, heard: Advertisement, now: float) -> Instance | None:
    """A lower priority that serves is obeyed until the delay before preemption is over; None: it is over."""
    if noted.config.preempt_delay == 0 or noted.config.priority == OWNER_PRIORITY:
        return None
    until = now + noted.config.preempt_delay if noted.preempt_at == inf else noted.preempt_at
    if now >= until:
        return None
    waiting = replace(noted, learned_interval=heard.interval, preempt_at=until)
    return replace(waiting, timer_at=now + waiting.active_down)


def _backup_link(instance: Instance, now: float) -> Step:
    if instance.link.fit:
        return instance, ()
    down, told = change_role(instance, Role.INITIALIZE, now, Cause.LINK_DOWN)
    return down, (*told, fault(instance.link))


def _backup_config(instance: Instance, config: VrrpInstance, now: float) -> Instance:
    """Another rank shifts the deadline; another interval starts it anew, for the peers change theirs one by one."""
    changed = replace(instance, config=config)
    if config.advertisement_interval != instance.config.advertisement_interval:
        return replace(changed, timer_at=now + changed.active_down)
    return replace(changed, timer_at=instance.timer_at + changed.active_down - instance.active_down)


def _active(instance: Instance, event: Event, now: float) -> Step:
    """RFC 3768 section 6.4.3."""
    match event:
        case Wake():
            return _due(instance, now)
        case Heard(advertisement):
            return _contest(instance, advertisement, now)
        case Refused(kind, source):
            return tell_once(instance, kind.value, source)
        case AddressLost(addresses):
            return _restore(instance, addresses, now)
        case LinkChanged(link):
            return _active_link(replace(instance, link=link), now)
        case Reconfigured(config):
            return _reconfigure(instance, config, now)
        case Shutdown(cause):
            return resign(replace(instance, started=False), Role.INITIALIZE, now, cause)
        case Start() | Resume():
            return instance, ()


def _due(instance: Instance, now: float) -> Step:
    """Whatever of the three timers has run out."""
    effects: list[Effect] = []
    config = instance.config
    if now >= instance.timer_at:
        effects.append(Send(config.priority))
        instance = replace(instance, timer_at=now + config.advertisement_interval)
    if now >= instance.burst_at:
        effects.append(announce_all(config))
        instance = replace(instance, burst_at=inf)
    if now >= instance.refresh_at:
        effects.append(Announce(config.addresses, 1))
        instance = replace(instance, refresh_at=refresh_at(config, now))
    return instance, tuple(effects)


def _contest(instance: Instance, heard: Advertisement, now: float) -> Step:
    """Another router advertises too. Of two equal ones the higher address goes on."""
    instance, told = compare_addresses(instance, heard)
    ours = (instance.config.priority, ip_address(instance.link.source))
    if (heard.priority, ip_address(heard.source)) > ours:
        beaten = replace(instance, active_router=heard.source, active_priority=heard.priority)
        beaten = replace(beaten, learned_interval=heard.interval)
        backup, moved = change_role(beaten, Role.BACKUP, now, Cause.HIGHER_PRIORITY, now + beaten.active_down)
        return backup, (Release(instance.config.addresses), *told, *moved)
    if now - instance.answered_at < ANSWER_PAUSE_SECONDS:
        return instance, told
    answered = replace(instance, answered_at=now, timer_at=now + instance.config.advertisement_interval)
    if heard.priority == LEAVING_PRIORITY:
        return answered, (Send(instance.config.priority), *told)
    tell = Tell("info", "lower_priority_answered", (("router", heard.source), ("priority", heard.priority)))
    answer = (Send(instance.config.priority), announce_all(instance.config))
    return burst_later(answered, now), (*answer, *told, tell)


def _restore(instance: Instance, lost: tuple[VirtualAddress, ...], now: float) -> Step:
    """Put them back, or give in when that has been done too often.

    Giving in waits a whole active-down interval, not the skew time: a peer of lower priority, whose skew time is
    longer, must get its turn.
    """
    recent = (*(moment for moment in instance.losses if now - moment < LOSSES_WINDOW_SECONDS), now)
    robbed = replace(instance, losses=recent[-LOSSES_LIMIT - 1 :])
    fields = (("addresses", ",".join(address.address for address in lost)), ("times", len(recent)))
    if len(recent) > LOSSES_LIMIT:
        backup, effects = resign(robbed, Role.BACKUP, now, Cause.ADDRESS_LOST, now + instance.active_down)
        return backup, (*effects, Tell("warning", "virtual_address_given_up", fields))
    announce = Announce(lost, instance.config.gratuitous_arp.repeat)
    return robbed, (Claim(lost), announce, Tell("warning", "virtual_address_restored", fields))


def _active_link(instance: Instance, now: float) -> Step:
    if instance.link.fit:
        return replace(instance, active_router=instance.link.source), ()
    down, effects = resign(instance, Role.INITIALIZE, now, Cause.LINK_DOWN)
    return down, (*effects, fault(instance.link))


def _reconfigure(instance: Instance, config: VrrpInstance, now: float) -> Step:
    """Change in place: new addresses first, then tell the peers, and only then let old addresses go."""
    added = tuple(address for address in config.addresses if address not in instance.config.addresses)
    removed = tuple(address for address in instance.config.addresses if address not in config.addresses)
    timer_at = now + config.advertisement_interval
    changed = replace(instance, config=config, active_priority=config.priority, timer_at=timer_at)
    changed = replace(changed, refresh_at=refresh_at(config, now))
    effects: list[Effect] = [Claim(added)] if added else []
    effects.append(Send(config.priority))
    if added:
        effects.append(Announce(added, config.gratuitous_arp.repeat))
        changed = burst_later(changed, now)
    if removed:
        effects.append(Release(removed))
    return changed, tuple(effects)
