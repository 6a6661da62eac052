"""The rules of a service's real servers together. Pure."""

from __future__ import annotations

from typing import Final

from config import codes
from config import shape_pool as keys
from config.model import RealServer
from config.pool_rules import (
    Amount,
    CorrelatedFailure,
    Floor,
    FloorAction,
    HoldDown,
    LatencyWeights,
    Passive,
    PoolRules,
)
from config.reading import Reading
from config.sections import Fields
from config.words import HASHING_SCHEDULERS, UNWEIGHING_SCHEDULERS, WEIGHING_SCHEDULERS

_SAID: Final = frozenset(key.name for key in keys.POOL_SETTINGS)
_NONE: Final = PoolRules()


def build_pool_rules(
    fields: Fields, scheduler: str, servers: tuple[tuple[RealServer, ...], tuple[RealServer, ...]], reading: Reading
) -> PoolRules:
    """All of them, none where none is said. `servers`: the real ones, the fallback."""
    if _SAID.isdisjoint(fields.values):
        return _NONE
    real_servers, fallback = servers
    return PoolRules(
        _floor(fields, real_servers, fallback, reading),
        _correlated(fields),
        _slow_start(fields, scheduler, real_servers, reading),
        _hold_down(fields, reading),
        fields.value(keys.RESUME, default=False),
        _group_minimum(fields, real_servers, reading),
        _passive(fields),
        _latency_weights(fields, scheduler, real_servers, reading),
    )


def _group_minimum(fields: Fields, real_servers: tuple[RealServer, ...], reading: Reading) -> Amount:
    """More than there are in the groups before the last is never reached."""
    minimum = fields.value(keys.GROUP_MINIMUM, Amount(1))
    last = max((one.priority_group for one in real_servers), default=1)
    before = sum(one.priority_group < last for one in real_servers)
    if before and minimum.of(before) > before:
        message = f"with `group_minimum: {minimum}` priority group {last} always serves"
        hint = f"{before}, as many as there are before it, or less"
        reading.warning(codes.NO_EFFECT, fields.place_of(keys.GROUP_MINIMUM), message, hint)
    return minimum


def _passive(fields: Fields) -> Passive | None:
    said = fields.value(keys.PASSIVE, None)
    if said is None:
        return None
    built_in = Passive()
    return Passive(
        said.value(keys.PASSIVE_CONNECTIONS, built_in.connections),
        said.value(keys.PASSIVE_WINDOW, built_in.window),
        said.value(keys.PASSIVE_ACTION, built_in.action),
    )


def _latency_weights(
    fields: Fields, scheduler: str, real_servers: tuple[RealServer, ...], reading: Reading
) -> LatencyWeights | None:
    """Where weights are shares of the load; of 1 they cannot shrink."""
    said = fields.value(keys.LATENCY_WEIGHTS, None)
    if said is None:
        return None
    place = fields.place_of(keys.LATENCY_WEIGHTS)
    if scheduler and scheduler not in WEIGHING_SCHEDULERS:
        message = f"`latency_weights` has no effect with {scheduler}: a weight is no share of the load there"
        reading.warning(codes.NO_EFFECT, place, message, "latency_weights: false")
        return None
    if real_servers and all(one.weight <= 1 for one in real_servers):
        message = "`latency_weights` has no effect: a weight of 1 cannot shrink"
        reading.warning(codes.NO_EFFECT, place, message, "weight: 100")
    built_in = LatencyWeights()
    return LatencyWeights(
        said.value(keys.LATENCY_MINIMUM, built_in.minimum), said.value(keys.LATENCY_SLACK, built_in.slack)
    )


def _hold_down(fields: Fields, reading: Reading) -> HoldDown | None:
    said = fields.value(keys.HOLD_DOWN, None)
    first = said.get(keys.HOLD_FIRST) if said is not None else None
    if said is None or first is None:
        return None
    built_in = HoldDown(first.value)
    longest = said.value(keys.HOLD_LONGEST, max(built_in.longest, first.value))
    if longest < first.value:
        message = "`longest` is below `first`"
        reading.error(codes.CONTRADICTION, said.place_of(keys.HOLD_LONGEST), message, "raise it, or leave it out")
    return HoldDown(first.value, longest, said.value(keys.HOLD_FORGET, built_in.forget))


def _slow_start(fields: Fields, scheduler: str, real_servers: tuple[RealServer, ...], reading: Reading) -> float:
    """Seconds. Weights of 1 have no steps, and each step of a hashing scheduler would move clients."""
    duration = fields.value(keys.SLOW_START, 0.0)
    place = fields.place_of(keys.SLOW_START)
    if duration and scheduler in HASHING_SCHEDULERS:
        message = f"`slow_start` has no effect with {scheduler}: every step would move clients to another real server"
        reading.warning(codes.NO_EFFECT, place, message, "slow_start: 0s")
        return 0.0
    if duration and scheduler in UNWEIGHING_SCHEDULERS:
        message = f"`slow_start` has no effect with {scheduler}: to it all weights but 0 are the same"
        reading.warning(codes.NO_EFFECT, place, message, "slow_start: 0s")
    elif duration and real_servers and all(one.weight <= 1 for one in real_servers):
        message = "`slow_start` has no effect: a weight of 1 cannot grow in steps"
        reading.warning(codes.NO_EFFECT, place, message, "weight: 100")
    return duration


def _floor(
    fields: Fields, real_servers: tuple[RealServer, ...], fallback: tuple[RealServer, ...], reading: Reading
) -> Floor | None:
    said = fields.value(keys.FLOOR, None)
    minimum = said.get(keys.FLOOR_MINIMUM) if said is not None else None
    if said is None or minimum is None:
        return None
    restored = said.get(keys.FLOOR_RESTORED)
    floor = Floor(minimum.value, said.value(keys.FLOOR_ACTION, FloorAction.KEEP), restored.value if restored else None)
    _check_action(floor, fields, fallback, reading)
    total = len(real_servers)
    if restored is not None and restored.value.of(total) < floor.minimum.of(total):
        message = f"the floor is restored with {restored.value}, below its minimum {floor.minimum}"
        reading.error(codes.FLOOR, restored.place, message, "raise it, or leave it out")
    if total and floor.minimum.of(total) >= total and floor.action is FloorAction.KEEP:
        message = f"a floor of {floor.minimum} of {total} real servers: none is ever taken out of service"
        reading.warning(codes.FLOOR, minimum.place, message, "lower it")
    elif total and (restored.value if restored else minimum.value).of(total) > total:
        message = f"a floor of more than the {total} real servers there are never holds"
        reading.warning(codes.FLOOR, minimum.place, message, "lower it")
    return floor


def _check_action(floor: Floor, fields: Fields, fallback: tuple[RealServer, ...], reading: Reading) -> None:
    place = fields.place_of(keys.FLOOR)
    if floor.action is FloorAction.SORRY and not fallback:
        message = "`action: sorry` needs fallback servers, and there are none"
        reading.error(codes.FLOOR, place, message, "add `fallback`, or take `action: withdraw`")
    if floor.action is FloorAction.WITHDRAW and fallback:
        message = "with `action: withdraw` nobody serves, and there are fallback servers"
        reading.error(codes.FLOOR, place, message, "action: sorry")


def _correlated(fields: Fields) -> CorrelatedFailure | None:
    said = fields.value(keys.CORRELATED_FAILURE, None)
    if said is None:
        return None
    built_in = CorrelatedFailure()
    return CorrelatedFailure(
        said.value(keys.CORRELATED_SHARE, built_in.share), said.value(keys.CORRELATED_HOLD, built_in.hold)
    )
