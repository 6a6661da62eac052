"""A virtual service as the keys of lvsd.yaml that say it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from config.build_service import ONE_PACKET_FLAG
from config.checks import AgentCheck, Check, NoCheck
from config.convert.checks import TIMING, check_keys, over, shared_timing
from config.convert.pool import pool_keys
from config.convert.values import Keys, duration, endpoint, inside, said
from config.convert.yamltext import Value
from config.model import FirewallMark, Mail, Persistence, RealServer, Tunnel, VirtualEndpoint, VirtualService
from config.words import (
    HASHING_SCHEDULERS,
    SCHEDULER_FLAGS,
    Forwarding,
    Initial,
    OnFailure,
    Protocol,
    TunnelChecksum,
    TunnelType,
)

_TRIED: Final = 5  # the commonest checks
_FORWARDINGS: Final = {one: one.name.lower() for one in Forwarding}


def service_keys(service: VirtualService, defaults: Mapping[str, Value]) -> Keys:
    """The service's keys, less those that `defaults` say (scheduler, forwarding, on_failure, and the check's)."""
    forwarding = _commonest([real.forwarding for real in service.real_servers], Forwarding.DIRECT)
    settings: Keys = {
        "scheduler": service.scheduler, "on_failure": service.on_failure.value, "forwarding": _FORWARDINGS[forwarding],
    }  # fmt: skip
    usual: Keys = {"scheduler": "wrr", "on_failure": OnFailure.REMOVE.value, "forwarding": "direct"}
    changed: Keys = {name: value for name, value in settings.items() if value != defaults.get(name, usual[name])}
    outer, everywhere = inside(defaults, "check"), _alike(service.real_servers)
    checks, servers = _servers(service, forwarding, outer, everywhere)
    fallback = [
        _server(service, real, forwarding, _fallback_checks(real, outer), everywhere={}) for real in service.fallback
    ]
    return (
        _virtual(service)
        | changed
        | _flags(service)
        | said(persistence=_persistence(service))
        | {name: value for name, value in _quorum(service).items() if defaults.get(name) != value}
        | pool_keys(service.rules)
        | everywhere
        | checks
        | {"real_servers": servers}
        | (said(fallback=fallback) if fallback else {})
    )


def _alike(servers: Sequence[RealServer]) -> Keys:
    """What all real servers say alike of their checks as a whole."""
    said_ = [_judged(real) for real in servers]
    return said_[0] if said_ and all(keys == said_[0] for keys in said_) else {}


def _judged(real: RealServer) -> Keys:
    return said(
        checks_needed=_NEEDED.get(real.needed, real.needed) if real.needed else None,
        initial=real.initial.value if real.initial is not Initial.ADOPT else None,
    )


_NEEDED: Final[Mapping[int, Value]] = {1: "any"}


def is_probed(fallback: RealServer) -> bool:
    """Whether a fallback server has a check."""
    return fallback.checks != (Check(NoCheck()),)


def _fallback_checks(real: RealServer, outer: Mapping[str, Value]) -> Keys:
    """A fallback server inherits no check, but the timing of the defaults, which has no word that it lacks."""
    if not is_probed(real):
        return {}
    timing = {name: value for name, value in outer.items() if name in TIMING}
    keys: list[Value] = [over(check_keys(check), timing) or check_keys(check) for check in real.checks]
    return {"checks": keys} if len(keys) > 1 else {"check": keys[0]}


def _commonest(values: Sequence[Forwarding], otherwise: Forwarding) -> Forwarding:
    return Counter(values).most_common(1)[0][0] if values else otherwise


def _virtual(service: VirtualService) -> Keys:
    virtual = service.virtual
    one_packet = True if service.flags & ONE_PACKET_FLAG else None
    if isinstance(virtual, FirewallMark):
        return {"fwmark": virtual.mark} | said(family="ipv6" if virtual.ipv6 else None, one_packet=one_packet)
    protocol = None if virtual.protocol is Protocol.TCP else virtual.protocol.name.lower()
    return {"virtual": endpoint(virtual.address, virtual.port)} | said(protocol=protocol, one_packet=one_packet)


def _flags(service: VirtualService) -> Keys:
    """The scheduler's own words where it has some; nothing where the flags are what lvsd sets by itself."""
    bits = service.flags & ~ONE_PACKET_FLAG
    by_itself = SCHEDULER_FLAGS["flag-1"] if service.scheduler in HASHING_SCHEDULERS else 0
    if bits == by_itself:
        return {}
    own = {word: bit for word, bit in SCHEDULER_FLAGS.items() if word.startswith(f"{service.scheduler}-")}
    found: list[Value] = [word for word, bit in own.items() if bits & bit]
    named = sum(own.values())
    found += [word for word, bit in SCHEDULER_FLAGS.items() if word.startswith("flag-") and bits & bit & ~named]
    return {"flags": found}


def _persistence(service: VirtualService) -> Value | None:
    said_: Persistence | None = service.persistence
    if said_ is None:
        return None
    virtual = service.virtual
    ipv6 = virtual.ipv6 if isinstance(virtual, FirewallMark) else ":" in virtual.address
    netmask = said_.netmask if said_.netmask != (128 if ipv6 else 32) else None
    keys = said(netmask=netmask, engine=said_.engine or None)
    return {"timeout": duration(said_.seconds)} | keys if keys else duration(said_.seconds)


