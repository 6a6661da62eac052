"""What a configuration means, in lines a person can read and compare."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import msgspec

from config.load import Loaded
from config.model import Config, FirewallMark, RealServer, VirtualService, VrrpInstance


def meaning(found: Loaded) -> str:
    """The configuration, or that there is none, and every problem."""
    lines = ["refused"] if found.config is None else list(_of_config(found.config))
    return "\n".join([*lines, *(str(one) for one in found.problems), ""])


def _of_config(config: Config) -> Iterator[str]:
    for service in config.services:
        yield from _of_service(service)
    for instance in config.vrrp:
        yield _of_instance(instance)
    for group in config.vrrp_groups:
        yield f"sync group {group.name} {_rest(group.hooks, ())}"
    if config.daemon != type(config.daemon)():
        yield f"daemon {_rest(config.daemon, ())}"
    if config.ipvs != type(config.ipvs)():
        yield f"ipvs {_rest(config.ipvs, ())}"


def _of_service(service: VirtualService) -> Iterator[str]:
    family = " ipv6" if isinstance(service.virtual, FirewallMark) and service.virtual.ipv6 else ""
    words = f"{service.name}{family} {service.scheduler} flags {service.flags:#x}"
    yield f"service {words} {_rest(service, _TOLD)}".rstrip()
    for role, servers in (("real", service.real_servers), ("fallback", service.fallback)):
        for one in servers:
            yield from _of_server(role, one)


_TOLD = ("name", "virtual", "scheduler", "flags", "real_servers", "fallback")


def _of_server(role: str, real: RealServer) -> Iterator[str]:
    told = ("address", "port", "weight", "forwarding", "check", "further_checks")
    words = f"{real.address}|{real.port} {real.forwarding.name.lower()} weight {real.weight}"
    yield f"  {role} {words} {_rest(real, told)}".rstrip()
    for check in real.checks:
        timing = check.timing
        dials = "".join(f" {name} {value}" for name, value in (("at", check.address), ("port", check.port)) if value)
        times = f"every {timing.interval:g} timeout {timing.timeout:g} fall {timing.fall} fast {timing.fast_interval}"
        name = type(check.kind).__name__
        rest = " ".join(filter(None, (_rest(check.dial, ()), _rest(check.kind, ()))))
        yield f"    {name}{dials} {times} {rest}".rstrip()


def _rest(one: msgspec.Struct, told: tuple[str, ...]) -> str:
    """What differs from its default, apart from the fields told already."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(one)}
    said = {name: value for name, value in msgspec.structs.asdict(one).items() if name not in told}
    return " ".join(f"{name}={_shown(value)}" for name, value in said.items() if value != defaults[name])


def _shown(value: object) -> str:
    match value:
        case msgspec.Struct():
            return f"{type(value).__name__}({_rest(value, ())})"
        case Enum():
            return str(value.name).lower()
        case _:
            return repr(value)


def _of_instance(instance: VrrpInstance) -> str:
    addresses = " ".join(
        f"{'' if one.advertised else '+'}{one.address}/{one.prefix_length}@{one.interface}"
        for one in instance.addresses
    )
    told = ("name", "interface", "virtual_router_id", "priority", "version", "addresses", "password")
    words = f"{instance.interface} id {instance.virtual_router_id} priority {instance.priority} v{instance.version}"
    secret = " password" if instance.password is not None else ""
    return f"instance {instance.name} {words}{secret} {addresses} {_rest(instance, told)}".rstrip()
