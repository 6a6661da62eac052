"""What the active router does. Pure. RFC 3768 section 6.4.3, RFC 9568 section 6.4.3."""

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
    LinkChanged,
    Reconfigured,
    Refused,
    Release,
    Resign,
    Resume,
    Send,
    Shutdown,
    Start,
    TakeOver,
    Tell,
    Unyield,
    Wake,
    Weighed,
)
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.moves import (
    Step,
    announce_all,
    burst_later,
    change_role,
    compare_addresses,
    fault,
    listens_until,
    refresh_at,
    resign,
    tell_once,
)
from lvsd.vrrp.packet import Advertisement, Kind
from lvsd.vrrp.state import LEAVING_PRIORITY, LOWEST_PRIORITY, Instance
from lvsd.vrrp.whispers import noted, successor

LOSSES_LIMIT = 5
LOSSES_WINDOW_SECONDS = 60.0
"""Addresses taken away more often than that are given up: somebody means it."""

ANSWER_PAUSE_SECONDS = 0.1
"""At most one answer (an advertisement out of turn, a burst of ARP) in that time, however many provoke it."""

ANSWERS_TOLD_SECONDS = 10.0
"""So often at most the journal hears of it: nobody fills it from outside."""


def active(instance: Instance, event: Event, now: float) -> Step:  # noqa: C901, PLR0911  # a case for each event
    """One event in this role."""
    match event:
        case Wake():
            return _due(instance, now)
        case Heard(advertisement):
            return _heard(instance, advertisement, now)
        case Refused(kind, source):
            return tell_once(instance, kind.value, source)
        case AddressLost(addresses):
            return _restore(instance, addresses, now)
        case LinkChanged(link):
            return _link(replace(instance, link=link), now)
        case Reconfigured(config):
            return _reconfigure(instance, config, now)
        case Weighed(delta):
            return _weigh(instance, delta, now)
        case Resign(cause):
            yielded = replace(instance, yielded=cause is Cause.FAILOVER)
            return resign(yielded, Role.BACKUP, now, cause, now + instance.active_down)
        case Shutdown(cause):
            return resign(replace(instance, started=False), Role.INITIALIZE, now, cause)
        case Start() | Resume() | TakeOver() | Unyield():
            return instance, ()


def _due(instance: Instance, now: float) -> Step:
    """Whatever of the three timers has run out."""
    effects: list[Effect] = []
    config = instance.config
    if now >= instance.timer_at:
        effects.append(Send(instance.priority))
        instance = replace(instance, timer_at=now + config.advertisement_interval)
    if now >= instance.burst_at:
        effects.append(announce_all(config))
        instance = replace(instance, burst_at=inf)
    if now >= instance.refresh_at:
        effects.append(Announce(config.addresses, 1))
        instance = replace(instance, refresh_at=refresh_at(config, now))
    return instance, tuple(effects)


def _heard(instance: Instance, heard: Advertisement, now: float) -> Step:
    match heard.kind:
        case Kind.ADVERTISEMENT:
            return _contest(instance, heard, now)
        case Kind.STANDBY:
            known, whispers = noted(instance, heard, now)
            if instance.weighed < 0 and not instance.config.preempt and _is_outranked(known, now):
                return resign(known, Role.BACKUP, now, Cause.PRIORITY_LOWERED, now + known.active_down)
            return known, whispers
        case Kind.HANDOVER:
            return instance, ()


def _contest(instance: Instance, heard: Advertisement, now: float) -> Step:
    """Another router advertises too. Of two equal ones the higher address goes on."""
    instance, told = compare_addresses(instance, heard)
    ours = (instance.priority, ip_address(instance.link.source))
    if (heard.priority, ip_address(heard.source)) > ours:
        beaten = _obedient(instance, heard)
        backup, moved = change_role(beaten, Role.BACKUP, now, Cause.HIGHER_PRIORITY, now + beaten.active_down)
        return backup, (Release(instance.config.addresses), *told, *moved)
    if _overslept(instance, now) and heard.priority != LEAVING_PRIORITY:
        return _give_way(instance, heard, now)
    if now - instance.answered_at < ANSWER_PAUSE_SECONDS:
        return instance, told
    answered = replace(instance, answered_at=now, timer_at=now + instance.config.advertisement_interval)
    if heard.priority == LEAVING_PRIORITY:
        return answered, (Send(instance.priority), *told)
    answered, tell = _answer_told(answered, heard, now)
    answer = (Send(instance.priority), announce_all(instance.config))
    return burst_later(answered, now), (*answer, *told, *tell)


