"""A worker speaks: what is believed of each check. Pure."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from checkers.core.messages import State, Verdict, Verdicts
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Unhealthy
from lvsd.core.state import Director


def heard(director: Director, message: Verdicts) -> tuple[Director, bool]:
    """Fold in what a worker reports, and whether anything follows from it.

    It may be late, doubled or a lie: only known checks count.
    """
    verdicts = dict(director.verdicts)
    changed = False
    for verdict in message.verdicts:
        if verdict.id not in director.checks:
            continue
        before = verdicts.get(verdict.id)
        after = _merged(before, verdict)
        if after is None:
            continue
        verdicts[verdict.id] = after
        changed = changed or (before is None) or (before.state, before.weight) != (after.state, after.weight)
    return replace(director, verdicts=verdicts), changed


def _merged(before: Verdict | None, after: Verdict) -> Verdict | None:
    """A worker that does not know (yet) takes nothing back: fail static. None: there is nothing to believe."""
    if after.probes == 0:  # it only repeats what it was told, and has seen nothing itself
        return before if before is not None or after.state is State.UNKNOWN else after
    if before is not None and after.state is State.UNKNOWN:
        return msgspec.structs.replace(after, state=before.state, since=before.since)
    return after


def outcome_words(outcome: Outcome) -> tuple[str, str]:
    """A reason from the closed list (`ok` and `inconclusive` beside it) and the server's own words."""
    match outcome:
        case Healthy(detail):
            return "ok", detail
        case Unhealthy(reason, detail):
            return reason.value, detail
        case Inconclusive(detail):
            return "inconclusive", detail
