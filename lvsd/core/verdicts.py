"""A worker speaks: what is believed of each check. Pure."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from checkers.core.messages import State, Verdict, Verdicts
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Unhealthy
from config.words import Initial
from lvsd.core import initial, large
from lvsd.core.state import Director


def heard(director: Director, message: Verdicts) -> tuple[Director, bool]:
    """Fold in what a worker reports, and whether anything follows from it.

    It may be late, doubled or a lie: only known checks count.
    """
    verdicts: dict[str, Verdict] = {}
    ended: set[str] = set()
    changed = False
    for verdict in message.verdicts:
        if verdict.id not in director.checks:
            continue
        before = verdicts.get(verdict.id) or director.verdicts.get(verdict.id)
        presumed = director.presumed.get(verdict.id) if director.presumed else None
        if presumed is not None and initial.judged(presumed, verdict):
            ended.add(verdict.id)
        after = _merged(before, verdict, presumed)
        if after is None:
            continue
        verdicts[verdict.id] = after
        changed = changed or (before is None) or (before.state, before.weight) != (after.state, after.weight)
    heard = replace(director, verdicts=large.changed(director.verdicts, verdicts))
    if not ended:
        return heard, changed
    return replace(heard, presumed=large.changed(director.presumed, {}, ended)), True


def _merged(before: Verdict | None, after: Verdict, presumed: Initial | None) -> Verdict | None:
    """A worker that does not know (yet) takes nothing back: fail static. None: there is nothing to believe."""
    if after.probes == 0:  # it only repeats what it was told, and has seen nothing itself
        unheard = after.state is State.UNKNOWN or presumed is not None
        return before if before is not None or unheard else after
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
