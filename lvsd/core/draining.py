"""Draining to the end: when nothing is left of a drained real server, or its deadline is over, it leaves. Pure.

Left are its connections and what makes clients come back (persistence templates), as the kernel counts them. A real
server whose drain has ended stays out until a person enables it, or until the time of the word is over. Under a hashing
scheduler it keeps its place at weight 0: its removal would move the clients of all others. What becomes of connections
that are left at a deadline is the kernel's expire_nodest_conn: ended with their next packet, or forgotten in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from config.model import RealServer, VirtualService
from lvsd.core import slices
from lvsd.core.effects import Effect, Level, RememberOverrides, Tell
from lvsd.core.health import serves
from lvsd.core.identity import BEHIND, endpoint_text, real_id, service_key, virtual_text
from lvsd.core.pool_state import Connections, Override, OverrideKind
from lvsd.core.state import Director
from netlink.table import DestinationKey, ServiceKey

LEAST_SECONDS = 2.0  # a connection may be on its way while the weight becomes 0

_NONE = Connections(0, 0, 0)


def watched(director: Director) -> tuple[ServiceKey, ...]:
    """Services whose connections are to be counted, since one of their real servers drains."""
    return tuple(dict.fromkeys(service_key(virtual.virtual) for virtual, _, _ in _draining(director)))


def _draining(director: Director) -> Iterator[tuple[VirtualService, RealServer, Override]]:
    drained = (name for name, one in director.overrides.items() if one.kind is OverrideKind.DRAIN)
    concerned = {name.partition(BEHIND)[0] for name in drained}
    for virtual in director.config.services if concerned else ():
        if virtual_text(virtual.virtual) not in concerned:
            continue
        for real in virtual.real_servers:
            override = director.overrides.get(real_id(virtual, real))
            if override is not None and override.kind is OverrideKind.DRAIN:
                yield virtual, real, override


def counted(
    director: Director, counts: Mapping[ServiceKey, Mapping[DestinationKey, Connections]], now: float
) -> tuple[Director, list[Effect]]:
    """The kernel's counts for services that drain: who has nothing left, or no time, leaves."""
    ended: dict[str, Override] = {}
    effects: list[Effect] = []
    for virtual, real, override in _draining(director):
        found = counts.get(service_key(virtual.virtual))
        if found is None or serves(director, virtual, real):
            continue
        left = found.get(DestinationKey(real.address, real.port), _NONE)
        late = override.deadline is not None and now >= override.deadline
        if not late and (left.total or now - override.since < LEAST_SECONDS):
            continue
        ended[real_id(virtual, real)] = replace(
            override, kind=OverrideKind.DRAINED, since=now, deadline=None, left=left.total
        )
        effects.append(_told(virtual, real, left, now - override.since))
    if not ended:
        return director, []
    overrides = {**director.overrides, **ended}
    after = slices.due(replace(director, overrides=overrides), None)
    return after, [RememberOverrides(overrides), *effects]


def _told(virtual: VirtualService, real: RealServer, left: Connections, seconds: float) -> Effect:
    fields: dict[str, str | int | float] = {
        "service": virtual.name,
        "real_server": endpoint_text(real.address, real.port),
        "seconds": round(seconds, 1),
        "active": left.active,
        "inactive": left.inactive,
        "persistent": left.persistent,
    }
    return Tell(Level.WARNING if left.total else Level.INFO, "drained", fields)
