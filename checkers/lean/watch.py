"""The checks that the lean engine runs: as checkers/runtime/watch.py, without a task for each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec

from checkers.core.books import Histogram, Page
from checkers.core.course import course
from checkers.core.difference import Difference, difference
from checkers.core.health import Health, taken_over
from checkers.core.hosts import Hosts
from checkers.core.messages import AssignedCheck, Verdict
from checkers.lean.engine import Crashed, Engine, Probed
from checkers.lean.runner import Runner


class LeanWatch:
    """Runs what is assigned, and says whose health changed."""

    def __init__(
        self,
        on_probed: Probed,
        crashed: Crashed,
        stalled: Callable[[], float] = lambda: 0.0,
        hosts: Hosts | None = None,
    ) -> None:
        """`stalled`: the seconds in which the loop did not turn, so far."""
        self._engine = Engine(on_probed, crashed, stalled, hosts)
        self._runners: dict[str, Runner] = {}

    @property
    def identities(self) -> tuple[str, ...]:
        """All checks that run."""
        return tuple(self._runners)

    @property
    def lateness(self) -> Histogram:
        """How long after its moment each probe began, since the start."""
        return self._engine.lateness

    def verdict(self, identity: str) -> Verdict | None:
        """What is believed of a check now; None when it is not run (any more)."""
        health = self.belief(identity)
        return health.verdict(identity) if health is not None else None

    def belief(self, identity: str) -> Health | None:
        """The health of a check now; None when it is not run (any more)."""
        runner = self._runners.get(identity)
        return runner.course.health if runner is not None else None

    def page(self, identity: str) -> Page | None:
        """The books of a check; None when it is not run (any more)."""
        runner = self._runners.get(identity)
        return runner.course.books.page() if runner is not None else None

    def assign(
        self, checks: Iterable[AssignedCheck], beliefs: Mapping[str, Health] = MappingProxyType({})
    ) -> Difference:
        """Run these checks and no others, keeping whatever did not change.

        `beliefs`: the health of checks that were run elsewhere until now.
        """
        change = difference({name: runner.course.assigned for name, runner in self._runners.items()}, checks)
        now = self._engine.reactor.now()
        for identity in change.ended:
            self._runners.pop(identity).let_go(now)
        for check in change.started:
            health = beliefs.get(check.id) or taken_over(check, now)
            self._runners[check.id] = Runner(self._engine, course(check, health, now), None)
        for check in change.replaced:
            before = self._runners[check.id]
            before.let_go(now)
            health = msgspec.structs.replace(before.course.health, streak=0)
            afresh = course(check, health, now, before.course.books.renewed())
            self._runners[check.id] = Runner(self._engine, afresh, before)
        for check in change.retimed:
            self._runners[check.id].retime(check, now)
        return change

    def hurry(self, identities: Iterable[str]) -> None:
        """Probe these now, those of them that run here."""
        now = self._engine.reactor.now()
        for identity in identities:
            if (runner := self._runners.get(identity)) is not None:
                runner.hurry(now)

    async def stop(self, seconds: float) -> None:
        """End every check politely, in so many seconds at most."""
        now = self._engine.reactor.now()
        for runner in self._runners.values():
            runner.let_go(now)
        self._runners.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._engine.idle()
        self._engine.knocks.close()
        self._engine.questions.close()
        for call in self._engine.reactor.close():
            call.drop()
