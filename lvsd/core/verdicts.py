"""A worker speaks: what is believed of each real server, and what is worth telling. Pure."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from checkers.core.messages import State, Verdict, Verdicts
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Unhealthy
from lvsd.core.effects import Effect, Level, Tell
from lvsd.core.identity import endpoint_text
from lvsd.core.state import Checked, Director


def heard(director: Director, message: Verdicts) -> tuple[Director, list[Effect]]:
    """Fold in what a worker reports. It may be late, doubled or a lie: only known checks count."""
    verdicts = dict(director.verdicts)
    told: list[Effect] = []
    for verdict in message.verdicts:
        checked = director.checks.get(verdict.id)
        if checked is None:
            continue
        before = verdicts.get(verdict.id)
        after = _merged(before, verdict)
        if after is None:
            continue
        verdicts[verdict.id] = after
        if (before.state if before is not None else State.UNKNOWN) is not after.state:
            told.append(_transition(checked, after))
    return replace(director, verdicts=verdicts), told


def _merged(before: Verdict | None, after: Verdict) -> Verdict | None:
    """A worker that does not know (yet) takes nothing back: fail static. None: there is nothing to believe."""
    if after.probes == 0:  # it only repeats what it was told, and has seen nothing itself
        return before if before is not None or after.state is State.UNKNOWN else after
    if before is not None and after.state is State.UNKNOWN:
        return msgspec.structs.replace(after, state=before.state, since=before.since)
    return after


def _transition(checked: Checked, verdict: Verdict) -> Tell:
    reason, detail = outcome_words(verdict.outcome)
    fields: dict[str, str | int | float] = {
        "service": checked.service.name,
        "real_server": endpoint_text(checked.real.address, checked.real.port),
        "latency_ms": round(verdict.latency * 1000, 1),
    }
    if verdict.state is State.UP:
        return Tell(Level.INFO, "real_server_up", fields)
    return Tell(Level.WARNING, "real_server_down", {**fields, "reason": reason, "detail": detail})


def outcome_words(outcome: Outcome) -> tuple[str, str]:
    """A reason from the closed list (`ok` and `inconclusive` beside it) and the server's own words."""
    match outcome:
        case Healthy(detail):
            return "ok", detail
        case Unhealthy(reason, detail):
            return reason.value, detail
        case Inconclusive(detail):
            return "inconclusive", detail
