"""The checks this worker runs: each in its own rhythm, never twice at once, so many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from checkers.core.books import Books, Histogram, Page
from checkers.core.course import Course, course
from checkers.core.difference import Difference, difference
from checkers.core.health import Health, taken_over
from checkers.core.hosts import Host, Hosts
from checkers.core.messages import AssignedCheck, Verdict
from checkers.probes.attempt import Finding
from checkers.probes.failures import a_fault
from checkers.probes.memory import Memory, memory_of, passed_on
from checkers.runtime.crashes import Crashes
from checkers.runtime.places import place

PROBES_AT_ONCE = 1024  # so many may hang until their timeout before others have to wait
HURRY_SECONDS = 0.5  # who was probed so lately is not hurried

Runner = Callable[[AssignedCheck, Callable[[Finding], None], Memory], Awaitable[None]]
"""Probes once: reports the finding as soon as it is known, returns when the conversation is over."""


@dataclass
class Watched:
    """One check, its course, and its task."""

    course: Course
    memory: Memory
    host: Host
    task: asyncio.Task[None] | None = None
    probing: bool = False


class Watch:
    """Runs what is assigned, and says whose health changed."""

    def __init__(
        self,
        run: Runner,
        on_probed: Callable[[str, bool], None],
        crashes: Crashes | None = None,
        hosts: Hosts | None = None,
    ) -> None:
        """`on_probed(identity, at_once)` is called after each probe; `at_once` when the director must hear of it."""
        self._hosts = hosts or Hosts()
        self._run = run
        self._on_probed = on_probed
        self._watched: dict[str, Watched] = {}
        self._parting: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(PROBES_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._crashes = crashes or Crashes()
        self.lateness = Histogram()  # how long after its moment each probe began

    @property
    def identities(self) -> tuple[str, ...]:
        """All checks that run."""
        return tuple(self._watched)

    def verdict(self, identity: str) -> Verdict | None:
        """What is believed of a check now; None when it is not run (any more)."""
        watched = self._watched.get(identity)
        return watched.course.health.verdict(identity) if watched is not None else None

    def belief(self, identity: str) -> Health | None:
        """The health of a check now; None when it is not run (any more)."""
        watched = self._watched.get(identity)
        return watched.course.health if watched is not None else None

    def page(self, identity: str) -> Page | None:
        """The books of a check; None when it is not run (any more)."""
        watched = self._watched.get(identity)
        return watched.course.books.page() if watched is not None else None

    def assign(
        self, checks: Iterable[AssignedCheck], beliefs: Mapping[str, Health] = MappingProxyType({})
    ) -> Difference:
        """Run these checks and no others, keeping whatever did not change.

        `beliefs`: the health of checks that were run elsewhere until now.
        """
        change = difference({name: watched.course.assigned for name, watched in self._watched.items()}, checks)
        now = self._loop.time()
        for identity in change.ended:
            self._let_go(self._watched.pop(identity))
        for check in change.started:
            if check.id in beliefs:  # another question was answered
                self._start(check, beliefs[check.id], None, Memory())
            else:
                self._start(check, taken_over(check, now), None, memory_of(check))
        for check in change.replaced:
            before = self._watched[check.id]
            health = msgspec.structs.replace(before.course.health, streak=0)
            memory = passed_on(before.memory, before.course.assigned, check)
            self._start(check, health, self._let_go(before), memory, before.course.books.renewed())
        for check in change.retimed:
            self._retime(self._watched[check.id], check)
        return change

    def hurry(self, identities: Iterable[str]) -> None:
        """Probe these now, those of them that run here and were not probed a moment ago."""
        now = self._loop.time()
        for identity in identities:
            watched = self._watched.get(identity)
            if watched is None or watched.probing or now - watched.course.health.probed_at < HURRY_SECONDS:
                continue
            watched.course.hurry(now)
            watched.task = self._loop.create_task(self._keep(watched, self._let_go(watched)))

    async def stop(self, seconds: float) -> None:
        """End every check politely, in so many seconds at most."""
        for watched in self._watched.values():
            self._let_go(watched)
        self._watched.clear()
        if self._parting:
            await asyncio.wait(self._parting, timeout=seconds)

    def _start(
        self,
        check: AssignedCheck,
        health: Health,
        after: asyncio.Task[None] | None,
        memory: Memory,
        books: Books | None = None,
    ) -> None:
        host = self._hosts.host(check.target.address)
        watched = Watched(course(check, health, self._loop.time(), books), memory, host)
        self._watched[check.id] = watched
        watched.task = self._loop.create_task(self._keep(watched, after))

    def _retime(self, watched: Watched, check: AssignedCheck) -> None:
        """A probe that runs is left to end; the new rhythm begins now."""
        if watched.probing:
            watched.course.retime(check, self._loop.time())
        else:
            self._start(check, watched.course.health, self._let_go(watched), watched.memory, watched.course.books)

    def _let_go(self, watched: Watched) -> asyncio.Task[None] | None:
        """Cancel, and remember the task until its goodbye is said."""
        task = watched.task
        if task is not None:
            task.cancel()
            self._parting.add(task)
            task.add_done_callback(self._parting.discard)
        return task

    async def _keep(self, watched: Watched, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait((after,))
        while True:
            await asyncio.sleep(watched.course.moment - self._loop.time())
            async with place(watched.host), self._room:
                await self._probe(watched)
            watched.course.ended(self._loop.time())

    async def _probe(self, watched: Watched) -> None:
        found: list[Finding] = []

        def report(finding: Finding) -> None:
            found.append(finding)
            told = watched.course.observe(finding.outcome, finding.ended_at, finding.latency)
            for row, seconds in finding.parts:
                watched.course.books.add(row, seconds)
            self._on_probed(watched.course.assigned.id, told)

        began_at = self._loop.time()
        self.lateness.add(watched.course.begun(began_at))
        watched.probing = True
        try:
            asked = msgspec.structs.replace(watched.course.assigned, check=watched.course.asked)
            await self._run(asked, report, watched.memory)
        except Exception as error:  # noqa: BLE001 - the one guard: a fault in one check must not stop the others
            self._crashes.crashed(watched.course.assigned.id, error)
            if not found:
                now = self._loop.time()
                report(Finding(a_fault(error), now, now - began_at))
        finally:
            watched.probing = False
