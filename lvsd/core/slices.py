"""Which services are to be decided anew, and how many of them at once, so that thousands hold nothing up. Pure.

An event touches few services, and only those are decided. What touches all of them (a start, the maintenance
directory) is worked off in slices of whole services, and between two slices the world has its turn: a slice never
parts a service, so within each one capacity is made before it is broken, as `lvsd.core.reconcile` orders it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from checkers.core.messages import Verdict
from config.model import VirtualService
from lvsd.core import following, large
from lvsd.core.index import by_key as by_key  # noqa: PLC0414 (exported: what is due is said by key)
from lvsd.core.index import services_of
from lvsd.core.state import Director, Services, Unsettled
from netlink.table import ServiceKey, Table

SLICE_REAL_SERVERS = 200  # some milliseconds of deciding, packing and sending


def of_verdicts(before: Director, after: Director, verdicts: Sequence[Verdict]) -> Services:
    """Whose state or weight these verdicts changed."""
    told = (one.id for one in verdicts if _differ(before.verdicts.get(one.id), after.verdicts.get(one.id)))
    changed = [after.checks[identity] for identity in dict.fromkeys((*told, *_judged(before, after, verdicts)))]
    return {**by_key(one.service for one in changed), **following.services_behind(after, changed)}


def _judged(before: Director, after: Director, verdicts: Iterable[Verdict]) -> Iterable[str]:
    """Of whom nothing is presumed any more."""
    if after.presumed is before.presumed:
        return ()
    return (one.id for one in verdicts if one.id in before.presumed and one.id not in after.presumed)


def _differ(before: Verdict | None, after: Verdict | None) -> bool:
    if before is None or after is None:
        return before is not after
    return (before.state, before.weight) != (after.state, after.weight)


def of_keys(director: Director, keys: frozenset[ServiceKey]) -> Services:
    """Those of the configured services, in the configuration's order."""
    return {} if not keys else {key: one for key, one in services_of(director.config).items() if key in keys}


def changed_keys(before: Table, table: Table) -> frozenset[ServiceKey]:
    """The services whose entries differ."""
    found = {key for key, one in table.items() if (held := before.get(key)) is not one and held != one}
    if found or len(table) != len(before):  # else they have the same keys
        found.update(before.keys() - table.keys())
    return frozenset(found)


def forgotten(director: Director, gone: Iterable[str], lost: frozenset[ServiceKey]) -> Director:
    """The belief without what it remembers of services and real servers (by name) that are gone, services lost."""
    kept = services_of(director.config)
    announced = large.changed(director.announced, {}, gone)
    quorum = {key: one for key, one in director.quorum.items() if key not in lost} if lost else director.quorum
    waiting = director.unsettled
    services = {key: kept[key] for key in waiting.services if key in kept}
    return replace(director, announced=announced, quorum=quorum, unsettled=Unsettled(services, waiting.sweep))


def due(director: Director, services: Services | None, *, sweep: bool = False) -> Director:
    """The belief with these services due, or all (None), before those that are due already."""
    waiting = director.unsettled
    if services is None:
        return replace(director, unsettled=Unsettled(services_of(director.config), sweep=True))
    if not services and not sweep:
        return director
    return replace(director, unsettled=Unsettled({**services, **waiting.services}, waiting.sweep or sweep))


def are_many(director: Director) -> bool:
    """Whether so many services are due that they take more slices than one."""
    return len(director.unsettled.services) > SLICE_REAL_SERVERS


def taken(director: Director) -> tuple[Director, tuple[VirtualService, ...], bool]:
    """The belief without the next slice, the slice, and whether now is the time for the sweep."""
    waiting = director.unsettled
    slice_: dict[ServiceKey, VirtualService] = {}
    size = 0
    for key, virtual in waiting.services.items():
        size += 1 + len(virtual.real_servers)
        if slice_ and size > SLICE_REAL_SERVERS:
            break
        slice_[key] = virtual
    rest = dict(waiting.services)
    for key in slice_:
        del rest[key]
    left = Unsettled(rest, waiting.sweep and bool(rest))
    return replace(director, unsettled=left), tuple(slice_.values()), waiting.sweep and not rest
