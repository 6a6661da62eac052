"""Real servers that stand otherwise than their checks say, and how many there are beside them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from checkers.core.messages import State
from config.model import RealServer, VirtualService
from lvsd.core import fallback
from lvsd.core.flapping import Flaps
from lvsd.core.health import checked_state, effective_weight, serves, taken_out
from lvsd.core.identity import real_id, service_key
from lvsd.core.pool_state import Hold, Pool
from lvsd.core.state import Director


def believed(director: Director, virtual: VirtualService, real: RealServer, hold: Hold | None) -> State:
    """What is believed of a real server that is held so, or (None) what its checks say."""
    match hold:
        case Hold.FLAPPING | Hold.UNANSWERED:
            return State.DOWN
        case Hold.SUSPECTED | Hold.FLOOR:
            return State.UP
        case None:
            return checked_state(director, virtual, real)


def flapping_ones(director: Director, before: Pool, virtual: VirtualService, now: float) -> dict[str, Hold]:
    """Whose checks pass again, too early."""
    if not before.flaps or virtual.rules.hold_down is None:
        return {}
    out = {name for name, one in before.flaps.items() if one.until > now}
    return {
        name: Hold.FLAPPING
        for real in virtual.real_servers
        if (name := real_id(virtual, real)) in out and checked_state(director, virtual, real) is State.UP
    }


def too_few(director: Director, virtual: VirtualService, held: Mapping[str, Hold]) -> bool:
    """Whether fewer real servers are up beside those held than the floor says, or none, or less than the quorum."""
    rule = virtual.rules.floor
    least = rule.minimum.of(len(virtual.real_servers)) if rule is not None else 1
    there = [one for one in virtual.real_servers if _is_there(director, virtual, one, held)]
    if len(there) < least:
        return True
    gained = director.quorum.get(service_key(virtual.virtual))
    needed = virtual.quorum - virtual.hysteresis if gained else virtual.quorum + virtual.hysteresis
    weight = sum(effective_weight(director, virtual, one) for one in there)
    return weight < needed and bool(fallback.able(director, virtual))


def _is_there(director: Director, virtual: VirtualService, real: RealServer, held: Mapping[str, Hold]) -> bool:
    """Whether it is up with a weight; one that serves and was not probed yet counts."""
    if taken_out(director, virtual, real) or not effective_weight(director, virtual, real):
        return False
    state = believed(director, virtual, real, held.get(real_id(virtual, real)))
    return state is State.UP or (state is State.UNKNOWN and serves(director, virtual, real))


def let_go(flaps: Mapping[str, Flaps], names: Iterable[str], now: float) -> Mapping[str, Flaps]:
    """Their holds are over, and not only as long as they are needed: coming and going would count as failures."""
    return {**flaps, **{name: replace(flaps[name], until=now) for name in names}}
