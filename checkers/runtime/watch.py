"""The checks this worker runs: each in its own rhythm, never twice at once, so many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import msgspec

from checkers.core.difference import Difference, difference
from checkers.core.health import Health, unproven, worth_telling
from checkers.core.messages import AssignedCheck, State, Verdict
from checkers.core.outcome import Inconclusive
from checkers.core.schedule import Rhythm, early_moment, first_slot, jitter_of, slot_after_early
from checkers.core.turns import connects_left, turn
from checkers.probes.attempt import Finding
from checkers.runtime.log import Bounded

PROBES_AT_ONCE = 1024  # so many may hang until their timeout before others have to wait
CRASH_LINES_A_MINUTE = 6

Runner = Callable[[AssignedCheck, Callable[[Finding], None]], Awaitable[None]]
"""Probes once: reports the finding as soon as it is known, returns when the conversation is over."""


@dataclass
class Watched:
    """One check, what is believed of it, and its task."""

    assigned: AssignedCheck
    health: Health
    rhythm: Rhythm
    connects_left: int = 0
    task: asyncio.Task[None] | None = None
    probing: bool = False


class Watch:
    """Runs what is assigned, and says whose health changed."""

    def __init__(self, run: Runner, on_probed: Callable[[str, bool], None]) -> None:
        """`on_probed(identity, at_once)` is called after each probe; `at_once` when the director must hear of it."""
        self._run = run
        self._on_probed = on_probed
        self._watched: dict[str, Watched] = {}
        self._parting: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(PROBES_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._crashes = Bounded(CRASH_LINES_A_MINUTE)

    @property
    def identities(self) -> tuple[str, ...]:
        """All checks that run."""
        return tuple(self._watched)

    def verdict(self, identity: str) -> Verdict | None:
        """What is believed of a check now; None when it is not run (any more)."""
        watched = self._watched.get(identity)
        return watched.health.verdict(identity) if watched is not None else None

    def assign(self, checks: Iterable[AssignedCheck]) -> Difference:
        """Run these checks and no others, keeping whatever did not change."""
        change = difference({name: watched.assigned for name, watched in self._watched.items()}, checks)
        now = self._loop.time()
        for identity in change.ended:
            self._let_go(self._watched.pop(identity))
        for check in change.started:
            self._start(check, unproven(check.known, now, check.weight), None)
        for check in change.replaced:
            before = self._watched[check.id]
            self._start(check, msgspec.structs.replace(before.health, streak=0), self._let_go(before))
        for check in change.retimed:
            self._retime(self._watched[check.id], check)
        return change

    async def stop(self, seconds: float) -> None:
        """End every check politely, in so many seconds at most."""
        for watched in self._watched.values():
            self._let_go(watched)
        self._watched.clear()
        if self._parting:
            await asyncio.wait(self._parting, timeout=seconds)

    def _start(self, check: AssignedCheck, health: Health, after: asyncio.Task[None] | None) -> None:
        watched = Watched(check, health, self._rhythm_of(check))
        self._watched[check.id] = watched
        watched.task = self._loop.create_task(self._keep(watched, after))

    def _retime(self, watched: Watched, check: AssignedCheck) -> None:
        """A probe that runs is left to end; the new rhythm begins now."""
        if watched.probing:
            watched.assigned = check
            watched.rhythm = self._rhythm_of(check)
        else:
            self._start(check, watched.health, self._let_go(watched))

    def _rhythm_of(self, check: AssignedCheck) -> Rhythm:
        return Rhythm(first_slot(self._loop.time(), check.timing.interval, jitter_of(check.id)))

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
        if watched.health.state is State.UNKNOWN:
            await self._probe_early(watched)
        while True:
            await asyncio.sleep(watched.rhythm.moment - self._loop.time())
            async with self._room:
                await self._probe(watched)
            contradicted = watched.health.streak > 0
            watched.rhythm = watched.rhythm.after(self._loop.time(), watched.assigned.timing, contradicted=contradicted)

    async def _probe_early(self, watched: Watched) -> None:
        check = watched.assigned
        now = self._loop.time()
        await asyncio.sleep(early_moment(now, check.timing.interval, jitter_of(check.id)) - now)
        async with self._room:
            await self._probe(watched)
        slot = slot_after_early(watched.rhythm.slot, watched.assigned.timing.interval, self._loop.time())
        watched.rhythm = Rhythm(slot)

    async def _probe(self, watched: Watched) -> None:
        found: list[Finding] = []

        def report(finding: Finding) -> None:
            found.append(finding)
            self._observe(watched, finding)

        began_at = self._loop.time()
        watched.probing = True
        try:
            asked = turn(watched.assigned.check, watched.connects_left)
            await self._run(msgspec.structs.replace(watched.assigned, check=asked), report)
        except Exception as error:  # noqa: BLE001 - the one guard: a fault in one check must not stop the others
            self._crashed(watched, error)
            if not found:
                now = self._loop.time()
                words = f"a fault of the checker: {type(error).__name__}"
                report(Finding(Inconclusive(words), now, now - began_at))
        finally:
            watched.probing = False

    def _observe(self, watched: Watched, finding: Finding) -> None:
        before = watched.health
        timing = watched.assigned.timing
        watched.health = before.observe(finding.outcome, finding.ended_at, finding.latency, timing)
        watched.connects_left = connects_left(watched.connects_left, finding.outcome, watched.health.state, timing)
        self._on_probed(watched.assigned.id, worth_telling(before, watched.health))

    def _crashed(self, watched: Watched, error: Exception) -> None:
        """Tell where, never what: an exception's words may hold a password."""
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else "?"
        self._crashes.tell("error", "check_crashed", check=watched.assigned.id, error=type(error).__name__, at=where)
