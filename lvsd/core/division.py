"""Who is to probe what when workers come or fall silent: worked out some checks at a time, so that nobody waits. Pure.

Until all is worked out everything stays as it was: who has a check keeps it, and is believed about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

from lvsd.core.assignment import shares_of
from lvsd.core.state import Director, Division, Share, Shares

PLACES_AT_ONCE = 1000  # so often is it asked how much a worker is the first for an address: some milliseconds


def begun(director: Director, among: tuple[int, ...]) -> Division:
    """Nothing is worked out yet. `among`: who is to share the probes."""
    return Division(director.checks, director.shared, among, tuple(director.checks))


def gone_on(division: Division) -> Division:
    """With some more checks."""
    end = division.done + max(1, PLACES_AT_ONCE // len(division.among))
    some = {name: division.checks[name] for name in division.names[division.done : end]}
    part = shares_of(some, division.shared, division.among).given
    return replace(division, done=end, parts=(*division.parts, part))


def is_over(division: Division) -> bool:
    """Whether all checks are placed."""
    return division.done >= len(division.names)


def shares(division: Division) -> Shares:
    """Everybody's share, once all checks are placed."""
    numbers = dict.fromkeys(number for part in division.parts for number in part)
    given = {number: _joined(division.parts, number) for number in numbers}
    return Shares(division.checks, division.shared, division.among, given)


def _joined(parts: tuple[Mapping[int, Share], ...], number: int) -> Share:
    own = [part[number] for part in parts if number in part]
    return Share(tuple(chain.from_iterable(one.names for one in own)), sum(one.pace for one in own))
