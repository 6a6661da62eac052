"""Many real servers that fail at once: rather the checker, or its way to them, than all of them. Pure.

While that is suspected they stay in service. Their failures count once the hold is over, if each was probed again
since and still fails, and if the checker finds anything at all healthy elsewhere. Where it does not, the hold lasts
`PATIENCE` times as long, and no longer: somebody may have pulled every plug. They are probed at once, and meanwhile as
often as if they were up: their `down_interval` is for those of whom it is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from checkers.core.messages import State
from config.pool_rules import WHOLE, CorrelatedFailure
from lvsd.core.pool_state import Suspicion

LEAST = 3  # real servers: of one or two that fail nothing can be concluded
PATIENCE = 5
HURRY_SECONDS = 1.0  # whoever was probed a moment before is passed over, and asked for again


@dataclass(frozen=True, slots=True)
class Found:
    """What the checks of a real server tell: its state, `since` when, `probed_at` last; `failed_at`: left service.

    `serving`, or ready to: up to now, be it only for a suspicion.
    """

    state: State
    since: float
    probed_at: float
    serving: bool
    failed_at: float | None = None


def window(interval: float, timeout: float) -> float:
    """Within so many seconds failures count as one: all are probed once in it, and the slowest probe has ended."""
    return interval + timeout


def suspected(rule: CorrelatedFailure, found: Mapping[str, Found], now: float, span: float) -> Suspicion | None:
    """A suspicion that begins now, of the real servers that went down within `span` seconds."""
    fresh = frozenset(name for name, one in found.items() if _fresh(one, now - span))
    could = len(fresh) + sum(one.state is not State.DOWN for one in found.values())
    if len(fresh) < LEAST or len(fresh) * WHOLE < rule.share * could:
        return None
    return Suspicion(now, fresh)


def _fresh(one: Found, begin: float) -> bool:
    """Whether it went down after `begin`, from service."""
    left = one.failed_at is not None and one.failed_at >= begin
    return one.state is State.DOWN and one.since >= begin and (one.serving or left)


def is_overdue(suspicion: Suspicion, probed_at: float, now: float, interval: float) -> bool:
    """Whether a suspect is to be probed now: it was not since the suspicion began, or not for an interval."""
    return probed_at <= suspicion.since or now - probed_at >= interval


@dataclass(frozen=True, slots=True)
class Circumstances:
    """`hold`: seconds; `sound`: the checker finds something healthy elsewhere, or there is nothing else to probe."""

    hold: float
    sound: bool


def reviewed(
    suspicion: Suspicion, found: Mapping[str, Found], now: float, circumstances: Circumstances
) -> Suspicion | None:
    """The suspicion now: None when nobody is left whom it concerns. Who fails meanwhile is suspected, too."""
    down = {name for name, one in found.items() if one.state is State.DOWN}
    joined = {name for name in down if found[name].since >= suspicion.since}
    members = frozenset(down & (suspicion.members | joined))
    if not members:
        return None
    held = now - suspicion.since
    over = held >= circumstances.hold * (1 if circumstances.sound else PATIENCE)
    proven = all(found[name].probed_at > suspicion.since for name in members)
    return replace(suspicion, members=members, confirmed=suspicion.confirmed or (over and proven))
