"""A check that goes on as it did: its probes are noted, and folded into its course by the handful. Pure.

Nearly every probe finds what the one before it found, in time. Such a probe changes nothing but counts and moments,
and these are needed only when somebody asks for them.
"""

from __future__ import annotations

from array import array
from typing import Final

from checkers.core.books import LATE, WHOLE
from checkers.core.course import Course
from checkers.core.health import Health
from checkers.core.messages import State
from checkers.core.outcome import Healthy, Outcome
from checkers.core.schedule import Rhythm

NOTED_PROBES: Final = 16
WHOLE_AT: Final = 1
ROWS: Final = (LATE, WHOLE)
"""What is noted of every probe, the whole of it at WHOLE_AT; a caller may have more behind."""


class Steady:
    """A course and what was noted since it was last whole."""

    __slots__ = ("_course", "_ended_at", "_interval", "_notes", "_outcome", "_rows", "_steady", "connects", "moment")

    def __init__(self, given: Course, more: tuple[int, ...] = ()) -> None:
        """`more`: rows of the books of which each noted probe tells a duration, too."""
        self._course = given
        self._rows = (*ROWS, *more)
        self._notes = array("f")
        self._ended_at = 0.0
        self._outcome: Outcome | None = None
        self.moment = 0.0  # when to probe
        self.connects = False  # whether the next probe merely connects
        self.heed()

    @property
    def course(self) -> Course:
        """The course with all that was noted. Whoever changes it has to say so: `heed`."""
        if self._notes:
            self._fold()
        return self._course

    def heed(self) -> None:
        """The course was changed."""
        given = self._course
        health, rhythm, timing = given.health, given.rhythm, given.assigned.timing
        self._steady = (
            health.state is State.UP
            and health.streak == 0
            and health.weight is None
            and type(health.outcome) is Healthy
            and rhythm.hurried_to is None
            and not timing.connects
            and not given.connects_left
        )
        self.connects = given.connects_left > 0
        self._interval = timing.interval
        self.moment = rhythm.moment

    def renew(self, given: Course) -> None:
        """Another course takes its place."""
        self._course = given
        self.heed()

    def note(self, outcome: Outcome, ended_at: float, *durations: float) -> bool:
        """Take a probe that found what was found before; the durations are seconds, in the order of the rows.

        False: it is not such a probe, or it missed a slot; nothing was noted, and the course is to be told.
        """
        following = self.moment + self._interval
        if not self._steady or type(outcome) is not Healthy or outcome.weight is not None or ended_at >= following:
            return False
        notes = self._notes
        notes.extend(durations)
        self._outcome = outcome
        self._ended_at = ended_at
        self.moment = following
        if len(notes) >= NOTED_PROBES * len(self._rows):
            self._fold()
        return True

    def _fold(self) -> None:
        notes, self._notes = self._notes, array("f")
        given, width = self._course, len(self._rows)
        for place, row in enumerate(self._rows):
            given.books.enter(row, notes[place::width])
        before = given.health
        given.health = Health(
            state=before.state,
            since=before.since,
            outcome=self._outcome or before.outcome,
            probed_at=self._ended_at,
            latency=notes[WHOLE_AT - width],
            probes=before.probes + len(notes) // width,
            failures=before.failures,
        )
        given.rhythm = Rhythm(self.moment)
