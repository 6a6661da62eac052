"""What the configuration says of IPVS's sysctls: read, compared, set, looked at again; refusals told once. Pure.

Only what is said is touched, and set again when a stranger changes it. At the end they are left as they are, and so is
one that a new configuration says no longer: what it was before nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lvsd.core.effects import ApplySysctls, Effect, Level, ReadSysctls, Tell
from lvsd.core.events import ConfigChanged, Event, Started, SysctlsApplied, SysctlsRead, Ticked
from lvsd.core.kernel_settings import BACKOFF_SECONDS
from lvsd.core.state import Director, Sysctls

NAMES = ("expire_nodest_conn", "expire_quiescent_template", "conn_reuse_mode", "sloppy_tcp")
"""Fields of config.model.Ipvs, and files of /proc/sys/net/ipv4/vs."""

Step = tuple[Director, tuple[Effect, ...]]


def wanted(director: Director) -> Mapping[str, int]:
    """What they are to be, by name; what is not said is not there."""
    said = ((name, getattr(director.config.ipvs, name)) for name in NAMES)
    return {name: int(value) for name, value in said if value is not None}


def beside(director: Director, event: Event) -> Step:
    """What an event means for them, when all else of it is decided."""
    match event:
        case Started() | ConfigChanged():
            begun = replace(director, sysctls=Sysctls())
            return begun, _look(begun)
        case Ticked():
            return director, _look(director)
        case _:
            return director, ()


def _look(director: Director) -> tuple[Effect, ...]:
    names = tuple(wanted(director))
    return (ReadSysctls(names),) if names else ()


def heard(director: Director, event: SysctlsRead | SysctlsApplied, now: float) -> Step:
    """What the kernel answered."""
    match event:
        case SysctlsRead(values, errors):
            return _read(director, values, errors, now)
        case SysctlsApplied(values, refusals):
            return _applied(director, values, refusals, now)


def _read(director: Director, values: Mapping[str, int], errors: Mapping[str, str], now: float) -> Step:
    before = director.sysctls
    said = wanted(director)
    told = [_failed("sysctl_unreadable", name, errors[name]) for name in errors if name not in before.unreadable]
    state = replace(before, unreadable=frozenset(errors))
    differ = {name: value for name, value in said.items() if name in values and values[name] != value}
    if not differ:
        return replace(director, sysctls=Sysctls(settled=True, unreadable=state.unreadable)), tuple(told)
    if before.retry_at is not None and now < before.retry_at:
        return replace(director, sysctls=state), tuple(told)
    if differ == before.tried:  # it was taken, and is not so
        if before.failures == 0:
            told.append(Tell(Level.ERROR, "sysctl_not_kept", {"sysctls": _texts(differ)}))
        return replace(director, sysctls=_later(state, now)), tuple(told)
    if before.settled:
        told.append(Tell(Level.WARNING, "sysctl_changed_by_stranger", {"to_mend": _texts(differ)}))
    tried = replace(state, settled=False, tried=differ)
    return replace(director, sysctls=tried), (*told, ApplySysctls(differ))


def _applied(director: Director, values: Mapping[str, int], refusals: Mapping[str, str], now: float) -> Step:
    before = director.sysctls
    accepted = (f"{name} {value}" for name, value in values.items() if name not in refusals)
    told: list[Effect] = [Tell(Level.INFO, "sysctl_changed", {"sysctl": text}) for text in accepted]
    told += [_failed("sysctl_refused", name, refusals[name]) for name in refusals if name not in before.refused]
    state = replace(before, refused=frozenset(refusals))
    if refusals:
        state = replace(_later(state, now), tried={})
    return replace(director, sysctls=state), (*told, *_look(director))


def _later(state: Sysctls, now: float) -> Sysctls:
    """Tried again, ever more seldom."""
    failures = state.failures + 1
    retry_at = now + BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS)) - 1]
    return replace(state, failures=failures, retry_at=retry_at, tried={})


def _failed(event: str, name: str, error: str) -> Effect:
    return Tell(Level.ERROR, event, {"sysctl": f"net.ipv4.vs.{name}", "error": error})


def _texts(values: Mapping[str, int]) -> str:
    return ", ".join(_assignments(values.items()))


def _assignments(items: Iterable[tuple[str, int]]) -> Iterable[str]:
    return (f"{name} {value}" for name, value in items)
