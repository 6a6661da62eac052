"""A worker speaks: what is believed of each real server, and what is worth telling. Pure."""

from __future__ import annotations

from dataclasses import replace

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
        verdicts[verdict.id] = after
        if (before.state if before is not None else State.UNKNOWN) is not after.state:
            told.append(_transition(checked, after))
    return replace(director, verdicts=verdicts), told


def _merged(before: Verdict | None, after: Verdict) -> Verdict:
    """A worker that does not know (yet) takes nothing back: fail static."""
    if before is not None and after.state is State.UNKNOWN:
        return replace_state(after, before)
    return after


def replace_state(verdict: Verdict, kept: Verdict) -> Verdict:
    """`verdict` with the state of `kept`."""
    return Verdict(
        verdict.id,
        kept.state,
        kept.since,
        verdict.outcome,
        verdict.probed_at,
        verdict.latency,
        verdict.streak,
        verdict.probes,
        verdict.failures,
    )


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
