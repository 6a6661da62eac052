"""All checks of this worker, each run the way its options ask for: by the lean engine, by the syn engine where this
worker has one, or by a task of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Protocol

import msgspec

from checkers.core.books import Histogram, Page
from checkers.core.difference import Difference
from checkers.core.health import Health
from checkers.core.hosts import Hosts
from checkers.core.messages import AssignedCheck, Verdict
from checkers.lean.watch import LeanWatch
from checkers.lean.way import lean
from checkers.runtime.watch import Watch
from config.checks import SynCheck


class AnyWatch(Protocol):
    """Runs what is assigned to it."""

    @property
    def identities(self) -> tuple[str, ...]:
        """All checks that run."""

    @property
    def lateness(self) -> Histogram:
        """How long after its moment each probe began, since the start."""

    def verdict(self, identity: str) -> Verdict | None:
        """What is believed of a check now; None when it is not run (any more)."""

    def belief(self, identity: str) -> Health | None:
        """The health of a check now; None when it is not run (any more)."""

    def page(self, identity: str) -> Page | None:
        """The books of a check; None when it is not run (any more)."""

    def assign(self, checks: Iterable[AssignedCheck], beliefs: Mapping[str, Health]) -> Difference:
        """Run these checks and no others, keeping whatever did not change."""

    def hurry(self, identities: Iterable[str]) -> None:
        """Probe these now, those of them that run here."""

    async def stop(self, seconds: float) -> None:
        """End every check politely, in so many seconds at most."""


class Ways:
    """Several watches that look like one. What is believed of a check goes along when it changes ways."""

    def __init__(self, deep: Watch, quick: LeanWatch, hosts: Hosts | None = None, syn: AnyWatch | None = None) -> None:
        """Nothing is assigned yet. `hosts`: what they take their places from."""
        self._hosts = hosts or Hosts()
        self._deep: AnyWatch = deep
        self._quick: AnyWatch = quick
        self._syn = syn
        self._all: tuple[AnyWatch, ...] = (quick, deep) if syn is None else (quick, deep, syn)

    @property
    def identities(self) -> tuple[str, ...]:
        """All checks that run."""
        return tuple(identity for watch in self._all for identity in watch.identities)

    def verdict(self, identity: str) -> Verdict | None:
        """What is believed of a check now; None when it is not run (any more)."""
        return next((found for watch in self._all if (found := watch.verdict(identity)) is not None), None)

    def page(self, identity: str) -> Page | None:
        """The books of a check; None when it is not run (any more)."""
        return next((found for watch in self._all if (found := watch.page(identity)) is not None), None)

    @property
    def lateness(self) -> Histogram:
        """How long after its moment each probe began, since the start."""
        return reduce(Histogram.joined, (watch.lateness for watch in self._all))

    def assign(self, checks: Iterable[AssignedCheck]) -> Difference:
        """Run these checks and no others, keeping whatever did not change. Of two with one identity the last counts."""
        shares: dict[AnyWatch, list[AssignedCheck]] = {watch: [] for watch in self._all}
        for check in {check.id: check for check in checks}.values():
            shares[self._way(check)].append(check)
        moved = {watch: dict(self._moved(watch, share)) for watch, share in shares.items()}
        return _together([watch.assign(share, moved[watch]) for watch, share in shares.items()])

    def _way(self, check: AssignedCheck) -> AnyWatch:
        if self._syn is not None and isinstance(check.check, SynCheck):
            return self._syn
        return self._quick if lean(check) else self._deep

    def _moved(self, to: AnyWatch, share: Iterable[AssignedCheck]) -> Iterable[tuple[str, Health]]:
        """What the other watches believe of these."""
        for check in share:
            for watch in self._all:
                if watch is not to and (health := watch.belief(check.id)) is not None:
                    yield check.id, _afresh(health)

    def allow(self, probes_per_host: int) -> None:
        """Probe one address so many times at once, at most."""
        self._hosts.allow(probes_per_host)

    def hurry(self, identities: Iterable[str]) -> None:
        """Probe these now."""
        asked = tuple(identities)
        for watch in self._all:
            watch.hurry(asked)

    async def stop(self, seconds: float) -> None:
        """End every check politely, in so many seconds at most."""
        await asyncio.gather(*(watch.stop(seconds) for watch in self._all))


def _afresh(health: Health) -> Health:
    """Another question: what was believed stays until it is answered."""
    return msgspec.structs.replace(health, streak=0)


def _together(changes: Iterable[Difference]) -> Difference:
    """A check that changed ways has ended in the one and was started in the other: it was replaced."""
    found = tuple(changes)
    ended = {identity for one in found for identity in one.ended}
    started = [check for one in found for check in one.started]
    replaced = [check for one in found for check in one.replaced]
    return Difference(
        started=tuple(check for check in started if check.id not in ended),
        kept=tuple(check for one in found for check in one.kept),
        retimed=tuple(check for one in found for check in one.retimed),
        replaced=(*replaced, *(check for check in started if check.id in ended)),
        ended=tuple(ended - {check.id for check in started}),
    )
