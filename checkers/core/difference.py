"""What an assignment changes for a worker that already runs one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from checkers.core.messages import AssignedCheck


class Difference(msgspec.Struct, frozen=True):
    """Every assigned check is in exactly one of the first four, every one that went in `ended`."""

    started: tuple[AssignedCheck, ...] = ()
    kept: tuple[AssignedCheck, ...] = ()  # equal: state and rhythm stay
    retimed: tuple[AssignedCheck, ...] = ()  # the same question, other timing: state stays
    replaced: tuple[AssignedCheck, ...] = ()  # another question: what was believed stays until it is answered
    ended: tuple[str, ...] = ()


def difference(running: Mapping[str, AssignedCheck], assigned: Iterable[AssignedCheck]) -> Difference:
    """Compare by identity. `known`, `since` and `weight` do not count: the worker's own belief is at least as fresh.

    Of two checks with one identity the last is taken.
    """
    wanted = {check.id: check for check in assigned}
    started, kept, retimed, replaced = [], [], [], []
    for identity, check in wanted.items():
        before = running.get(identity)
        if before is None:
            started.append(check)
        elif (before.target, before.check, before.dial) != (check.target, check.check, check.dial):
            replaced.append(check)
        elif before.timing != check.timing:
            retimed.append(check)
        else:
            kept.append(check)
    ended = tuple(identity for identity in running if identity not in wanted)
    return Difference(tuple(started), tuple(kept), tuple(retimed), tuple(replaced), ended)
