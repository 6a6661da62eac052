"""Configuration and health to the IPVS table we want: the one place where a real server becomes a destination. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from socket import AF_INET, AF_INET6, inet_pton  # text to bytes only, no socket

from checkers.core.messages import State
from config.model import RealServer, Tunnel, VirtualService
from config.words import HASHING_SCHEDULERS, Forwarding, OnFailure
from lvsd.core import fallback, groups
from lvsd.core.groups import FALLBACK
from lvsd.core.health import given_weight, overriding_weight, standing_state, withheld
from lvsd.core.identity import real_id, service_key
from lvsd.core.pool_state import OverrideKind
from lvsd.core.quorum import fallback_serves
from lvsd.core.state import Director
from netlink.table import Destination, DestinationKey, Entry, Family, Service, ServiceKey, Table

PERSISTENT = 0x1  # IP_VS_SVC_F_PERSISTENT
NO_TUNNEL = Tunnel()


def desired(director: Director, services: Iterable[VirtualService] | None = None) -> Table:
    """The table that configuration and verdicts ask for, given what the kernel holds now: of these services or all."""
    table: dict[ServiceKey, Entry] = {}
    for virtual in director.config.services if services is None else services:
        key = service_key(virtual.virtual)
        held = director.kernel.table.get(key)
        table[key] = Entry(kernel_service(virtual), _destinations(virtual, director, held))
    return table


def kernel_service(virtual: VirtualService) -> Service:
    """The kernel's settings of a virtual service."""
    key = service_key(virtual.virtual)
    if virtual.persistence is None:
        whole = 128 if key.family is Family.INET6 else 32
        return Service(key, virtual.scheduler, virtual.flags, 0, whole)
    kept = virtual.persistence
    return Service(key, virtual.scheduler, virtual.flags | PERSISTENT, kept.seconds, kept.netmask, kept.engine)


def stays_when_out(virtual: VirtualService, real: RealServer) -> bool:
    """Whether a real server that is out keeps its place at weight 0.

    Under sh and mh a removal would move the clients of every other server; at weight 0 only its own clients
    move, and only with the fallback flag: without it the kernel refuses them (net/netfilter/ipvs/ip_vs_sh.c).
    """
    if virtual.scheduler in HASHING_SCHEDULERS:
        return bool(virtual.flags & FALLBACK)
    return (real.on_failure or virtual.on_failure) is OnFailure.QUIESCE


def _destinations(
    virtual: VirtualService, director: Director, held: Entry | None
) -> Mapping[DestinationKey, Destination]:
    wanted: dict[DestinationKey, Destination] = {}
    present = held.destinations if held is not None else {}
    for real in sorted(virtual.real_servers, key=canonical):
        weight = _weight(director, virtual, real, present.get(_key(real)))
        if weight is not None:
            wanted[_key(real)] = _destination(real, weight)
    wanted |= _fallback(virtual, director, wanted, present)
    undecided = any(standing_state(director, virtual, real) is State.UNKNOWN for real in virtual.real_servers)
    if undecided and not fallback_serves(director, virtual):
        # Make before break: what serves now goes on serving until every newcomer has its first verdict.
        configured = {_key(one) for one in (*virtual.real_servers, *virtual.fallback)}
        wanted |= {key: one for key, one in present.items() if key not in configured}
    return wanted


def _keeps_place(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    """As `stays_when_out`; but one that was drained to its end leaves, unless others would lose their clients."""
    override = director.overrides.get(real_id(virtual, real)) if director.overrides else None
    if override is not None and override.kind is OverrideKind.DRAINED and virtual.scheduler not in HASHING_SCHEDULERS:
        return False
    return stays_when_out(virtual, real)


def _weight(director: Director, virtual: VirtualService, real: RealServer, held: Destination | None) -> int | None:
    """The weight a real server gets; None: it is not in the table. When the quorum is lost the healthy go, too."""
    out = 0 if _keeps_place(director, virtual, real) else None
    match standing_state(director, virtual, real):
        case State.UP:
            if fallback_serves(director, virtual):
                return out
            stands_by = groups.stands_by(director, virtual, real)
            return groups.standby_weight(virtual) if stands_by else given_weight(director, virtual, real)
        case State.DOWN:
            return out
        case State.UNKNOWN if held is not None and not withheld(director, virtual, real):  # adopt what the kernel holds
            overriding = overriding_weight(director, virtual, real)
            adopted = held.weight if overriding is None else overriding
            return 0 if fallback_serves(director, virtual) else adopted
        case State.UNKNOWN:  # a newcomer waits for its first success
            return out


def _fallback(
    virtual: VirtualService,
    director: Director,
    reals: Mapping[DestinationKey, Destination],
    present: Mapping[DestinationKey, Destination],
) -> Mapping[DestinationKey, Destination]:
    """The fallback servers in the table: whose turn it is when the quorum is lost, and who waits there at weight 0."""
    gained = director.quorum.get(service_key(virtual.virtual))
    ordered = fallback.in_order(virtual)
    if gained is False and not ordered:
        return {_key(one): _destination(one, one.weight) for one in virtual.fallback}
    wanted: dict[DestinationKey, Destination] = {}
    serving = fallback.able(director, virtual) if gained is False else ()
    for one in virtual.fallback:
        key = _key(one)
        if one in serving:
            wanted[key] = _destination(one, one.weight)
        if key in reals or key in wanted:
            continue
        if gained is None and key in present:  # not known yet whose turn it is: as the kernel has it
            wanted[key] = _destination(one, present[key].weight)
        elif one.on_failure is OnFailure.QUIESCE and stays_when_out(virtual, one):
            wanted[key] = _destination(one, 0)
    return wanted


def canonical(real: RealServer) -> tuple[int, bytes, int]:
    """One order for both balancers, whatever order their files have: hashing schedulers depend on it."""
    if ":" in real.address:
        return 6, inet_pton(AF_INET6, real.address), real.port
    return 4, inet_pton(AF_INET, real.address), real.port


def _key(real: RealServer) -> DestinationKey:
    return DestinationKey(real.address, real.port)


def _destination(real: RealServer, weight: int) -> Destination:
    encapsulation = real.tunnel if real.forwarding is Forwarding.TUNNEL else NO_TUNNEL
    return Destination(
        _key(real),
        int(real.forwarding),
        weight,
        real.upper_threshold,
        real.lower_threshold,
        int(encapsulation.type),
        encapsulation.port,
        int(encapsulation.checksum),
    )


def without_ours(director: Director) -> tuple[ServiceKey, ...]:
    """The services of ours the kernel holds: what clearing the table at stop deletes."""
    ours = {service_key(virtual.virtual) for virtual in director.config.services} | director.owned
    return tuple(key for key in director.kernel.table if key in ours)
