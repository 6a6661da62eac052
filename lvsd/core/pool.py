"""The real servers of a service together: suspicion of failures at once, the floor, what there is to tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from checkers.core.messages import State
from config.checks import NoCheck
from config.model import RealServer, VirtualService
from config.pool_rules import FloorAction, PoolRules
from lvsd.core import correlation, floor, slow_start
from lvsd.core.correlation import Circumstances, Found
from lvsd.core.effects import Effect, Level, Tell
from lvsd.core.health import checked_state, effective_weight, standing_state, taken_out, worst_check
from lvsd.core.identity import endpoint_text, real_id, service_key
from lvsd.core.pool_state import Hold, Pools, Ramp, Suspicion
from lvsd.core.state import Director
from lvsd.core.turns import Turn
from lvsd.core.verdicts import outcome_words
from netlink.table import DestinationKey, ServiceKey

_NO_RULES = PoolRules()


@dataclass(frozen=True, slots=True)
class _Decided:
    """One service's rules applied."""

    suspicion: Suspicion | None
    judged: floor.Judged | None
    held: Mapping[str, Hold]


def rules_applied(director: Director, now: float) -> tuple[Director, list[Effect]]:
    """The same belief with every rule applied anew, and what changed by that."""
    before = _of_this_configuration(director)
    if not before.ruled and before is director.pools:
        return director, []
    effects: list[Effect] = []
    held: dict[str, Hold] = {}
    suspicions: dict[ServiceKey, Suspicion] = {}
    broken: set[ServiceKey] = set()
    for virtual in before.ruled:
        key = service_key(virtual.virtual)
        decided = _decided(director, before, virtual, now)
        held.update(decided.held)
        if decided.suspicion is not None:
            suspicions[key] = decided.suspicion
        if decided.judged is not None and decided.judged.broken:
            broken.add(key)
        effects.extend(_told_of_suspicion(virtual, before.suspicions.get(key), decided.suspicion))
        effects.extend(_told_of_floor(virtual, key in before.broken, decided.judged))
        effects.extend(_told_of_holds(director, virtual, before.held, decided.held))
    ramps = _ramps(director, before, now) if before.ramps else before.ramps
    after = replace(before, held=held, suspicions=suspicions, broken=frozenset(broken), ramps=ramps)
    return replace(director, pools=after), effects


def rules_due(director: Director) -> bool:
    """Whether time alone may change something: a suspicion is pending, or a weight grows."""
    return bool(director.pools.ramps) or any(not one.confirmed for one in director.pools.suspicions.values())


def what_serves(pools: Pools) -> tuple[object, ...]:
    """What of it the table depends on."""
    return pools.held, pools.broken, pools.ramps


def failures_remembered(director: Director, turns: Iterable[Turn], now: float) -> Director:
    """Who left service because of its checks: a suspicion that begins soon will think of it."""
    names = [
        real_id(turn.virtual, turn.real)
        for turn in turns
        if turn.real is not None
        and turn.virtual.rules.correlated_failure is not None
        and (turn.before, turn.after) == (State.UP, State.DOWN)
        and not taken_out(director, turn.virtual, turn.real)
    ]
    if not names:
        return director
    failed_at = {**director.pools.failed_at, **dict.fromkeys(names, now)}
    return replace(director, pools=replace(director.pools, failed_at=failed_at))


def returns_slowed(director: Director, turns: Iterable[Turn], now: float) -> Director:
    """Who comes back into service begins with a part of its weight. Not at our own start: nobody was seen to leave."""
    back = [
        real_id(turn.virtual, turn.real)
        for turn in turns
        if turn.real is not None
        and turn.virtual.rules.slow_start
        and (turn.before, turn.after) == (State.DOWN, State.UP)
    ]
    if not back:
        return director
    ramps = {**director.pools.ramps, **dict.fromkeys(back, Ramp(now, 1))}
    return replace(director, pools=replace(director.pools, ramps=ramps))


def _ramps(director: Director, before: Pools, now: float) -> Mapping[str, Ramp]:
    """Those that are still on their way. Who leaves again begins anew when it comes back."""
    ramps: dict[str, Ramp] = {}
    for virtual in before.ruled:
        for real in virtual.real_servers if virtual.rules.slow_start else ():
            ramp = before.ramps.get(real_id(virtual, real))
            if ramp is None or standing_state(director, virtual, real) is State.DOWN:
                continue
            at = slow_start.step(ramp.began, virtual.rules.slow_start, now)
            if at < slow_start.STEPS:
                ramps[real_id(virtual, real)] = Ramp(ramp.began, at)
    return ramps


def _of_this_configuration(director: Director) -> Pools:
    pools = director.pools
    if pools.generation == director.generation:
        return pools
    ruled = tuple(one for one in director.config.services if one.rules != _NO_RULES)
    known = {real_id(virtual, real) for virtual in ruled for real in virtual.real_servers}
    return replace(
        pools,
        ruled=ruled,
        generation=director.generation,
        failed_at={name: at for name, at in pools.failed_at.items() if name in known},
        broken=pools.broken if pools.generation else _adopted(director, ruled),
    )


def _adopted(director: Director, ruled: Iterable[VirtualService]) -> frozenset[ServiceKey]:
    """Whose floor was perhaps broken when a predecessor died: the fallback serves, and shall until enough are up."""
    floors = {service_key(one.virtual): one.rules.floor for one in ruled}
    return frozenset(
        key
        for key, rule in floors.items()
        if rule is not None and rule.action is FloorAction.SORRY and director.quorum.get(key) is False
    )


