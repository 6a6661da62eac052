"""Whether the checker finds anybody healthy while it suspects itself: who was probed last and is well. Pure.

Looked up once for what is known at a moment: a farm that fails as a whole has as many suspicions as services.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from checkers.core.messages import State, Verdict
from config.model import VirtualService
from lvsd.core.health import numbered_checks
from lvsd.core.identity import real_id
from lvsd.core.pool_state import Suspicion
from lvsd.core.sharing import is_probed
from lvsd.core.state import Checked, Director


@dataclass(frozen=True, slots=True)
class _Latest:
    """Of one service: when a healthy check of it was probed last."""

    at: float = -inf
    service: VirtualService | None = None


@dataclass(frozen=True, slots=True)
class _Witnesses:
    """The latest of all services, the latest of all others; and how many checks are probed."""

    checks: Mapping[str, Checked]
    verdicts: Mapping[str, Verdict]
    first: _Latest
    second: _Latest
    probed: int


def is_sound(director: Director, virtual: VirtualService, suspicion: Suspicion) -> bool:
    """Whether the checker finds somebody else healthy since this service's suspicion, or has nobody else to probe."""
    known = _witnesses(director)
    other = known.second if known.first.service is virtual else known.first
    if other.at > suspicion.since:
        return True
    suspects = 0
    for name, identity in _probed(director, virtual):
        if name in suspicion.members:
            suspects += 1
        elif _healthy_at(director.verdicts.get(identity)) > suspicion.since:
            return True
    return suspects == known.probed


def _probed(director: Director, virtual: VirtualService) -> Iterator[tuple[str, str]]:
    """The checks of one service that are probed, each with the name of its real server."""
    names = {
        identity: real_id(virtual, real)
        for real in (*virtual.real_servers, *virtual.fallback)
        for identity, _ in numbered_checks(virtual, real)
    }
    for identity, name in names.items():
        checked = director.checks.get(identity)
        if checked is not None and is_probed(checked):
            yield name, identity


def _healthy_at(verdict: Verdict | None) -> float:
    if verdict is None or verdict.state is not State.UP or verdict.streak:
        return -inf
    return verdict.probed_at


_last: list[_Witnesses] = []


def _witnesses(director: Director) -> _Witnesses:
    """Kept as long as nothing else is heard."""
    for one in _last:
        if one.checks is director.checks and one.verdicts is director.verdicts:
            return one
    _last[:] = [_looked_up(director)]
    return _last[0]


def forget() -> None:
    """Hold nothing of a configuration that is no more."""
    _last.clear()


def _looked_up(director: Director) -> _Witnesses:
    first = second = _Latest()
    probed = 0
    for identity, checked in director.checks.items():
        if not is_probed(checked):
            continue
        probed += 1
        at = _healthy_at(director.verdicts.get(identity))
        if at <= second.at:
            continue
        if checked.service is first.service:
            first = _Latest(max(at, first.at), checked.service)
        elif at > first.at:
            first, second = _Latest(at, checked.service), first
        else:
            second = _Latest(at, checked.service)
    return _Witnesses(director.checks, director.verdicts, first, second, probed)
