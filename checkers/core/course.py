"""One check as it is run: what is believed of it, what is asked next, and when. Pure.

Whoever probes (a task on asyncio, the lean engine) keeps one course for each check and tells it what was found.
"""

from __future__ import annotations

import msgspec

from checkers.core.books import LATE, WHOLE, Books
from checkers.core.health import Health, worth_telling
from checkers.core.messages import AssignedCheck, State
from checkers.core.outcome import Outcome
from checkers.core.schedule import Rhythm, early_moment, first_slot, jitter_of, next_slot, phase_of
from checkers.core.turns import connects_left, turn
from config.checks import AnyCheck


class Course(msgspec.Struct):
    """Changes with every probe: `observe` its outcome, then `ended` when its conversation is over."""

    assigned: AssignedCheck
    health: Health
    rhythm: Rhythm
    connects_left: int = 0
    books: Books = msgspec.field(default_factory=Books)

    @property
    def moment(self) -> float:
        """When to probe."""
        return self.rhythm.moment

    @property
    def asked(self) -> AnyCheck:
        """What the next probe asks."""
        return turn(self.assigned.check, self.connects_left) if self.connects_left else self.assigned.check

    def retime(self, assigned: AssignedCheck, now: float) -> None:
        """The same question in another rhythm, which begins now. A probe that runs is left to end."""
        self.assigned = assigned
        self.rhythm = _rhythm(assigned, now)

    def hurry(self, now: float) -> None:
        """Somebody asks to look now; the rhythm goes on behind it."""
        self.rhythm = Rhythm(self.rhythm.slot, now)

    def begun(self, now: float) -> float:
        """A probe begins: the seconds by which it is late."""
        late = now - self.rhythm.moment
        self.books.add(LATE, late)
        return late

    def observe(self, outcome: Outcome, ended_at: float, latency: float) -> bool:
        """Fold in an outcome: whether the director should hear at once."""
        before, timing = self.health, self.assigned.timing
        if before.as_expected(outcome) and not timing.connects and not self.connects_left:
            self.health = before.again(outcome, ended_at, latency)
            self.books.add(WHOLE, latency)
            return False
        self.health = before.observe(outcome, ended_at, latency, timing)
        self.books.found(outcome, latency)
        if timing.connects:
            self.connects_left = connects_left(self.connects_left, outcome, self.health.state, timing)
        else:
            self.connects_left = 0
        return worth_telling(before, self.health)

    def ended(self, now: float) -> None:
        """The conversation is over: the next moment."""
        timing, health, rhythm = self.assigned.timing, self.health, self.rhythm
        if health.state is State.UP and not health.streak and rhythm.hurried_to is None:
            self.rhythm = Rhythm(next_slot(rhythm.slot, timing.interval, now))
            return
        slowed = timing.down_interval is not None and health.state is State.DOWN
        down = phase_of(self.assigned.id, timing, timing.down_interval) if slowed else None
        self.rhythm = rhythm.after(now, timing, contradicted=health.streak > 0, down=down)


def course(assigned: AssignedCheck, health: Health, now: float, books: Books | None = None) -> Course:
    """A check that becomes known now. What nobody has seen yet is probed early, before its rhythm begins.

    `books`: of the same check, kept until now.
    """
    rhythm = _rhythm(assigned, now)
    if health.state is State.UNKNOWN or (assigned.unseen and not health.probes):
        rhythm = Rhythm(rhythm.slot, early_moment(now, assigned.timing.interval, jitter_of(assigned.id)))
    return Course(assigned, health, rhythm, books=books or Books())


def _rhythm(assigned: AssignedCheck, now: float) -> Rhythm:
    return Rhythm(first_slot(now, assigned.timing.interval, phase_of(assigned.id, assigned.timing)))
