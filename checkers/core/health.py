"""Rise and fall: a run of outcomes becomes a verdict. Pure."""

from __future__ import annotations

import msgspec

from checkers.core.messages import AssignedCheck, State, Verdict
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from config.checks import Timing

NOT_PROBED = Inconclusive("not probed yet")

_SEEN: dict[type[Outcome], State] = {Healthy: State.UP, Unhealthy: State.DOWN, Inconclusive: State.UNKNOWN}


class Health(msgspec.Struct, frozen=True, gc=False):
    """What is believed of one check, since when, and how many outcomes in a row disagree."""

    state: State
    since: float  # moment the state was entered, or taken over from the director
    outcome: Outcome = NOT_PROBED
    probed_at: float = 0.0  # 0: never
    latency: float = 0.0  # seconds
    streak: int = 0
    probes: int = 0
    failures: int = 0
    weight: int | None = None  # asked for by the last healthy outcome

    def observe(self, outcome: Outcome, now: float, latency: float, timing: Timing) -> Health:
        """Fold in one outcome of a probe that ended at `now` and took `latency` seconds.

        Where nothing is known the first outcome decides at once; after that `timing.rise` healthy or
        `timing.fall` unhealthy ones in a row are needed. An inconclusive one changes no belief and no streak. The
        weight that a healthy outcome asks for, or its silence about it, counts until the next healthy one.
        """
        seen = _SEEN[type(outcome)]
        state, streak = (seen, 0) if seen is self.state else self._judge(seen, timing)
        return Health(
            state,
            now if state is not self.state else self.since,
            outcome,
            now,
            latency,
            streak,
            self.probes + 1,
            self.failures + (seen is State.DOWN),
            outcome.weight if isinstance(outcome, Healthy) else self.weight,
        )

    def as_expected(self, outcome: Outcome) -> bool:
        """Whether this is what nearly every outcome is: healthy again, and nothing to tell anybody."""
        return (
            self.state is State.UP
            and type(outcome) is Healthy
            and type(self.outcome) is Healthy
            and outcome.weight == self.weight
        )

    def again(self, outcome: Outcome, now: float, latency: float) -> Health:
        """What `observe` comes to for an outcome that is `as_expected`."""
        return Health(State.UP, self.since, outcome, now, latency, 0, self.probes + 1, self.failures, self.weight)

    def _judge(self, seen: State, timing: Timing) -> tuple[State, int]:
        if seen is State.UNKNOWN:
            return self.state, self.streak
        if self.state is State.UNKNOWN or seen is self.state:
            return seen, 0
        needed = timing.rise if seen is State.UP else timing.fall
        streak = self.streak + 1
        return (seen, 0) if streak >= needed else (self.state, streak)

    def verdict(self, identity: str) -> Verdict:
        """What the director is told of the check of this identity."""
        return Verdict(
            id=identity,
            state=self.state,
            since=self.since,
            outcome=self.outcome,
            probed_at=self.probed_at,
            latency=self.latency,
            streak=self.streak,
            probes=self.probes,
            failures=self.failures,
            weight=self.weight,
        )


def unproven(known: State, since: float, weight: int | None = None) -> Health:
    """The health of a check that was not probed yet: what is believed of it, since when, and the weight."""
    return Health(known, since, weight=weight)


def taken_over(assigned: AssignedCheck, now: float) -> Health:
    """The health of a check that was not probed here yet: whoever assigned it knows more, or nothing."""
    return unproven(assigned.known, now if assigned.since is None else assigned.since, assigned.weight)


def worth_telling(before: Health, after: Health) -> bool:
    """Whether the director should hear at once: the state changed, the reason for it, or the weight asked for."""
    return (
        before.state is not after.state
        or before.weight != after.weight
        or (before.outcome is not after.outcome and _reason(before.outcome) is not _reason(after.outcome))
    )


def _reason(outcome: Outcome) -> Reason | State:
    return outcome.reason if isinstance(outcome, Unhealthy) else _SEEN[type(outcome)]
