"""One virtual router as a state machine: step(instance, event, now) -> (instance, effects). Pure.

RFC 3768 section 6.4 and RFC 9568 section 6.4, in the latter's words, with these differences:
- an active router answers a lower priority at once, with an advertisement and gratuitous ARP, instead of leaving
  it to its next advertisement (as keepalived does);
- a backup believes priority 0 of the router it obeys alone: another one that leaves has nothing to hand over;
- a lost link, or addresses taken away again and again, end the active role;
- an active router that was held up for so long that others have taken over is a backup when it comes to itself;
- routers that run lvsd tell each other who stands by and who takes over (lvsd.vrrp.whispers).
"""

from __future__ import annotations

from dataclasses import replace

from lvsd.vrrp.active import active
from lvsd.vrrp.backup import backup
from lvsd.vrrp.events import (
    AddressLost,
    Event,
    Heard,
    LinkChanged,
    Reconfigured,
    Refused,
    Release,
    Resign,
    Resume,
    Shutdown,
    Start,
    TakeOver,
    Unyield,
    Wake,
    Weighed,
)
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.moves import Step, change_role, fault, resume, take_over
from lvsd.vrrp.state import OWNER_PRIORITY, Instance


def step(instance: Instance, event: Event, now: float) -> Step:
    """What becomes of the instance, and what is to be done, in this order."""
    match instance.role:
        case Role.INITIALIZE:
            return _initialize(instance, event, now)
        case Role.BACKUP:
            return backup(instance, event, now)
        case Role.ACTIVE:
            return active(instance, event, now)


def _initialize(instance: Instance, event: Event, now: float) -> Step:
    match event:
        case Start():
            return _start(replace(instance, started=True, since=now), now)
        case Resume():
            begun = replace(instance, started=True, since=now)
            return resume(begun, now) if instance.link.fit else _start(begun, now)
        case LinkChanged(link):
            return _link_seen(instance, link, now)
        case Reconfigured(config):
            return replace(instance, config=config), ()
        case Weighed(delta):
            return replace(instance, weighed=delta), ()
        case Shutdown(cause):
            return replace(instance, started=False, cause=cause), ()
        case Wake() | Heard() | Refused() | AddressLost() | TakeOver() | Resign() | Unyield():
            return instance, ()


def _start(instance: Instance, now: float) -> Step:
    """RFC 3768 section 6.4.1. Leftovers of a predecessor go first: a backup answers for nothing."""
    leftovers = Release(instance.config.addresses)
    if not instance.link.fit:
        return replace(instance, cause=Cause.LINK_DOWN), (leftovers, fault(instance.link))
    if instance.config.priority == OWNER_PRIORITY and not instance.grouped:
        return take_over(instance, now, Cause.START)
    at = now if instance.config.priority == OWNER_PRIORITY else now + instance.active_down
    moved, told = change_role(instance, Role.BACKUP, now, Cause.START, at)
    return moved, (leftovers, *told)


def _link_seen(instance: Instance, link: Link, now: float) -> Step:
    """Begin again as backup when the link is fit, also as the owner: a peer has served in the meantime."""
    seen = replace(instance, link=link)
    if not instance.started or link == instance.link:
        return seen, ()
    if not link.fit:
        return seen, (fault(link),)
    wait = seen.interval + seen.skew if seen.config.priority == OWNER_PRIORITY else seen.active_down
    moved, told = change_role(seen, Role.BACKUP, now, Cause.LINK_UP, now + wait)
    return moved, (Release(seen.config.addresses), *told)