def _quorum(service: VirtualService) -> Keys:
    return said(
        quorum=service.quorum if service.quorum != 1 else None,
        hysteresis=service.hysteresis or None,
        on_quorum_up=list(service.on_quorum_up) or None,
        on_quorum_down=list(service.on_quorum_down) or None,
        hooks_on_stop=service.hooks_on_stop or None,
        mail=mail_value(service.mail) if service.mail else None,
        monitor_file=service.monitor_file,
    )


def mail_value(mail: Mail) -> Value:
    """Who is told: the addresses alone where nothing else is said."""
    to: Value = mail.to[0] if len(mail.to) == 1 else list(mail.to)
    keys: Keys = said(
        smtp=mail.smtp,
        repeat=duration(mail.repeat) if mail.repeat else None,
        label=mail.label or None,
        comment=mail.comment or None,
        phases=sorted(mail.phases) if mail.phases != Mail(()).phases else None,
    )
    if mail.sender:
        keys = {"from": mail.sender} | keys
    return {"to": to} | keys if keys else to


def _written(real: RealServer) -> tuple[Check, ...]:
    """Its checks, those that are written alike also alike: an agent's weight is its real server's."""
    return tuple(
        replace(one, kind=AgentCheck(one.kind.send)) if isinstance(one.kind, AgentCheck) else one for one in real.checks
    )


def _servers(
    service: VirtualService, forwarding: Forwarding, outer: Mapping[str, Value], everywhere: Keys
) -> tuple[Keys, list[Value]]:
    """What the service says of checks, and its real servers, each with what it does otherwise."""
    tried = Counter(_written(real) for real in service.real_servers).most_common(_TRIED)
    for shared in (*(checks for checks, _count in tried), None):
        level = _common_timing(service, outer) if shared is None else _level(shared, outer)
        if level is None:
            continue
        own = [_own_checks(_written(real), shared, level, outer) for real in service.real_servers]
        found = [keys for keys in own if keys is not None]
        if len(found) == len(own):
            pairs = zip(service.real_servers, found, strict=True)
            return level, [_server(service, real, forwarding, keys, everywhere) for real, keys in pairs]
    raise AssertionError  # without a check of the service's every real server can say its own


def _common_timing(service: VirtualService, outer: Mapping[str, Value]) -> Keys:
    """What the checks have in common where each real server has to say its own."""
    checks = [check for real in service.real_servers for check in _written(real)]
    keys = {name: value for name, value in shared_timing(checks).items() if outer.get(name) != value}
    return {"check": keys} if keys else {}


def _level(checks: tuple[Check, ...], outer: Mapping[str, Value]) -> Keys | None:
    """A level's `check` or `checks` below an outer check."""
    whole = [check_keys(check) for check in checks]
    found = [over(keys, outer) for keys in whole]
    keys = [{"type": full["type"]} | said for full, said in zip(whole, found, strict=True) if said is not None]
    if len(keys) != len(found):
        return None
    if len(keys) > 1:
        return {"checks": list(keys)}
    return {"check": keys[0]} if keys[0] != {"type": "tcp"} else {}


def _own_checks(
    checks: tuple[Check, ...], shared: tuple[Check, ...] | None, level: Mapping[str, Value], outer: Mapping[str, Value]
) -> Keys | None:
    """What a real server says of its checks where the service's are not its own; None when it cannot be said."""
    if checks == shared:
        return {}
    above = {"type": "tcp", **outer, **inside(level, "check")}
    if len(checks) > 1:
        return _level(checks, above)
    own = check_keys(checks[0])
    found = over(own, above)
    if found is None:
        return None
    type_: Keys = {"type": own["type"]} if "checks" in level or not found else {}  # a type ends the service's list
    return {"check": type_ | found}


def _server(service: VirtualService, real: RealServer, forwarding: Forwarding, checks: Keys, everywhere: Keys) -> Value:
    virtual = service.virtual
    port = virtual.port if isinstance(virtual, VirtualEndpoint) else 0
    keys = said(
        weight=real.weight if real.weight != 1 else None,
        forwarding=_FORWARDINGS[real.forwarding] if real.forwarding is not forwarding else None,
        tunnel=_tunnel(real.tunnel) if real.tunnel != Tunnel() else None,
        upper_threshold=real.upper_threshold or None,
        lower_threshold=real.lower_threshold or None,
        on_failure=real.on_failure.value if real.on_failure else None,
        on_up=list(real.on_up) or None,
        on_down=list(real.on_down) or None,
        group=real.priority_group if real.priority_group != 1 else None,
    )
    keys |= {name: value for name, value in _judged(real).items() if name not in everywhere}
    if not keys and not checks:
        return real.address if real.port == port else endpoint(real.address, real.port)
    return {"address": real.address} | said(port=real.port if real.port != port else None) | keys | checks


def _tunnel(tunnel: Tunnel) -> Value:
    keys = said(
        port=tunnel.port or None,
        checksum=tunnel.checksum.name.lower() if tunnel.checksum is not TunnelChecksum.NONE else None,
    )
    type_ = tunnel.type.name.lower()
    return {"type": type_} | keys if keys or tunnel.type is TunnelType.GUE else type_
