"""What a reload would change, in lines a person reads before saying yes. No line ever tells a secret. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import msgspec

from config.change_words import (
    address_words,
    called,
    endpoint_words,
    method_words,
    track_words,
    virtual_words,
    words,
)
from config.checks import AgentCheck, AnyCheck, Check
from config.model import (
    Config,
    ConnectionSync,
    FirewallMark,
    Mail,
    Persistence,
    RealServer,
    Timeouts,
    Tunnel,
    VirtualEndpoint,
    VirtualService,
    VrrpInstance,
)
from config.pool_rules import Amount, CorrelatedFailure, Floor, HoldDown, LatencyWeights, Passive
from config.secret import Secret

_T = TypeVar("_T")
_PREFIXED: Final = (Tunnel, Mail, Timeouts, ConnectionSync, Floor, CorrelatedFailure, HoldDown, Passive, LatencyWeights)


def changes(old: Config, new: Config) -> tuple[str, ...]:
    """Every difference, one a line, services first; nothing when the two say the same."""
    services = _named(old.services), _named(new.services)
    instances = {one.name: one for one in old.vrrp}, {one.name: one for one in new.vrrp}
    return (
        *_compare("service", *services),
        *_compare("vrrp", *instances),
        *(f"sync groups: {line}" for line in _groups(old, new)),
        *(f"daemon: {line}{_when(line)}" for line in _fields(old.daemon, new.daemon, frozenset())),
        *(f"ipvs: {line}" for line in _fields(old.ipvs, new.ipvs, frozenset())),
    )


def _groups(old: Config, new: Config) -> Iterator[str]:
    before, after = ({one.name: one for one in config.vrrp_groups} for config in (old, new))
    yield from (f"{name}: removed" for name in before if name not in after)
    yield from (f"{name}: added" for name in after if name not in before)
    yield from (f"{name}: commands changed" for name in after if name in before and before[name] != after[name])


def _when(line: str) -> str:
    """A worker that has given up its rights cannot become somebody else."""
    return " (when lvsd is started again)" if line.startswith("checker user ") else ""


def _named(services: tuple[VirtualService, ...]) -> dict[str, VirtualService]:
    return {service.name: service for service in services}


def _compare(
    what: str, old: Mapping[str, VirtualService | VrrpInstance], new: Mapping[str, VirtualService | VrrpInstance]
) -> Iterator[str]:
    """Removed, added, renamed and changed ones, by name: a new name alone changes nothing in the kernel."""
    gone = {_identity(one): name for name, one in old.items() if name not in new}
    renamed = {name: gone[_identity(one)] for name, one in new.items() if name not in old and _identity(one) in gone}
    kept = frozenset(renamed.values())
    for name in old:
        if name not in new and name not in kept:
            yield f"{what} {name}: removed ({_summary(old[name])})"
    for name, one in new.items():
        before = old.get(renamed.get(name, name))
        if before is None:
            yield f"{what} {name}: added ({_summary(one)})"
            continue
        if name in renamed:
            yield f"{what} {renamed[name]}: renamed {name}"
        if before != one:
            yield from (f"{what} {name}: {line}" for line in _inside(before, one))


def _identity(one: VirtualService | VrrpInstance) -> VirtualEndpoint | FirewallMark | tuple[str, int]:
    """What two are the same thing by, under whatever name."""
    return one.virtual if isinstance(one, VirtualService) else (one.interface, one.virtual_router_id)


def _summary(one: VirtualService | VrrpInstance) -> str:
    if isinstance(one, VirtualService):
        count = len(one.real_servers)
        return f"{virtual_words(one.virtual)}, {one.scheduler}, {count} real server{'' if count == 1 else 's'}"
    addresses = ", ".join(f"{moved.address}/{moved.prefix_length}" for moved in one.addresses)
    return f"id {one.virtual_router_id} on {one.interface}, priority {one.priority}, {addresses}"


def _inside(old: VirtualService | VrrpInstance, new: VirtualService | VrrpInstance) -> Iterator[str]:
    match old, new:
        case VirtualService(), VirtualService():
            yield from _fields(old, new, frozenset(("name", "real_servers", "fallback")))
            yield from _real_servers(old.real_servers, new.real_servers)
            yield from _fallback(old.fallback, new.fallback)
        case VrrpInstance(), VrrpInstance():
            yield from _fields(old, new, frozenset(("name", "addresses", "tracks")))
            yield from _addresses(old, new)
            yield from (f"track {track_words(one)} removed" for one in old.tracks if one not in new.tracks)
            yield from (f"track {track_words(one)} added" for one in new.tracks if one not in old.tracks)
        case _:
            return


def _fallback(old: tuple[RealServer, ...], new: tuple[RealServer, ...]) -> Iterator[str]:
    """Their order counts, so the list is told as a whole."""
    before = {(one.address, one.port): one for one in old}
    after = {(one.address, one.port): one for one in new}
    if list(before) != list(after):
        yield f"fallback {words('fallback', old)} -> {words('fallback', new)}"
    for key in (key for key in before if key in after):
        lines = _real(before[key], after[key], check_is_told=False)
        yield from (f"fallback server {endpoint_words(*key)}: {line}" for line in lines)


def _real_servers(old: tuple[RealServer, ...], new: tuple[RealServer, ...]) -> Iterator[str]:
    """By address and port. A change of check that all share is told once."""
    before = {(one.address, one.port): one for one in old}
    after = {(one.address, one.port): one for one in new}
    yield from (f"real server {endpoint_words(*key)} removed" for key in before if key not in after)
    for key, one in after.items():
        if key not in before:
            yield f"real server {endpoint_words(*key)} added ({method_words(one)}, weight {one.weight})"
    both = [(before[key], after[key]) for key in after if key in before]
    different = [(ours, theirs) for ours, theirs in both if ours != theirs]
    shared = {tuple(_checks(ours.checks, theirs.checks)) for ours, theirs in different}
    told_once = len(shared) == 1 and (len(different) == len(both) or () in shared)
    if told_once:
        yield from shared.pop()
    for ours, theirs in different:
        yield from (
            f"real server {endpoint_words(ours.address, ours.port)}: {line}" for line in _real(ours, theirs, told_once)
        )


def _real(old: RealServer, new: RealServer, check_is_told: bool) -> Iterator[str]:
    yield from _fields(old, new, frozenset(("check", "further_checks")))
    if not check_is_told:
        yield from _checks(old.checks, new.checks)


def _checks(old: tuple[Check, ...], new: tuple[Check, ...]) -> Iterator[str]:
    """The same number of checks one by one, else their types."""
    if len(old) != len(new):
        yield f"checks {_kind_names(old)} -> {_kind_names(new)}"
        return
    for number, (before, after) in enumerate(zip(old, new, strict=True), 1):
        word = "check" if len(new) == 1 else f"check {number}"
        yield from (f"{word}: {line}" for line in _check(before, after))


def _kind_names(checks: tuple[Check, ...]) -> str:
    return ", ".join(_kind_name(one.kind) for one in checks)


def _check(old: Check, new: Check) -> Iterator[str]:
    if _kind_name(old.kind) == _kind_name(new.kind):
        yield from _fields(old.kind, new.kind, frozenset(("weight",) if isinstance(new.kind, AgentCheck) else ()))
    else:
        yield f"type {_kind_name(old.kind)} -> {_kind_name(new.kind)}"
    yield from _fields(old.timing, new.timing, frozenset())
    yield from _fields(old, new, frozenset(("kind", "timing")))


def _kind_name(kind: AnyCheck) -> str:
    """The type as it is written: the tag, and how it is encrypted."""
    tag = str(kind.__struct_config__.tag)
    mode = getattr(kind, "mode", None)
    if tag == "http" and getattr(kind, "tls", None) is not None:
        return "https"
    if mode is None or mode.value == "none":
        return tag
    return f"{tag}s" if mode.value == "implicit" else f"{tag} with STARTTLS"


def _addresses(old: VrrpInstance, new: VrrpInstance) -> Iterator[str]:
    before = {one.address: one for one in old.addresses}
    after = {one.address: one for one in new.addresses}
    yield from (f"address {address_words(one)} removed" for address, one in before.items() if address not in after)
    for address, one in after.items():
        if address not in before:
            yield f"address {address_words(one)} added"
        elif one != before[address]:
            yield f"address {address_words(before[address])} -> {address_words(one)}"


def _fields(old: _T, new: _T, without: frozenset[str]) -> Iterator[str]:
    """Fields that differ. Nested plain structures are told field by field, a secret only as changed."""
    for name in getattr(new, "__struct_fields__", ()):
        before, after = getattr(old, name), getattr(new, name)
        if name in without or before == after:
            continue
        word = called(name)
        if isinstance(before, Secret) and isinstance(after, Secret):
            yield f"{word} changed"
        elif _told_inside(before, after):
            prefix = f"{word} " if isinstance(after, _PREFIXED) else ""
            yield from (prefix + line for line in _fields(before, after, frozenset()))
        else:
            yield f"{word} {words(name, before)} -> {words(name, after)}"


def _told_inside(before: object, after: object) -> bool:
    plain = isinstance(before, msgspec.Struct) and type(before) is type(after)
    return plain and not isinstance(before, VirtualEndpoint | FirewallMark | Persistence | Amount)