def _decided(director: Director, before: Pools, virtual: VirtualService, now: float) -> _Decided:
    suspicion = _suspicion(director, before, virtual, now)
    held: dict[str, Hold] = {}
    if suspicion is not None and not suspicion.confirmed:
        held = dict.fromkeys(suspicion.members, Hold.SUSPECTED)
    if virtual.rules.floor is None:
        return _Decided(suspicion, None, held)
    members = [_member(director, before, virtual, real, held) for real in virtual.real_servers]
    judged = floor.judged(virtual.rules.floor, members, broken=service_key(virtual.virtual) in before.broken)
    return _Decided(suspicion, judged, held | dict.fromkeys(judged.kept, Hold.FLOOR))


def _member(
    director: Director, before: Pools, virtual: VirtualService, real: RealServer, held: Mapping[str, Hold]
) -> floor.Member:
    name = real_id(virtual, real)
    return floor.Member(
        name,
        State.UP if name in held else checked_state(director, virtual, real),
        enabled=not taken_out(director, virtual, real) and effective_weight(director, virtual, real) > 0,
        serving=serves(director, virtual, real),
        kept=before.held.get(name) is Hold.FLOOR,
        since=_since(director, virtual, real),
    )


def serves(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    """Whether the kernel sends it new connections now: the one memory that survives whatever happens to us."""
    entry = director.kernel.table.get(service_key(virtual.virtual))
    destination = entry.destinations.get(DestinationKey(real.address, real.port)) if entry is not None else None
    return destination is not None and destination.weight > 0


def _since(director: Director, virtual: VirtualService, real: RealServer) -> float:
    verdict = worst_check(director, virtual, real)[1]
    return verdict.since if verdict is not None else 0.0


def _suspicion(director: Director, before: Pools, virtual: VirtualService, now: float) -> Suspicion | None:
    rule = virtual.rules.correlated_failure
    if rule is None:
        return None
    probed = [one for one in virtual.real_servers if not isinstance(one.check.kind, NoCheck)]
    found = {
        real_id(virtual, one): _found(director, before, virtual, one)
        for one in probed
        if not taken_out(director, virtual, one)  # whatever its checks say is no news
    }
    timings = [check.timing for one in probed for check in one.checks]
    if not timings:
        return None
    interval = max(one.interval for one in timings)
    pending = before.suspicions.get(service_key(virtual.virtual))
    if pending is None:
        span = correlation.window(interval, max(one.timeout for one in timings))
        return correlation.suspected(rule, found, now, span)
    sound = pending.confirmed or _sound(director, pending)
    return correlation.reviewed(pending, found, now, Circumstances(interval * rule.hold, sound))


def _found(director: Director, before: Pools, virtual: VirtualService, real: RealServer) -> Found:
    verdict = worst_check(director, virtual, real)[1]
    return Found(
        checked_state(director, virtual, real),
        verdict.since if verdict is not None else 0.0,
        verdict.probed_at if verdict is not None else 0.0,
        serves(director, virtual, real),
        before.failed_at.get(real_id(virtual, real)),
    )


def _sound(director: Director, suspicion: Suspicion) -> bool:
    """Whether the checker finds somebody else healthy since, or there is nobody else to probe."""
    others = [
        director.verdicts.get(identity)
        for identity, checked in director.checks.items()
        if real_id(checked.service, checked.real) not in suspicion.members
        and not isinstance(checked.check.kind, NoCheck)
    ]
    healthy = (one for one in others if one is not None and one.state is State.UP and one.streak == 0)
    return not others or any(one.probed_at > suspicion.since for one in healthy)


def _told_of_suspicion(virtual: VirtualService, before: Suspicion | None, after: Suspicion | None) -> list[Effect]:
    pending = before is not None and not before.confirmed
    if after is not None and not after.confirmed:
        if pending:
            return []
        fields: dict[str, str | int | float] = {"service": virtual.name, "real_servers": len(after.members)}
        return [Tell(Level.WARNING, "failure_suspected", fields)]
    if not pending:
        return []
    if after is None:
        return [Tell(Level.INFO, "failure_not_confirmed", {"service": virtual.name})]
    return [Tell(Level.WARNING, "failure_confirmed", {"service": virtual.name, "real_servers": len(after.members)})]


def _told_of_floor(virtual: VirtualService, before: bool, judged: floor.Judged | None) -> list[Effect]:
    rule = virtual.rules.floor
    if rule is None or judged is None or judged.broken is before:
        return []
    fields: dict[str, str | int | float] = {
        "service": virtual.name,
        "floor": str(rule.minimum),
        "up": judged.up,
        "action": rule.action.value,
    }
    if judged.broken:
        return [Tell(Level.ERROR, "floor_broken", fields)]
    return [Tell(Level.INFO, "floor_restored", fields)]


def _told_of_holds(
    director: Director, virtual: VirtualService, before: Mapping[str, Hold], after: Mapping[str, Hold]
) -> list[Effect]:
    told: list[Effect] = []
    for real in virtual.real_servers:
        name = real_id(virtual, real)
        if after.get(name) is not Hold.FLOOR or before.get(name) is Hold.FLOOR:
            continue
        verdict = worst_check(director, virtual, real)[1]
        reason, detail = outcome_words(verdict.outcome) if verdict is not None else ("", "")
        server = endpoint_text(real.address, real.port)
        fields = {"service": virtual.name, "real_server": server, "reason": reason, "detail": detail}
        told.append(Tell(Level.WARNING, "real_server_kept_by_floor", fields))
    return told
