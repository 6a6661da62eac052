"""Priority groups: who of the real servers that may serve does, and who stands by. Pure.

The lowest group serves. While too few of the real servers of the groups that serve are up, the next group serves with
them. It leaves by weight 0, and stands by so: its connections and its clients' persistence live on. Under a scheduler
that refuses the clients of one at weight 0 it is not in the table.

What decides is health, not being in the table: a real server that serves only because of a floor is not up, one that is
drained is not. One in its slow start, or not probed yet, calls no other group, and sends none away either: what serves
beside it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from checkers.core.messages import State
from config.model import RealServer, VirtualService
from config.pool_rules import FloorAction
from config.words import HASHING_SCHEDULERS
from lvsd.core.effects import Effect, Level, Tell
from lvsd.core.health import effective_weight, ramp_of, serves, sound_state
from lvsd.core.identity import real_id, service_key
from lvsd.core.pool_state import NO_POOL, Pool
from lvsd.core.quorum import floor_action
from lvsd.core.state import Director
from netlink.table import ServiceKey

FALLBACK = 0x8  # IP_VS_SVC_F_SCHED_SH_FALLBACK and ..._MH_FALLBACK
_REFUSING = (*HASHING_SCHEDULERS, "dh")  # dh has no flag that helps (net/netfilter/ipvs/ip_vs_dh.c)


def applied(director: Director, services: Iterable[VirtualService]) -> tuple[Director, list[Effect]]:
    """The same belief with the groups of these services decided anew, and what is to be told of that."""
    effects: list[Effect] = []
    pools: dict[ServiceKey, Pool] | None = None
    for virtual in services:
        key = service_key(virtual.virtual)
        before = director.pools.get(key, NO_POOL)
        if before.standby is None and not is_grouped(virtual):  # by far the most
            continue
        standby = _standby(director, virtual)
        if standby == before.standby:
            continue
        effects.extend(_told(director, virtual, before, standby))
        after = replace(before, standby=standby)
        pools = dict(director.pools) if pools is None else pools
        pools.pop(key, None)
        pools.update({key: after} if after != NO_POOL else {})
    return (director, effects) if pools is None else (replace(director, pools=pools), effects)


def is_grouped(virtual: VirtualService) -> bool:
    """Whether its real servers are of several groups."""
    return len({real.priority_group for real in virtual.real_servers}) > 1


def stands_by(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    """Whether it is of a group that is not needed now."""
    pool = director.pools.get(service_key(virtual.virtual)) if director.pools else None
    return pool is not None and bool(pool.standby) and real_id(virtual, real) in (pool.standby or ())


def standby_weight(virtual: VirtualService) -> int | None:
    """Where it waits: in the table at weight 0, or (None) outside."""
    return None if virtual.scheduler in _REFUSING and not virtual.flags & FALLBACK else 0


def _standby(director: Director, virtual: VirtualService) -> frozenset[str] | None:
    """Who stands by; None where there are no groups."""
    if not is_grouped(virtual):
        return None
    if floor_action(director, virtual) is FloorAction.FAIL_OPEN:  # nothing that checks say is believed
        return frozenset()
    reals = sorted(virtual.real_servers, key=lambda one: one.priority_group)
    count = 0
    while count < len(reals):
        group = [one for one in reals[count:] if one.priority_group == reals[count].priority_group]
        if count and not _too_few(director, virtual, reals[:count], group):
            break
        count += len(group)
    return frozenset(real_id(virtual, one) for one in reals[count:])


def _too_few(
    director: Director, virtual: VirtualService, serving: Sequence[RealServer], following: Sequence[RealServer]
) -> bool:
    """Whether the following group is needed beside these."""
    needed = virtual.rules.group_minimum.of(len(serving))
    certain, possible = _up(director, virtual, serving)
    if possible < needed or certain >= needed:
        return possible < needed
    return any(serves(director, virtual, one) for one in following)


def _up(director: Director, virtual: VirtualService, reals: Iterable[RealServer]) -> tuple[int, int]:
    """How many are up for certain, and how many may be."""
    certain = possible = 0
    for real in reals:
        state = sound_state(director, virtual, real)
        if state is State.DOWN or not effective_weight(director, virtual, real):
            continue
        possible += 1
        if state is State.UNKNOWN:
            certain += serves(director, virtual, real)
        else:
            certain += ramp_of(director, virtual, real) is None
    return certain, possible


def _told(director: Director, virtual: VirtualService, before: Pool, standby: frozenset[str] | None) -> list[Effect]:
    """Which groups come and go. The first decision is no news."""
    if before.standby is None or standby is None:
        return []
    told: list[Effect] = []
    for group in sorted({one.priority_group for one in virtual.real_servers}):
        names = {real_id(virtual, one) for one in virtual.real_servers if one.priority_group == group}
        was, now = names <= before.standby, names <= standby
        if was is now:
            continue
        lower = [one for one in virtual.real_servers if one.priority_group < group]
        fields: dict[str, str | int | float] = {
            "service": virtual.name,
            "priority_group": group,
            "up": _up(director, virtual, lower)[1],
            "needed": virtual.rules.group_minimum.of(len(lower)),
        }
        level, event = (Level.INFO, "priority_group_released") if now else (Level.WARNING, "priority_group_called")
        told.append(Tell(level, event, fields))
    return told
