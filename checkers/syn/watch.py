"""The checks that the syn engine runs: as checkers/runtime/watch.py, all over a few sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from types import MappingProxyType

import msgspec

from checkers.core.books import Books, Histogram, Page
from checkers.core.course import course
from checkers.core.difference import Difference, difference
from checkers.core.health import Health, taken_over
from checkers.core.messages import AssignedCheck, Verdict
from checkers.core.schedule import phase_of
from checkers.syn.asker import Asker
from checkers.syn.engine import Crashed, Engine, Probed

HURRY_SECONDS = 0.5  # who was probed so lately is not hurried


class SynWatch:
    """Runs what is assigned, and says whose health changed. Needs CAP_NET_RAW; without it nothing is concluded.

    How many probes run against one address at once is not limited: a half-open one takes no place there.
    """

    def __init__(self, on_probed: Probed, crashed: Crashed, stalled: Callable[[], float] = lambda: 0.0) -> None:
        """`stalled`: the seconds in which the loop did not turn, so far."""
        self._engine = Engine(on_probed, crashed, stalled)
        self._askers: dict[str, Asker] = {}

    @property
    def identities(self) -> tuple[str, ...]:
        """All checks that run."""
        return tuple(self._askers)

    @property
    def lateness(self) -> Histogram:
        """How long after its moment each probe began, since the start."""
        for asker in self._askers.values():
            asker.settle()
        return self._engine.lateness

    def verdict(self, identity: str) -> Verdict | None:
        """What is believed of a check now; None when it is not run (any more)."""
        health = self.belief(identity)
        return health.verdict(identity) if health is not None else None

    def belief(self, identity: str) -> Health | None:
        """The health of a check now; None when it is not run (any more)."""
        asker = self._askers.get(identity)
        return asker.course.health if asker is not None else None

    def page(self, identity: str) -> Page | None:
        """The books of a check; None when it is not run (any more)."""
        asker = self._askers.get(identity)
        return asker.course.books.page() if asker is not None else None

    def assign(
        self, checks: Iterable[AssignedCheck], beliefs: Mapping[str, Health] = MappingProxyType({})
    ) -> Difference:
        """Run these checks and no others, keeping whatever did not change.

        `beliefs`: the health of checks that were run elsewhere until now.
        """
        change = difference({name: asker.course.assigned for name, asker in self._askers.items()}, checks)
        now = monotonic()
        for identity in change.ended:
            self._engine.let_go(self._askers.pop(identity))
        for check in sorted(
            change.started, key=_rhythm
        ):  # who is asked together lies together in memory, and is at hand
            self._start(check, beliefs.get(check.id) or taken_over(check, now), now)
        for check in change.replaced:
            before = self._askers[check.id]
            self._engine.let_go(before)
            given = before.course
            self._start(check, msgspec.structs.replace(given.health, streak=0), now, given.books.renewed())
        for check in change.retimed:
            self._engine.retime(self._askers[check.id], check, now)
        self._engine.tidy()
        return change

    def hurry(self, identities: Iterable[str]) -> None:
        """Probe these now, those of them that run here."""
        now = monotonic()
        for identity in identities:
            asker = self._askers.get(identity)
            if asker is not None and now - asker.course.health.probed_at >= HURRY_SECONDS:
                self._engine.hurry(asker, now)

    async def stop(self, seconds: float) -> None:  # noqa: ARG002 - as the other watches have it; nothing lasts here
        """End every check."""
        for asker in self._askers.values():
            self._engine.let_go(asker)
        self._askers.clear()
        self._engine.close()

    def _start(self, check: AssignedCheck, health: Health, now: float, books: Books | None = None) -> None:
        asker = self._askers[check.id] = Asker(course(check, health, now, books), self._engine.lateness)
        self._engine.plan(asker)


def _rhythm(check: AssignedCheck) -> tuple[float, float]:
    return check.timing.interval, phase_of(check.id, check.timing)
