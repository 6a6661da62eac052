"""Real servers that answer no clients though their checks pass: probed at once, told, and where so said held out. Pure.

A window of unanswered clients counts as one failure beside those that the check has found in a row; with `fall` of them
the real server is held out, for it cannot show itself well while it has no clients: at first for `HOLD.first` seconds,
then twice as long each time, as hold-down reckons (of `hold_down`, where the service has it). That counts only while
another real server of the service does answer: where nobody is answered it is the network, or a flood of SYNs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from checkers.core.messages import State
from config.model import RealServer, VirtualService
from config.pool_rules import HoldDown, Passive, PassiveAction
from lvsd.core import flapping, slices
from lvsd.core.effects import Effect, HurryChecks, Level, Tell
from lvsd.core.health import checked_state, numbered_checks, worst_check
from lvsd.core.identity import endpoint_text, real_id, service_key
from lvsd.core.passive import Finding, Seen
from lvsd.core.pool_state import NO_POOL, Pool, Unanswered
from lvsd.core.state import Director
from netlink.table import ServiceKey

HOLD = HoldDown(first=30.0)
FORGET_WINDOWS = 12  # without clients nothing is known any more

Found = Mapping[ServiceKey, Mapping[str, Seen]]
"""By service and `real_id`."""


def watched(director: Director) -> tuple[VirtualService, ...]:
    """Services whose clients' packets are looked at."""
    return tuple(one for one in director.config.services if one.rules.passive is not None)


def is_open(director: Director, key: ServiceKey) -> bool:
    """Whether somebody of the service is suspect, so that also what is quiet is to be told."""
    return bool(director.pools.get(key, NO_POOL).unanswered)


def is_suspect(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    """Whether its clients are not answered now."""
    return real_id(virtual, real) in director.pools.get(service_key(virtual.virtual), NO_POOL).unanswered


def heard(director: Director, found: Found, now: float) -> tuple[Director, list[Effect]]:
    """Fold in what clients' packets tell. Services one of whose real servers is held out are due."""
    pools = dict(director.pools)
    effects: list[Effect] = []
    due: dict[ServiceKey, VirtualService] = {}
    for virtual in watched(director):
        key = service_key(virtual.virtual)
        rule = virtual.rules.passive
        if key not in found or rule is None:
            continue
        before = director.pools.get(key, NO_POOL)
        after, told = _looked(director, virtual, rule, before, found[key], now)
        effects.extend(told)
        pools.pop(key, None)
        pools.update({key: after} if after != NO_POOL else {})
        if after.passive_flaps != before.passive_flaps:
            due[key] = virtual
    return slices.due(replace(director, pools=pools), due), effects


@dataclass(slots=True)
class _Look:
    """One service's real servers, as they are gone through."""

    unanswered: dict[str, Unanswered]
    flaps: dict[str, flapping.Flaps]
    hurried: list[str]
    told: list[Effect]


def _looked(
    director: Director, virtual: VirtualService, rule: Passive, before: Pool, found: Mapping[str, Seen], now: float
) -> tuple[Pool, list[Effect]]:
    witnessed = any(one.finding is Finding.ANSWERED for one in found.values())
    fails = witnessed and rule.action is PassiveAction.FAIL
    look = _Look(dict(before.unanswered), dict(before.passive_flaps), [], [])
    for real in virtual.real_servers:
        name = real_id(virtual, real)
        seen = found.get(name)
        if seen is None or seen.finding is not Finding.UNANSWERED:
            _relieved(virtual, real, rule, look, seen, now)
            continue
        look.hurried.extend(identity for identity, _ in numbered_checks(virtual, real))
        if name not in look.unanswered:
            look.told.append(_suspect(virtual, real, rule, seen))
        marked = _marked(look.unanswered.get(name), rule, now, counts=fails)
        look.unanswered[name] = marked
        if fails and _failures(director, virtual, real, marked) >= real.check.timing.fall:
            look.unanswered.pop(name)
            look.flaps[name] = _held(virtual, look.flaps.get(name), now)
    after = replace(before, unanswered=look.unanswered, passive_flaps=look.flaps)
    return after, [*look.told, *([HurryChecks(tuple(look.hurried))] if look.hurried else [])]


def _marked(before: Unanswered | None, rule: Passive, now: float, *, counts: bool) -> Unanswered:
    """Suspect once more. Each whole window is one failure."""
    if before is None:
        return Unanswered(now, now, int(counts), now)
    if not counts or now - before.counted_at < rule.window:
        return replace(before, last=now)
    return replace(before, last=now, failures=before.failures + 1, counted_at=now)


def _failures(director: Director, virtual: VirtualService, real: RealServer, marked: Unanswered) -> int:
    """Those that clients found, and those that the check has found in a row."""
    verdict = worst_check(director, virtual, real)[1]
    streak = verdict.streak if verdict is not None and verdict.state is State.UP else 0
    return marked.failures + streak


def _held(virtual: VirtualService, before: flapping.Flaps | None, now: float) -> flapping.Flaps:
    rule = virtual.rules.hold_down or HOLD
    failed = flapping.failed(rule, before, now)
    return replace(failed, until=now + flapping.held(rule, failed.count + 1))


def _relieved(
    virtual: VirtualService, real: RealServer, rule: Passive, look: _Look, seen: Seen | None, now: float
) -> None:
    """It answers, or nothing was heard of its clients for long."""
    name = real_id(virtual, real)
    marked = look.unanswered.get(name)
    if marked is None:
        return
    answers = seen is not None and seen.finding is Finding.ANSWERED
    if answers or now - marked.last > FORGET_WINDOWS * rule.window:
        look.unanswered.pop(name)
        why = "answers" if answers else "no clients"
        look.told.append(Tell(Level.INFO, "real_server_not_suspect", {**_fields(virtual, real), "why": why}))


def _suspect(virtual: VirtualService, real: RealServer, rule: Passive, seen: Seen) -> Effect:
    more = {"connections": seen.connections, "window": rule.window, "action": rule.action.value}
    return Tell(Level.WARNING, "real_server_suspect", {**_fields(virtual, real), **more})


def _fields(virtual: VirtualService, real: RealServer) -> dict[str, str | int | float]:
    return {"service": virtual.name, "real_server": endpoint_text(real.address, real.port)}


def held_out(director: Director, before: Pool, virtual: VirtualService, now: float) -> Iterable[str]:
    """Whose checks pass, and whose clients were not answered lately."""
    if not before.passive_flaps or virtual.rules.passive is None:
        return ()
    out = {name for name, one in before.passive_flaps.items() if one.until > now}
    return (
        name
        for real in virtual.real_servers
        if (name := real_id(virtual, real)) in out and checked_state(director, virtual, real) is State.UP
    )
