"""Weights that follow how fast real servers answer their checks, beside the others of their service. Pure.

What is compared is a moving average of the latencies that verdicts report: at each change, and every 15 seconds, which
is the clock of this. The slower half is measured by the median (of two: by the faster), and a difference that is small
in itself is none. A weight changes in steps of a tenth at least, and seldom: a wrong weight is better than a restless
one, and weights that follow loads that follow weights may swing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from config.pool_rules import WHOLE, LatencyWeights

PART = 0.25  # of the average that the last latency makes up
NOISE_SECONDS = 0.005  # within so much of the median nobody is slow
PACE_SECONDS = 15.0  # a share is set this often at most
STEP = 10  # per cent by which a share must differ


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a real server answers on average, as of its probe at `probed_at`; its share, set at `set_at`."""

    seconds: float
    probed_at: float
    share: int = WHOLE
    set_at: float = -inf


def measured(before: Speed | None, seconds: float, probed_at: float) -> Speed:
    """With one more latency; one that was heard of already counts no second time."""
    if before is None:
        return Speed(seconds, probed_at)
    if probed_at <= before.probed_at:
        return before
    return replace(before, seconds=before.seconds + PART * (seconds - before.seconds), probed_at=probed_at)


def shared(rule: LatencyWeights, speeds: Mapping[str, Speed], now: float) -> dict[str, Speed]:
    """With the shares that follow. One that is alone has nobody to be compared with."""
    if len(speeds) < 2:  # noqa: PLR2004  two are the least that can be compared
        return {name: replace(one, share=WHOLE) for name, one in speeds.items()}
    middle = sorted(one.seconds for one in speeds.values())[(len(speeds) - 1) // 2]  # the lower median
    bearable = max(middle * rule.slack / WHOLE, middle + NOISE_SECONDS)
    return {name: _set(one, _share(rule, one.seconds, bearable), rule, now) for name, one in speeds.items()}


def _share(rule: LatencyWeights, seconds: float, bearable: float) -> int:
    return WHOLE if seconds <= bearable else max(rule.minimum, int(WHOLE * bearable / seconds), 1)


def _set(speed: Speed, share: int, rule: LatencyWeights, now: float) -> Speed:
    """The ends are always reached: nobody stays just below its whole weight for ever."""
    if share == speed.share or now - speed.set_at < PACE_SECONDS:
        return speed
    if share not in (WHOLE, rule.minimum) and abs(share - speed.share) * WHOLE < STEP * speed.share:
        return speed
    return replace(speed, share=share, set_at=now)


def weight(whole: int, share: int) -> int:
    """The weight at a share: never nothing, where there is any."""
    return max(min(1, whole), whole * share // WHOLE)
