"""Operations and keys in the words an administrator reads. Pure."""

from __future__ import annotations

from lvsd.core.effects import Apply, ApplySettings
from lvsd.core.events import PlanApplied, SettingsApplied
from lvsd.core.identity import endpoint_text
from netlink.operations import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    SetDestination,
    SetService,
)
from netlink.settings import SetTimeouts, Setting, StartDaemon, StopDaemon
from netlink.table import DestinationKey, Family, ServiceKey

_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}


def service_text(key: ServiceKey) -> str:
    """`tcp 1.1.1.12:80` or `fwmark 7`, the words of `identity.virtual_text`."""
    if key.fwmark:
        return f"fwmark{'6' if key.family is Family.INET6 else ''} {key.fwmark}"
    return f"{_PROTOCOLS.get(key.protocol, str(key.protocol))} {endpoint_text(key.address, key.port)}"


def destination_text(key: DestinationKey) -> str:
    """`address:port`."""
    return endpoint_text(key.address, key.port)


def operation_text(operation: Operation) -> str:
    """One change as a sentence without a subject."""
    match operation:
        case AddService(service):
            return f"add service {service_text(service.key)} scheduler {service.scheduler}"
        case SetService(service):
            return f"change service {service_text(service.key)} scheduler {service.scheduler}"
        case DeleteService(key):
            return f"delete service {service_text(key)}"
        case AddDestination(key, real):
            return f"add {destination_text(real.key)} weight {real.weight} to {service_text(key)}"
        case SetDestination(key, real):
            return f"set {destination_text(real.key)} weight {real.weight} in {service_text(key)}"
        case DeleteDestination(key, gone):
            return f"delete {destination_text(gone)} from {service_text(key)}"


def setting_text(setting: Setting) -> str:
    """One change of IPVS as a whole as a sentence without a subject."""
    match setting:
        case SetTimeouts(tcp, tcp_fin, udp):
            said = ("tcp", tcp), ("tcp_fin", tcp_fin), ("udp", udp)
            return "set timeouts " + " ".join(f"{name} {seconds}" for name, seconds in said if seconds)
        case StartDaemon(role, interface, sync_id):
            return f"start {role} sync daemon on {interface} sync id {sync_id}"
        case StopDaemon(role):
            return f"stop {role} sync daemon"


def change_texts(change: Apply | ApplySettings | PlanApplied | SettingsApplied) -> tuple[str, ...]:
    """What is or was sent to the kernel."""
    match change:
        case Apply() | PlanApplied():
            return tuple(map(operation_text, change.operations))
        case ApplySettings() | SettingsApplied():
            return tuple(map(setting_text, change.settings))


def refusal_texts(answer: PlanApplied | SettingsApplied) -> tuple[str, ...]:
    """What of it the kernel refused, and why."""
    match answer:
        case PlanApplied():
            return tuple(f"{operation_text(one.operation)}: {one.meaning}" for one in answer.refusals)
        case SettingsApplied():
            return tuple(f"{setting_text(one.setting)}: {one.meaning}" for one in answer.refusals)
