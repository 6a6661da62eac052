"""The steps every role takes alike: taking over, resigning, changing the role, telling once. Pure."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from config.model import VrrpInstance
from lvsd.vrrp.events import Announce, Claim, Effect, Release, Send, Tell, Whisper
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.packet import Advertisement, Kind
from lvsd.vrrp.state import LEAVING_PRIORITY, Instance
from lvsd.vrrp.whispers import UNHEARD_LIMIT, successor

ADDRESS_LIST = "address_list"
"""Told once, as each kind of Drop is, though such an advertisement is believed."""

LISTENING_INTERVALS = 1.1
"""Who serves advertises each interval by a clock of its own, and rather late than early."""

Step = tuple[Instance, tuple[Effect, ...]]


def take_over(instance: Instance, now: float, cause: Cause) -> Step:
    """Become active. Advertise before anything else: the other routers learn of it before any host does."""
    config = instance.config
    itself = replace(instance, active_router=instance.link.source, active_priority=instance.priority)
    active, told = change_role(itself, Role.ACTIVE, now, cause, now + config.advertisement_interval)
    active = replace(burst_later(active, now), refresh_at=refresh_at(config, now), yielded=False)
    return active, (Send(instance.priority), Claim(config.addresses), announce_all(config), *told)


def listens_until(config: VrrpInstance, since: float) -> float:
    """When one that resumed then, and may not preempt, speaks for the first time."""
    return since + LISTENING_INTERVALS * config.advertisement_interval


def resume(instance: Instance, now: float) -> Step:
    """Go on as active. Who may not preempt listens before it speaks: another may serve by now."""
    if instance.preempts:
        return take_over(instance, now, Cause.RESUMED)
    config = instance.config
    itself = replace(instance, active_router=instance.link.source, active_priority=instance.priority)
    active, told = change_role(itself, Role.ACTIVE, now, Cause.RESUMED, listens_until(config, now))
    return replace(active, refresh_at=refresh_at(config, now)), (Claim(config.addresses), *told)


def resign(instance: Instance, role: Role, now: float, cause: Cause, timer_at: float = inf) -> Step:
    """Stop being active of one's own accord: priority 0 lets the next router hurry, one that stands by is told."""
    chosen = successor(instance, now)
    whisper = (Whisper(Kind.HANDOVER, instance.priority, chosen.source),) if chosen is not None else ()
    forgotten = replace(instance, active_router="", active_priority=0)
    moved, told = change_role(forgotten, role, now, cause, timer_at)
    # The successor is told first: it needs longer to take the addresses than we to let them go.
    return moved, (Send(LEAVING_PRIORITY), *whisper, Release(instance.config.addresses), *told)


def change_role(instance: Instance, role: Role, now: float, cause: Cause, timer_at: float = inf) -> Step:
    """Bursts that were still to come are forgotten: only the active router may say where the addresses are."""
    moved = replace(
        instance,
        role=role,
        cause=cause,
        since=now,
        transitions=instance.transitions + 1,
        timer_at=timer_at,
        burst_at=inf,
        refresh_at=inf,
        told=frozenset(),
        preempt_at=inf,
        wants=False,
        standbys=(),
        successor_asked_at=-inf if instance.unheard < UNHEARD_LIMIT else instance.successor_asked_at,
        learned_interval=0.0 if role is not Role.BACKUP else instance.learned_interval,
    )
    if role is Role.INITIALIZE:
        moved = replace(moved, active_router="", active_priority=0)
    fields = (
        ("before", instance.role.value),
        ("after", role.value),
        ("cause", cause.value),
        ("priority", instance.priority),
        ("active_router", moved.active_router),
    )
    return moved, (Tell("info", "vrrp_role_changed", fields),)


def compare_addresses(instance: Instance, heard: Advertisement) -> Step:
    """Tell, once, of a router that advertises other addresses than ours."""
    return (instance, ()) if heard.addresses_agree else tell_once(instance, ADDRESS_LIST, heard.source)


def tell_once(instance: Instance, kind: str, source: str) -> Step:
    """Each kind once, until the role changes: nobody fills the journal from outside."""
    if kind in instance.told:
        return instance, ()
    event = "advertised_addresses_differed" if kind == ADDRESS_LIST else "advertisement_dropped"
    tell = Tell("warning", event, (("kind", kind), ("router", source)))
    return replace(instance, told=instance.told | {kind}), (tell,)


def fault(link: Link) -> Tell:
    """Why an instance cannot run."""
    return Tell("warning", "vrrp_fault", (("fault", link.fault),))


def announce_all(config: VrrpInstance) -> Announce:
    """The burst of gratuitous ARP."""
    return Announce(config.addresses, config.gratuitous_arp.repeat)


def burst_later(instance: Instance, now: float) -> Instance:
    """Have the burst repeated after the configured delay."""
    delay = instance.config.gratuitous_arp.delay
    return replace(instance, burst_at=now + delay if delay > 0 else inf)


def refresh_at(config: VrrpInstance, now: float) -> float:
    """When the next periodic announcement is due."""
    return now + config.gratuitous_arp.refresh if config.gratuitous_arp.refresh > 0 else inf
