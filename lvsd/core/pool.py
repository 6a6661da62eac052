"""The real servers of a service together: suspicion of failures at once, the floor, slow starts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from checkers.core.messages import State
from config.model import Config, RealServer, VirtualService
from config.pool_rules import FloorAction, PoolRules
from lvsd.core import flapping, floor, pool_words, slow_start, suspicion, unanswered
from lvsd.core.effects import Effect
from lvsd.core.health import effective_weight, serves, standing_state, taken_out, worst_check
from lvsd.core.holds import believed, flapping_ones, let_go, too_few
from lvsd.core.identity import real_id, service_key
from lvsd.core.index import services_of
from lvsd.core.pool_state import NO_POOL, Hold, Pool, Ramp, Suspicion
from lvsd.core.state import Director
from lvsd.core.turns import Turn
from netlink.table import ServiceKey

_NO_RULES = PoolRules()
_TIMED = frozenset((Hold.FLAPPING, Hold.UNANSWERED))  # end by themselves


def rules_applied(director: Director, services: Iterable[VirtualService], now: float) -> tuple[Director, list[Effect]]:
    """The same belief with the rules of these services applied anew, and what changed by that."""
    effects: list[Effect] = []
    pools: dict[ServiceKey, Pool] | None = None
    for virtual in services:
        key = service_key(virtual.virtual)
        before = director.pools.get(key, NO_POOL)
        if virtual.rules == _NO_RULES and before is NO_POOL:  # by far the most
            continue
        suspected, hurried = suspicion.of(director, before, virtual, now)
        director, called = suspicion.called_back(director, virtual, suspected)
        after, told = _applied(director, before, virtual, suspected, now)
        effects.extend((*called, *told, *hurried))
        if after != before:
            pools = dict(director.pools) if pools is None else pools
            pools.pop(key, None)
            pools.update({key: after} if after != NO_POOL else {})
    return (director, effects) if pools is None else (replace(director, pools=pools), effects)


def rules_pending(director: Director) -> tuple[VirtualService, ...]:
    """Services for which time alone may change something: a suspicion is pending, or a weight grows."""
    pending = {
        key
        for key, one in director.pools.items()
        if one.ramps or suspicion.is_open(one.suspicion) or not _TIMED.isdisjoint(one.held.values())
    }
    if not pending:
        return ()
    return tuple(one for key, one in services_of(director.config).items() if key in pending)


def carried_over(director: Director, config: Config) -> Mapping[ServiceKey, Pool]:
    """What is remembered of services that a new configuration still has."""
    kept = services_of(config)
    return {key: one for key, one in director.pools.items() if key in kept}


def adopted(config: Config, quorum: Mapping[ServiceKey, bool]) -> Mapping[ServiceKey, Pool]:
    """Whose floor was perhaps broken when a predecessor ended: the fallback serves, and shall until enough are up."""
    floors = ((service_key(one.virtual), one.rules.floor) for one in config.services if one.rules.floor is not None)
    sorry = (key for key, rule in floors if rule.action is FloorAction.SORRY)
    return {key: Pool(broken=True) for key in sorry if quorum.get(key) is False}


def turns_remembered(director: Director, turns: Iterable[Turn], now: float) -> Director:
    """Who left service because of its checks, for suspicions and holds to come; who is back begins slowly.

    Not at our own start: nobody was seen to leave.
    """
    for turn in turns:
        rules = turn.virtual.rules
        if turn.real is None or turn.fallback or rules == _NO_RULES:
            continue
        moved = turn.before, turn.after
        if moved == (State.UP, State.DOWN) and not taken_out(director, turn.virtual, turn.real):
            director = _failed(director, turn.virtual, turn.real, now)
        elif moved == (State.DOWN, State.UP) and rules.slow_start:
            key, pool = _pool(director, turn.virtual)
            ramps = {**pool.ramps, real_id(turn.virtual, turn.real): Ramp(now, 1)}
            director = replace(director, pools={**director.pools, key: replace(pool, ramps=ramps)})
    return director


def _failed(director: Director, virtual: VirtualService, real: RealServer, now: float) -> Director:
    rules, name = virtual.rules, real_id(virtual, real)
    key, before = _pool(director, virtual)
    after = before
    if rules.correlated_failure is not None and not suspicion.is_settled(before.suspicion, name):
        after = replace(after, failed_at={**after.failed_at, name: now})
    if rules.hold_down is not None:
        flaps = flapping.failed(rules.hold_down, after.flaps.get(name), now)
        after = replace(after, flaps={**after.flaps, name: flaps})
    return director if after is before else replace(director, pools={**director.pools, key: after})


def _pool(director: Director, virtual: VirtualService) -> tuple[ServiceKey, Pool]:
    key = service_key(virtual.virtual)
    return key, director.pools.get(key, NO_POOL)


def _applied(
    director: Director, before: Pool, virtual: VirtualService, suspected: Suspicion | None, now: float
) -> tuple[Pool, list[Effect]]:
    held = dict.fromkeys(unanswered.held_out(director, before, virtual, now), Hold.UNANSWERED)
    held |= (damped := flapping_ones(director, before, virtual, now))
    if suspected is not None and suspicion.is_open(suspected):
        held |= dict.fromkeys(suspected.members, Hold.SUSPECTED)
    if damped and too_few(director, virtual, held):
        held = {name: hold for name, hold in held.items() if hold is not Hold.FLAPPING}
        before = replace(before, flaps=let_go(before.flaps, damped, now))
    judged = _judged(director, before, virtual, held)
    if judged is not None:
        held |= dict.fromkeys(judged.kept, Hold.FLOOR)
    names = {real_id(virtual, real) for real in virtual.real_servers}
    rules = virtual.rules
    after = replace(
        before,
        held=held,
        broken=judged is not None and judged.broken,
        suspicion=suspected,
        failed_at={name: at for name, at in before.failed_at.items() if name in names and rules.correlated_failure},
        ramps=_ramps(director, before, virtual, now),
        flaps={name: one for name, one in before.flaps.items() if name in names and rules.hold_down},
        speeds={name: one for name, one in before.speeds.items() if name in names and rules.latency_weights},
        unanswered={name: one for name, one in before.unanswered.items() if name in names and rules.passive},
        passive_flaps={name: one for name, one in before.passive_flaps.items() if name in names and rules.passive},
    )
    told = [
        *pool_words.of_suspicion(virtual, before.suspicion, suspected),
        *pool_words.of_floor(virtual, judged, broken=before.broken),
        *pool_words.of_holds(director, virtual, before, after),
    ]
    return after, told


def _ramps(director: Director, before: Pool, virtual: VirtualService, now: float) -> Mapping[str, Ramp]:
    """Those that are still on their way. Who leaves again begins anew when it comes back."""
    if not before.ramps or not virtual.rules.slow_start:
        return {}
    ramps: dict[str, Ramp] = {}
    for real in virtual.real_servers:
        ramp = before.ramps.get(real_id(virtual, real))
        if ramp is None or standing_state(director, virtual, real) is State.DOWN:
            continue
        at = slow_start.step(ramp.began, virtual.rules.slow_start, now)
        if at < slow_start.STEPS:
            ramps[real_id(virtual, real)] = Ramp(ramp.began, at)
    return ramps


def _judged(director: Director, before: Pool, virtual: VirtualService, held: Mapping[str, Hold]) -> floor.Judged | None:
    rule = virtual.rules.floor
    if rule is None:
        return None
    members = [_member(director, before, virtual, real, held) for real in virtual.real_servers]
    return floor.judged(rule, members, broken=before.broken)


def _member(
    director: Director, before: Pool, virtual: VirtualService, real: RealServer, held: Mapping[str, Hold]
) -> floor.Member:
    name = real_id(virtual, real)
    return floor.Member(
        name,
        believed(director, virtual, real, held.get(name)),
        enabled=not taken_out(director, virtual, real) and effective_weight(director, virtual, real) > 0,
        serving=serves(director, virtual, real),
        kept=before.held.get(name) is Hold.FLOOR,
        since=_since(director, virtual, real),
    )


def _since(director: Director, virtual: VirtualService, real: RealServer) -> float:
    verdict = worst_check(director, virtual, real)[1]
    return verdict.since if verdict is not None else 0.0
