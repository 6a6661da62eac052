"""The director's belief as a portrait of this balancer, for its peers to compare. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from config.model import RealServer, VirtualService, VrrpInstance
from lvsd.control.portrait import InstancePortrait, Portrait, RealServerPortrait, ServicePortrait
from lvsd.core import workers
from lvsd.core.desired import desired, kernel_service
from lvsd.core.failover import reported
from lvsd.core.health import in_maintenance, sound_state, worst_check
from lvsd.core.identity import endpoint_text, service_key, virtual_text
from lvsd.core.state import Director
from lvsd.core.verdicts import outcome_words
from lvsd.core.wording import destination_text, operation_text
from lvsd.vrrp.messages import InstanceStatus
from netlink.table import Destination, DestinationKey, Entry, Service, ServiceKey, SyncDaemon, Table

SILENT_SECONDS = 3.0  # the vrrp process reports every second
MARK_LETTERS = 32
_NO_ENTRY: Mapping[DestinationKey, Destination] = {}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a portrait shows of the machine, read for it: what the director believes may be a second old.

    `connections`: active ones by service; `addresses` by interface; `time`: seconds since 1970; `now`: our clock's.
    """

    node: str
    time: float = 0.0
    now: float = 0.0
    table: Table = field(default_factory=dict)
    connections: Mapping[ServiceKey, int] = field(default_factory=dict)
    sysctls: Mapping[str, int] = field(default_factory=dict)
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def portrait(director: Director, machine: Machine, services: Mapping[str, ServicePortrait] | None = None) -> Portrait:
    """Our balancer as it is, and as it is to be. `services`: those of `services_seen`, where they were made before."""
    seen = services_seen(director, director.config.services, machine) if services is None else services
    found = reported(director)
    sync = director.config.ipvs.sync
    return Portrait(
        node=machine.node,
        services=dict(seen),
        instances=tuple(_instance(config, found.get(config.name), director) for config in director.config.vrrp),
        sync_wanted=sync.role.value if sync is not None else "",
        sync_running=tuple(_daemon(one) for one in director.settings.daemons),
        sysctls=dict(machine.sysctls),
        troubles=_troubles(director, machine.now),
        present=_present(director, machine.addresses),
        time=machine.time,
    )


def services_seen(
    director: Director, services: Iterable[VirtualService], machine: Machine
) -> dict[str, ServicePortrait]:
    """Some of its services, by what they are reached at."""
    wanted = desired(director, services := tuple(services))
    return {virtual_text(one.virtual): _service(one, director, wanted, machine) for one in services}


