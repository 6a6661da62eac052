"""What there is to tell of the rules for real servers together. Pure."""

from __future__ import annotations

from checkers.core.messages import State
from config.model import VirtualService
from lvsd.core.effects import Effect, Level, Tell
from lvsd.core.floor import Judged
from lvsd.core.health import checked_state, worst_check
from lvsd.core.identity import endpoint_text, real_id
from lvsd.core.pool_state import Hold, Override, Pool, Suspicion
from lvsd.core.state import Director
from lvsd.core.verdicts import outcome_words


def of_suspicion(virtual: VirtualService, before: Suspicion | None, after: Suspicion | None) -> list[Effect]:
    """A suspicion begins, or ends one way or the other."""
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


def of_floor(virtual: VirtualService, judged: Judged | None, *, broken: bool) -> list[Effect]:
    """The floor breaks, or holds again; `broken`: before."""
    rule = virtual.rules.floor
    if rule is None or judged is None or judged.broken is broken:
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


def of_holds(director: Director, virtual: VirtualService, before: Pool, after: Pool) -> list[Effect]:
    """Who is kept by the floor, or held out for its failures, from now on; and who is well again that was kept."""
    told: list[Effect] = []
    for real in virtual.real_servers if after.held or before.held else ():
        name = real_id(virtual, real)
        hold = after.held.get(name)
        if hold is before.held.get(name):
            continue
        verdict = worst_check(director, virtual, real)[1]
        reason, detail = outcome_words(verdict.outcome) if verdict is not None else ("", "")
        fields: dict[str, str | int | float] = {
            "service": virtual.name,
            "real_server": endpoint_text(real.address, real.port),
        }
        if hold is Hold.FLOOR:
            told.append(
                Tell(Level.WARNING, "real_server_kept_by_floor", {**fields, "reason": reason, "detail": detail})
            )
        elif hold is None and before.held[name] is Hold.FLOOR and checked_state(director, virtual, real) is State.UP:
            told.append(Tell(Level.INFO, "real_server_well_again", fields))
        elif hold is Hold.FLAPPING and before.held.get(name) is None:
            failures = {"failures": before.flaps[name].count}
            told.append(Tell(Level.WARNING, "real_server_held_down", {**fields, **failures}))
    return told


def of_override_end(service: str, server: str, override: Override, why: str) -> Effect:
    """A person's word on a real server, or the wait for one, is over."""
    fields = {"service": service, "real_server": server, "kind": override.kind.value, "why": why}
    return Tell(Level.INFO, "override_ended", fields)
