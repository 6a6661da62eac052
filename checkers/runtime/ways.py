"""All checks of this worker, each run the way its options ask for: by the lean engine, or by a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from checkers.core.books import Histogram, Page
from checkers.core.difference import Difference
from checkers.core.health import Health
from checkers.core.hosts import Hosts
from checkers.core.messages import AssignedCheck, Verdict
from checkers.lean.watch import LeanWatch
from checkers.lean.way import lean
from checkers.runtime.watch import Watch


class Ways:
    """Two watches that look like one. What is believed of a check goes along when it changes ways."""

    def __init__(self, deep: Watch, quick: LeanWatch, hosts: Hosts | None = None) -> None:
        """Nothing is assigned yet. `hosts`: what both take their places from."""
        self._hosts = hosts or Hosts()
        self._deep = deep
        self._quick = quick

    @property
    def identities(self) -> tuple[str, ...]:
        """All checks that run."""
        return self._deep.identities + self._quick.identities

    def verdict(self, identity: str) -> Verdict | None:
        """What is believed of a check now; None when it is not run (any more)."""
        return self._quick.verdict(identity) or self._deep.verdict(identity)

    def page(self, identity: str) -> Page | None:
        """The books of a check; None when it is not run (any more)."""
        return self._quick.page(identity) or self._deep.page(identity)

    @property
    def lateness(self) -> Histogram:
        """How long after its moment each probe began, since the start."""
        return self._quick.lateness.joined(self._deep.lateness)

    def assign(self, checks: Iterable[AssignedCheck]) -> Difference:
        """Run these checks and no others, keeping whatever did not change. Of two with one identity the last counts."""
        shares: tuple[list[AssignedCheck], list[AssignedCheck]] = ([], [])
        for check in {check.id: check for check in checks}.values():
            shares[lean(check)].append(check)
        deep, quick = shares
        moved = {check.id: health for check in deep if (health := self._quick.belief(check.id))}
        moved |= {check.id: health for check in quick if (health := self._deep.belief(check.id))}
        beliefs = {identity: _afresh(health) for identity, health in moved.items()}
        return _together(self._deep.assign(deep, beliefs), self._quick.assign(quick, beliefs))

    def allow(self, probes_per_host: int) -> None:
        """Probe one address so many times at once, at most."""
        self._hosts.allow(probes_per_host)

    def hurry(self, identities: Iterable[str]) -> None:
        """Probe these now."""
        asked = tuple(identities)
        self._deep.hurry(asked)
        self._quick.hurry(asked)

    async def stop(self, seconds: float) -> None:
        """End every check politely, in so many seconds at most."""
        await asyncio.gather(self._deep.stop(seconds), self._quick.stop(seconds))


def _afresh(health: Health) -> Health:
    """Another question: what was believed stays until it is answered."""
    return msgspec.structs.replace(health, streak=0)


def _together(one: Difference, other: Difference) -> Difference:
    """A check that changed ways has ended in the one and was started in the other: it was replaced."""
    ended = {*one.ended, *other.ended}
    started = one.started + other.started
    return Difference(
        started=tuple(check for check in started if check.id not in ended),
        kept=one.kept + other.kept,
        retimed=one.retimed + other.retimed,
        replaced=one.replaced + other.replaced + tuple(check for check in started if check.id in ended),
        ended=tuple(ended - {check.id for check in started}),
    )