def _present(director: Director, addresses: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Virtual addresses that are on the machine, wherever and by whomever."""
    virtual = {address.address for config in director.config.vrrp for address in config.addresses}
    return tuple(
        f"{address} on {interface}" for interface, found in addresses.items() for address in found if address in virtual
    )


def _mark(director: Director, what: msgspec.Struct | None) -> str:
    """A digest keyed with the peers' secret: it tells nothing of passwords to who does not know that."""
    peering = director.config.daemon.peer
    if what is None or peering is None:
        return ""
    said = msgspec.json.encode(what, order="deterministic")
    return hmac.new(peering.secret.value.encode(), b"lvsd mark\0" + said, hashlib.sha256).hexdigest()[:MARK_LETTERS]


def _service(virtual: VirtualService, director: Director, wanted: Table, machine: Machine) -> ServicePortrait:
    key = service_key(virtual.virtual)
    held = machine.table.get(key)
    present = held.destinations if held is not None else _NO_ENTRY
    ours = [*virtual.real_servers, *virtual.fallback]
    keys = {DestinationKey(real.address, real.port) for real in ours}
    return ServicePortrait(
        settings=_settings(kernel_service(virtual)) + f" quorum {virtual.quorum} hysteresis {virtual.hysteresis}",
        held_settings=_held(held, kernel_service(virtual)),
        real_servers={
            endpoint_text(real.address, real.port): _real(virtual, real, director, wanted[key], held) for real in ours
        },
        strangers=tuple(destination_text(one) for one in present if one not in keys and one not in _keys(wanted[key])),
        connections=machine.connections.get(key, 0),
        mark=_mark(director, replace(virtual, name="")),
    )


def _keys(entry: Entry) -> frozenset[DestinationKey]:
    return frozenset(entry.destinations)


def _settings(service: Service) -> str:
    """What the kernel knows of a service, in a line that can be compared."""
    persistence = f" persistent {service.timeout}s /{service.netmask}" if service.timeout else ""
    engine = f" {service.persistence_engine}" if service.persistence_engine else ""
    return f"{service.scheduler} flags {service.flags:#x}{persistence}{engine}"


def _held(held: Entry | None, wanted: Service) -> str:
    """Empty when it is in the kernel as it should be: that can be said without showing it."""
    if held is None:
        return "not in the kernel"
    return "" if held.service == wanted else _settings(held.service)


def _real(
    virtual: VirtualService, real: RealServer, director: Director, wanted: Entry, held: Entry | None
) -> RealServerPortrait:
    key = DestinationKey(real.address, real.port)
    asked, there = wanted.destinations.get(key), held.destinations.get(key) if held is not None else None
    if in_maintenance(director.maintenance, real):
        state, reason = "down", "maintenance"
    elif real in virtual.fallback:
        state, reason = "fallback", ""
    else:
        state = sound_state(director, virtual, real).value
        verdict = worst_check(director, virtual, real)[1]
        reason = outcome_words(verdict.outcome)[0] if verdict is not None else ""
    return RealServerPortrait(
        state=state,
        reason=reason,
        weight=real.weight,
        settings=_real_settings(real),
        wanted=asked.weight if asked is not None else None,
        held=_weight_held(asked, there),
    )


def _real_settings(real: RealServer) -> str:
    forwarding = real.forwarding.name.lower()
    return f"{forwarding} thresholds {real.upper_threshold} {real.lower_threshold}"


def _weight_held(wanted: Destination | None, held: Destination | None) -> int | None:
    """The weight in the kernel; -1 where the rest of it is not as wanted, which equals no weight."""
    if held is None:
        return None
    if wanted is not None and replace(held, weight=wanted.weight) != wanted:
        return -1
    return held.weight


def _instance(config: VrrpInstance, found: InstanceStatus | None, director: Director) -> InstancePortrait:
    return InstancePortrait(
        name=config.name,
        virtual_router_id=config.virtual_router_id,
        ipv6=config.ipv6,
        version=config.version,
        interval=config.advertisement_interval,
        addresses=tuple(sorted(f"{one.address}/{one.prefix_length}" for one in config.addresses)),
        priority=found.priority if found is not None else config.priority,
        preempt=config.preempt,
        role=found.role.value if found is not None else "unknown",
        active_router=found.active_router if found is not None else "",
        fault=found.fault if found is not None else "",
        yielded=found is not None and found.yielded,
        standbys=found.standbys if found is not None else (),
        interface=config.interface,
        password=_mark(director, config.password),
        accept=config.accept,
        virtual_mac=bool(config.virtual_mac),
        sync_group=config.sync_group,
    )


def _daemon(daemon: SyncDaemon) -> str:
    return f"{daemon.role} sync id {daemon.sync_id} group {daemon.group} port {daemon.port}"


def _troubles(director: Director, now: float) -> tuple[str, ...]:
    """What makes a balancer unfit to serve, whatever its tables say."""
    found = [f"the {name} process is gone" for name in workers.missing(director.workers)]
    if director.config.vrrp and not director.vrrp.connected:
        found.append("the vrrp process is gone")
    elif director.config.vrrp and now - max(director.vrrp.heard_at, director.vrrp.changed_at) > SILENT_SECONDS:
        found.append(f"the vrrp process says nothing for {now - director.vrrp.heard_at:.0f} s: it hangs or is stopped")
    if director.kernel.unreadable:
        found.append(f"the kernel's table cannot be read: {director.kernel.unreadable}")
    refused = (f"{operation_text(one.operation)}: {one.meaning}" for one in director.kernel.refusals)
    return (*found, *(f"refused by the kernel: {text}" for text in refused))
