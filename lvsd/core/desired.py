"""Configuration and health to the IPVS table we want: the one place where a real server becomes a destination. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from checkers.core.messages import State
from config.model import FirewallMark, RealServer, VirtualEndpoint, VirtualService
from config.words import HASHING_SCHEDULERS, OnFailure
from lvsd.core.identity import check_id, standing_state
from lvsd.core.state import Director
from netlink.table import Destination, DestinationKey, Entry, Family, Service, ServiceKey, Table

PERSISTENT = 0x1  # IP_VS_SVC_F_PERSISTENT
FALLBACK = 0x8  # IP_VS_SVC_F_SCHED_SH_FALLBACK and ..._MH_FALLBACK, both IP_VS_SVC_F_SCHED1


def desired(director: Director) -> Table:
    """The table that configuration and verdicts ask for, given what the kernel holds now."""
    table: dict[ServiceKey, Entry] = {}
    for virtual in director.config.services:
        key = service_key(virtual.virtual)
        held = director.kernel.table.get(key)
        table[key] = Entry(kernel_service(virtual), _destinations(virtual, director, held))
    return table


def service_key(virtual: VirtualEndpoint | FirewallMark) -> ServiceKey:
    """The kernel's key of a virtual service."""
    match virtual:
        case VirtualEndpoint():
            return ServiceKey(_family(virtual.address), int(virtual.protocol), virtual.address, virtual.port)
        case FirewallMark():
            return ServiceKey(Family.INET6 if virtual.ipv6 else Family.INET, fwmark=virtual.mark)


def _family(address: str) -> Family:
    return Family.INET6 if ":" in address else Family.INET


def kernel_service(virtual: VirtualService) -> Service:
    """The kernel's settings of a virtual service."""
    key = service_key(virtual.virtual)
    if virtual.persistence is None:
        whole = 128 if key.family is Family.INET6 else 32
        return Service(key, virtual.scheduler, virtual.flags, 0, whole)
    kept = virtual.persistence
    return Service(key, virtual.scheduler, virtual.flags | PERSISTENT, kept.seconds, kept.netmask)


def stays_when_out(virtual: VirtualService) -> bool:
    """Whether a real server that is out keeps its place at weight 0.

    Under sh and mh a removal would move the clients of every other server; at weight 0 only its own clients
    move, and only with the fallback flag: without it the kernel refuses them (net/netfilter/ipvs/ip_vs_sh.c).
    """
    if virtual.scheduler in HASHING_SCHEDULERS:
        return bool(virtual.flags & FALLBACK)
    return virtual.on_failure is OnFailure.QUIESCE


def _destinations(
    virtual: VirtualService, director: Director, held: Entry | None
) -> Mapping[DestinationKey, Destination]:
    wanted: dict[DestinationKey, Destination] = {}
    present = held.destinations if held is not None else {}
    undecided = False
    for real in sorted(virtual.real_servers, key=canonical):
        state = standing_state(director, check_id(virtual, real), real)
        undecided = undecided or state is State.UNKNOWN
        key = DestinationKey(real.address, real.port)
        weight = _weight(virtual, real, state, present.get(key))
        if weight is not None:
            wanted[key] = _destination(real, weight)
    if not undecided and not any(destination.weight for destination in wanted.values()):
        # Only when nobody serves for certain: a fallback that comes up at every start would be seen by clients.
        wanted |= {DestinationKey(one.address, one.port): _destination(one, one.weight) for one in virtual.fallback}
    if undecided:
        # Make before break: what serves now goes on serving until every newcomer has its first verdict.
        for key, destination in present.items():
            if key not in wanted and not _configured(virtual, key):
                wanted[key] = destination
    return wanted


def _weight(virtual: VirtualService, real: RealServer, state: State, held: Destination | None) -> int | None:
    """The weight a real server gets; None: it is not in the table."""
    out = 0 if stays_when_out(virtual) else None
    match state:
        case State.UP:
            return real.weight
        case State.DOWN:
            return out
        case State.UNKNOWN:  # adopt what the kernel holds; a newcomer waits for its first success
            return held.weight if held is not None else out


def canonical(real: RealServer) -> tuple[int, bytes, int]:
    """One order for both balancers, whatever order their files have: hashing schedulers depend on it."""
    address = ipaddress.ip_address(real.address)
    return address.version, address.packed, real.port


def _configured(virtual: VirtualService, key: DestinationKey) -> bool:
    return any(real.address == key.address and real.port == key.port for real in virtual.real_servers)


def _destination(real: RealServer, weight: int) -> Destination:
    return Destination(
        DestinationKey(real.address, real.port),
        int(real.forwarding),
        weight,
        real.upper_threshold,
        real.lower_threshold,
    )


def without_ours(director: Director) -> tuple[ServiceKey, ...]:
    """The services of ours the kernel holds: what clearing the table at stop deletes."""
    ours = {service_key(virtual.virtual) for virtual in director.config.services} | director.owned
    return tuple(key for key in director.kernel.table if key in ours)
