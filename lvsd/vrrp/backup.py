"""What a backup does. Pure. RFC 3768 section 6.4.2, RFC 9568 section 6.4.2."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from config.model import VrrpInstance
from lvsd.vrrp.events import (
    AddressLost,
    Event,
    Heard,
    LinkChanged,
    Reconfigured,
    Refused,
    Resign,
    Resume,
    Shutdown,
    Start,
    TakeOver,
    Unyield,
    Wake,
    Weighed,
)
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.moves import Step, change_role, compare_addresses, fault, take_over, tell_once
from lvsd.vrrp.packet import Advertisement, Kind
from lvsd.vrrp.state import LEAVING_PRIORITY, OWNER_PRIORITY, Instance
from lvsd.vrrp.whispers import echoed, stand_by


def backup(instance: Instance, event: Event, now: float) -> Step:  # noqa: C901, PLR0911  # a case for each event
    """One event in this role."""
    match event:
        case Wake() if now >= instance.timer_at:
            return _silence(instance, now)
        case TakeOver() if instance.wants:
            return take_over(instance, now, _why(instance))
        case Heard(advertisement):
            return _heard(instance, advertisement, now)
        case Refused(kind, source):
            return tell_once(instance, kind.value, source)
        case LinkChanged(link):
            return _link(replace(instance, link=link), now)
        case Reconfigured(config):
            return _reconfigured(instance, config, now), ()
        case Weighed(delta):
            shifted = replace(instance, weighed=delta)
            return replace(shifted, timer_at=shifted.timer_at + shifted.skew - instance.skew), ()
        case Unyield():
            return replace(instance, yielded=False), ()
        case Shutdown(cause):
            return change_role(replace(instance, started=False), Role.INITIALIZE, now, cause)
        case Wake() | AddressLost() | Start() | Resume() | TakeOver() | Resign():
            return instance, ()


def _silence(instance: Instance, now: float) -> Step:
    """The active router has not been heard for too long. A member of a sync group waits for the others."""
    if instance.grouped:
        return replace(instance, wants=True, timer_at=inf), ()
    return take_over(instance, now, _why(instance))


def _why(instance: Instance) -> Cause:
    left = instance.active_router != "" and instance.active_priority == LEAVING_PRIORITY
    return Cause.ACTIVE_ROUTER_LEFT if left else Cause.ACTIVE_ROUTER_SILENT


def _heard(instance: Instance, heard: Advertisement, now: float) -> Step:
    match heard.kind:
        case Kind.ADVERTISEMENT:
            return _listen(instance, heard, now)
        case Kind.STANDBY:
            return echoed(instance, heard), ()
        case Kind.HANDOVER:
            return _chosen(instance, heard, now)


def _chosen(instance: Instance, heard: Advertisement, now: float) -> Step:
    """The router we obey leaves, and it is us who take over. Anybody else has nothing to hand over."""
    if heard.source != instance.active_router:
        return instance, ()
    if instance.grouped:
        return replace(instance, wants=True, timer_at=inf, active_priority=LEAVING_PRIORITY), ()
    return take_over(instance, now, Cause.HANDED_OVER)


def _listen(instance: Instance, heard: Advertisement, now: float) -> Step:
    """How long to wait now. A lower priority than ours changes nothing: the time runs out, and we take over."""
    peer_known = instance.active_router in ("", heard.source)
    instance, told = compare_addresses(instance, heard)
    noted = replace(instance, active_router=heard.source, active_priority=heard.priority)
    if heard.priority == LEAVING_PRIORITY:
        hurried = replace(noted, timer_at=now + noted.skew)
        return hurried if peer_known else instance, told
    if heard.priority >= instance.priority or not instance.preempts:
        obeyed = replace(noted, learned_interval=heard.interval, preempt_at=inf, wants=False)
        asked, whispers = stand_by(replace(obeyed, timer_at=now + obeyed.active_down), now)
        return asked, (*whispers, *told)
    patient = _patient(noted, heard, now)
    if patient is not None:
        asked, whispers = stand_by(patient, now)
        return asked, (*whispers, *told)
    return noted if peer_known else instance, told


def _patient(noted: Instance, heard: Advertisement, now: float) -> Instance | None:
    """A lower priority that serves is obeyed until the delay before preemption is over; None: it is over."""
    if noted.config.preempt_delay == 0 or noted.config.priority == OWNER_PRIORITY:
        return None
    until = now + noted.config.preempt_delay if noted.preempt_at == inf else noted.preempt_at
    if now >= until:
        return None
    waiting = replace(noted, learned_interval=heard.interval, preempt_at=until, wants=False)
    return replace(waiting, timer_at=now + waiting.active_down)


def _link(instance: Instance, now: float) -> Step:
    if instance.link.fit:
        return instance, ()
    down, told = change_role(instance, Role.INITIALIZE, now, Cause.LINK_DOWN)
    return down, (*told, fault(instance.link))


def _reconfigured(instance: Instance, config: VrrpInstance, now: float) -> Instance:
    """Another rank shifts the deadline; another interval starts it anew, for the peers change theirs one by one."""
    changed, before = replace(instance, config=config), instance.config
    if (config.version, config.advertisement_interval) != (before.version, before.advertisement_interval):
        return replace(changed, timer_at=now + changed.active_down)
    return replace(changed, timer_at=instance.timer_at + changed.active_down - instance.active_down)