def _answer_told(instance: Instance, heard: Advertisement, now: float) -> Step:
    if now - instance.answer_told_at < ANSWERS_TOLD_SECONDS:
        return instance, ()
    fields = (("router", heard.source), ("priority", heard.priority))
    return replace(instance, answer_told_at=now), (Tell("info", "lower_priority_answered", fields),)


def _obedient(instance: Instance, heard: Advertisement) -> Instance:
    beaten = replace(instance, active_router=heard.source, active_priority=heard.priority)
    return replace(beaten, learned_interval=heard.interval)


def _overslept(instance: Instance, now: float) -> bool:
    """Whether we owe two advertisements, so that the others may have taken us for dead.

    They wait for three since the last that we sent, by clocks that may be faster than ours. A process that resumed
    does not know for how long nobody spoke; where it does not preempt, it leaves the addresses to who took over, as
    long as it has not spoken itself, however late it hears of that.
    """
    listens = instance.timer_at <= listens_until(instance.config, instance.since)
    if instance.cause is Cause.RESUMED and not instance.preempts and listens:
        return True
    return now - instance.timer_at > instance.config.advertisement_interval


def _give_way(instance: Instance, heard: Advertisement, now: float) -> Step:
    """Others serve: we do not come back with a jolt, but as any router that returns (and preempts, or does not)."""
    obedient = _obedient(instance, heard)
    backup, told = change_role(obedient, Role.BACKUP, now, Cause.OVERSLEPT, now + obedient.active_down)
    return backup, (Release(instance.config.addresses), *told)


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


def _link(instance: Instance, now: float) -> Step:
    if instance.link.fit:
        return replace(instance, active_router=instance.link.source), ()
    down, effects = resign(instance, Role.INITIALIZE, now, Cause.LINK_DOWN)
    return down, (*effects, fault(instance.link))


def _weigh(instance: Instance, delta: int, now: float) -> Step:
    """Tell the others at once. Where one that stands by is the better now, let it have the addresses at once too."""
    weighed = replace(instance, weighed=delta)
    if weighed.priority == instance.priority:
        return weighed, ()
    if _is_outranked(weighed, now):
        return resign(weighed, Role.BACKUP, now, Cause.PRIORITY_LOWERED, now + weighed.active_down)
    if _serves_nobody(weighed) and successor(weighed, now) is None:
        return _offer(weighed, now)
    told = replace(weighed, active_priority=weighed.priority, timer_at=now + weighed.config.advertisement_interval)
    return told, (Send(weighed.priority),)


def _serves_nobody(instance: Instance) -> bool:
    """Whether tracking took it down to the lowest priority, and others will not preempt, as it would not."""
    return not instance.config.preempt and instance.weighed < 0 and instance.priority == LOWEST_PRIORITY


def _offer(instance: Instance, now: float) -> Step:
    """Say priority 0 and be silent for as long as anybody waits, but keep the addresses until somebody takes them.

    A keepalived that does not preempt takes over then, and nothing tells beforehand whether there is one.
    """
    silent = replace(instance, active_priority=instance.priority, timer_at=now + instance.active_down)
    return silent, (Send(LEAVING_PRIORITY),)


def _is_outranked(instance: Instance, now: float) -> bool:
    """Whether one that stands by is to have the addresses.

    Without preemption only a router that tracking took down to the lowest priority lets go: it can serve nobody.
    """
    better = successor(instance, now)
    if better is None or better.priority <= instance.priority:
        return False
    return instance.config.preempt or _serves_nobody(instance)


def _reconfigure(instance: Instance, config: VrrpInstance, now: float) -> Step:
    """Change in place: new addresses first, then tell the peers, and only then let old addresses go."""
    added = tuple(address for address in config.addresses if address not in instance.config.addresses)
    removed = tuple(address for address in instance.config.addresses if address not in config.addresses)
    timer_at = now + config.advertisement_interval
    changed = replace(instance, config=config, timer_at=timer_at)
    changed = replace(changed, active_priority=changed.priority, refresh_at=refresh_at(config, now))
    effects: list[Effect] = [Claim(added)] if added else []
    effects.append(Send(changed.priority))
    if added:
        effects.append(Announce(added, config.gratuitous_arp.repeat))
        changed = burst_later(changed, now)
    if removed:
        effects.append(Release(removed))
    return changed, tuple(effects)
