"""What changed for real servers and quorums since it was told last: each change once, whatever led to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from checkers.core.messages import State
from config.checks import NoCheck
from config.model import Config, RealServer, VirtualService
from lvsd.core import fallback, large
from lvsd.core.effects import Level, Tell
from lvsd.core.health import hold_on, in_maintenance, sound_state, standing_state, taken_out, worst_check
from lvsd.core.identity import endpoint_text, fallback_id, real_id, service_key, virtual_text
from lvsd.core.pool_state import Hold
from lvsd.core.quorum import serving
from lvsd.core.state import Director
from lvsd.core.verdicts import outcome_words
from netlink.table import Entry, Table


@dataclass(frozen=True, slots=True)
class Turn:
    """A real server entered or left, or (without one) a service's quorum was gained or lost.

    `before` is None at the first decision, and UNKNOWN at the first one after a restart where nobody knows what the
    predecessor had decided.
    """

    virtual: VirtualService
    real: RealServer | None
    before: State | None
    after: State
    reason: str = ""  # of checks' closed list, `ok`, `unanswered`, `maintenance`, `disabled`, `removed` or `stopping`
    fallback: bool = False  # a fallback server whose health is checked


def noticed(director: Director, services: Iterable[VirtualService]) -> tuple[Director, tuple[Turn, ...]]:
    """What is to be announced of these services; it counts as announced from here on. The unknown changes nothing."""
    announced: dict[str, State] = {}
    turns: list[Turn] = []
    for identity, turn in _current(director, services):
        before = director.announced.get(identity)
        if turn.after is not State.UNKNOWN and turn.after is not before:
            announced[identity] = turn.after
            turns.append(replace(turn, before=before, reason=_reason(director, turn)))
    if not turns:
        return director, ()
    return replace(director, announced=large.changed(director.announced, announced)), tuple(turns)


def _current(director: Director, services: Iterable[VirtualService]) -> Iterator[tuple[str, Turn]]:
    for virtual in services:
        for real in virtual.real_servers:
            yield real_id(virtual, real), Turn(virtual, real, None, standing_state(director, virtual, real))
        for spare in filter(fallback.is_checked, virtual.fallback):
            state = fallback.state_of(director, virtual, spare)
            yield fallback_id(virtual, spare), Turn(virtual, spare, None, state, fallback=True)
        gained = director.quorum.get(service_key(virtual.virtual))
        state = State.UNKNOWN if gained is None else State.UP if gained else State.DOWN
        yield virtual_text(virtual.virtual), Turn(virtual, None, None, state)


def _reason(director: Director, turn: Turn) -> str:
    if turn.real is None:
        return ""
    if in_maintenance(director.maintenance, turn.real):
        return "maintenance"
    if taken_out(director, turn.virtual, turn.real):
        return "disabled"
    if not turn.fallback and hold_on(director, turn.virtual, turn.real) is Hold.UNANSWERED:
        return "unanswered"
    _, verdict = worst_check(director, turn.virtual, turn.real)
    return outcome_words(verdict.outcome)[0] if verdict is not None else "ok"


def told(director: Director, turn: Turn) -> Tell | None:
    """A turn as a fact for the journal. What a person did by maintenance was told already."""
    if turn.real is None:
        return _told_quorum(director, turn)
    check, verdict = worst_check(director, turn.virtual, turn.real)
    if turn.reason in ("maintenance", "disabled") or (isinstance(check.kind, NoCheck) and turn.before is None):
        return None
    fields: dict[str, str | int | float] = {
        "service": turn.virtual.name,
        "real_server": endpoint_text(turn.real.address, turn.real.port),
        "latency_ms": round(verdict.latency * 1000, 1) if verdict is not None else 0.0,
    }
    names = ("fallback_server_up", "fallback_server_down") if turn.fallback else ("real_server_up", "real_server_down")
    detail = outcome_words(verdict.outcome)[1] if verdict is not None else ""
    hold = None if turn.fallback else hold_on(director, turn.virtual, turn.real)
    if turn.after is State.UP and hold is not None:  # it serves, and is not well
        return Tell(Level.INFO, names[0], {**fields, "held": hold.value, "reason": turn.reason, "detail": detail})
    if turn.after is State.UP:
        return Tell(Level.INFO, names[0], fields)
    return Tell(Level.WARNING, names[1], {**fields, "reason": turn.reason, "detail": detail})


def _told_quorum(director: Director, turn: Turn) -> Tell | None:
    virtual = turn.virtual
    up = sum(sound_state(director, virtual, real) is State.UP for real in virtual.real_servers)
    fields: dict[str, str | int | float] = {"service": virtual.name, "quorum": virtual.quorum, "up": up}
    if turn.after is State.DOWN:
        return Tell(Level.WARNING, "quorum_lost", {**fields, "fallback_servers": len(virtual.fallback)})
    return Tell(Level.INFO, "quorum_gained", fields) if turn.before is State.DOWN else None


def adopted(config: Config, table: Table) -> dict[str, State]:
    """What a predecessor that died had announced, as far as the kernel's table tells; unknown where it does not."""
    announced: dict[str, State] = {}
    for virtual in config.services:
        held = table.get(service_key(virtual.virtual))
        for real in virtual.real_servers:
            served = held is not None and serving(held, (real,))
            announced[real_id(virtual, real)] = State.UP if served else State.UNKNOWN
        announced[virtual_text(virtual.virtual)] = _adopted_quorum(virtual, held)
    return announced


def _adopted_quorum(virtual: VirtualService, held: Entry | None) -> State:
    """Exact where the predecessor had a verdict on every real server."""
    weight = serving(held, virtual.real_servers) if held is not None else 0
    if weight and weight >= virtual.quorum + virtual.hysteresis:
        return State.UP
    if any(one.weight for one in virtual.fallback):
        lost = held is not None and serving(held, virtual.fallback) and not weight
        return State.DOWN if lost else State.UNKNOWN
    return State.DOWN if not weight or weight < virtual.quorum - virtual.hysteresis else State.UNKNOWN


def departed(director: Director, reals: Iterable[tuple[VirtualService, RealServer]]) -> tuple[Turn, ...]:
    """Of the real servers that a new configuration takes out of a service it still has, those that serve now."""
    return tuple(
        Turn(virtual, real, State.UP, State.DOWN, "removed")
        for virtual, real in reals
        if director.announced.get(real_id(virtual, real)) is State.UP
    )


def leaving(director: Director) -> tuple[Turn, ...]:
    """What the stop means for services that want to hear of it: all that serves leaves, at last the quorum."""
    return tuple(
        replace(turn, before=State.UP, after=State.DOWN, reason="stopping")
        for identity, turn in _current(director, (one for one in director.config.services if one.hooks_on_stop))
        if director.announced.get(identity) is State.UP
    )
