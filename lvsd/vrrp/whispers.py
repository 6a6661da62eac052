"""Between routers that run lvsd: who stands by, and who is to take over at once. Pure.

A backup tells the active router of itself, about once a second; one that leaves tells the best of them to take
over now, so that nobody waits a skew time. The wire stays legal for everybody else: whispers go by unicast, and
advertisements are sent as ever. A router that does not echo is not told for long.
"""

from __future__ import annotations

from dataclasses import replace

from lvsd.vrrp.events import Whisper
from lvsd.vrrp.ip import packed
from lvsd.vrrp.packet import Advertisement, Kind
from lvsd.vrrp.state import Instance, Standby

STANDBY_SECONDS = 0.9  # less than the interval that most use, so that each of their advertisements is answered
UNHEARD_LIMIT = 3
DEAF_SECONDS = 3600.0  # one that did not echo that many runs something else, which may log each; it is asked rarely
STANDBYS_LIMIT = 8
ECHO_PAUSE_SECONDS = 0.1


def stand_by(instance: Instance, now: float) -> tuple[Instance, tuple[Whisper, ...]]:
    """As backup, after an advertisement we obey: tell its sender that we are here, if it is time to."""
    unheard = instance.unheard if instance.asked == instance.active_router else 0
    pause = STANDBY_SECONDS if unheard < UNHEARD_LIMIT else DEAF_SECONDS
    if instance.asked == instance.active_router and now - instance.successor_asked_at < pause:
        return instance, ()
    asked = replace(instance, asked=instance.active_router, successor_asked_at=now, unheard=unheard + 1)
    return asked, (Whisper(Kind.STANDBY, instance.priority, instance.active_router),)


def echoed(instance: Instance, heard: Advertisement) -> Instance:
    """The router that we told of us understands, in whichever role it says something."""
    return replace(instance, unheard=0) if heard.source == instance.asked else instance


def noted(instance: Instance, heard: Advertisement, now: float) -> tuple[Instance, tuple[Whisper, ...]]:
    """As active router: remember who stands by, and say that we understand."""
    known = next((one for one in instance.standbys if one.source == heard.source), None)
    if known is not None and now - known.heard_at < ECHO_PAUSE_SECONDS:
        return instance, ()
    instance = echoed(instance, heard)
    others = [one for one in fresh(instance, now) if one.source != heard.source]
    if len(others) >= STANDBYS_LIMIT:  # nobody needs so many, and each is answered
        return instance, ()
    standbys = (Standby(heard.source, heard.priority, now), *others)
    return replace(instance, standbys=standbys), (Whisper(Kind.STANDBY, instance.priority, heard.source),)


def successor(instance: Instance, now: float) -> Standby | None:
    """The best of those who stand by."""
    return max(fresh(instance, now), key=lambda one: (one.priority, packed(one.source)), default=None)


def fresh(instance: Instance, now: float) -> list[Standby]:
    """Those who stand by and were heard of lately."""
    limit = 3 * max(1.0, instance.config.advertisement_interval)
    return [one for one in instance.standbys if now - one.heard_at <= limit]
