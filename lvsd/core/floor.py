"""How many real servers must be left in service, whatever their checks say: PyBal's depool threshold. Pure.

A real server that is found down may leave when, without it, at least the floor's minimum of real servers are still up
(and not taken out by a person). Who was allowed to leave stays out; who was not is kept, and all who are kept leave
once as many are up again. Disabled ones count in a share's whole, as they do in PyBal (pybal/coordinator.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from checkers.core.messages import State
from config.pool_rules import Floor, FloorAction


@dataclass(frozen=True, slots=True)
class Member:
    """A configured real server.

    `enabled`: nobody took it out, and it may have a weight. `serving`, `kept`: up to now. `since`: of its state.
    """

    name: str
    state: State
    enabled: bool = True
    serving: bool = False
    kept: bool = False
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether the floor is broken, how many are up, how many must be, and who is kept although it is down."""

    broken: bool
    up: int
    needed: int
    kept: frozenset[str] = frozenset()


def judged(floor: Floor, members: Sequence[Member], *, broken: bool) -> Judged:
    """The floor applied anew; `broken`: before. What serves and was not probed yet counts as up.

    What neither serves nor was probed may still be up: it breaks no floor, and lets nobody go either.
    """
    minimum = floor.minimum.of(len(members))
    restored = max(minimum, floor.restored.of(len(members))) if floor.restored else minimum
    able = [one for one in members if one.enabled]
    waiting = sum(one.state is State.UNKNOWN and not one.serving for one in able)
    up = sum(one.state is not State.DOWN for one in able) - waiting
    down = sorted((one for one in able if one.state is State.DOWN), key=lambda one: one.since)
    needed = restored if broken else minimum
    kept = _kept(down, up, needed, minimum - waiting) if floor.action is FloorAction.KEEP else frozenset[str]()
    short = up + waiting < minimum or bool(kept) or (broken and up < restored)
    if short and floor.action is FloorAction.FAIL_OPEN:
        kept = frozenset(one.name for one in down)
    return Judged(short, up, needed, kept)


def _kept(down: Sequence[Member], up: int, needed: int, minimum: int) -> frozenset[str]:
    """Who is kept of those that are down, the earliest failure first.

    At last there must be `minimum` in service: who failed last is the likeliest to do some good.
    """
    kept = {one.name for one in down if one.kept and up < needed}
    failing = [one for one in down if one.serving and not one.kept]
    left = up + len(failing)
    for one in failing:
        left -= 1
        if left < needed:
            kept.add(one.name)
    return frozenset(kept | _called_back(down, kept, minimum - up - len(kept)))


def _called_back(down: Iterable[Member], kept: set[str], missing: int) -> set[str]:
    """Who has to come back into service: a configuration or a person left too few."""
    others = [one.name for one in down if one.name not in kept]
    return set(others[-missing:]) if missing > 0 else set()
