"""The difference of two IPVS tables as an ordered list of operations: make before break, never flush. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from netlink.operations import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    SetDestination,
    SetService,
)
from netlink.table import Destination, DestinationKey, Entry, ServiceKey, Table

_Ranked = tuple[int, Operation]
Plan = tuple[Operation, ...]


def plan(desired: Table, actual: Table, owned: frozenset[ServiceKey]) -> tuple[Operation, ...]:
    """What makes `actual` equal `desired`, capacity made before it is broken.

    A service that is in neither `desired` nor `owned` is a stranger's and stays untouched.
    """
    ranked = [*_services(desired, actual), *_deletions(desired, actual, owned)]
    ranked.sort(key=lambda pair: pair[0])  # stable: within a rank the order is desired's own
    return tuple(operation for _, operation in ranked)


def differences(desired: Table, actual: Table, owned: frozenset[ServiceKey], most: int) -> tuple[int, Plan]:
    """How many operations `plan` has, and its first, at most so many: a table that is gone is not planned twice."""
    ranked: list[_Ranked] = []
    number = foremost = 0
    for key, entry in desired.items():
        if foremost >= most and key not in actual:  # nothing of it is among the first
            number += 1 + len(entry.destinations)
            continue
        found = [*_services({key: entry}, actual)]
        number += len(found)
        foremost += sum(rank == 0 for rank, _ in found)
        ranked += found
    deletions = [*_deletions(desired, actual, owned)]
    ranked += deletions
    ranked.sort(key=lambda pair: pair[0])
    return number + len(deletions), tuple(operation for _, operation in ranked[:most])


def _services(desired: Table, actual: Table) -> Iterator[_Ranked]:
    for key, entry in desired.items():
        present = actual.get(key)
        if present == entry:
            continue
        if present is None:
            yield 0, AddService(entry.service)
        elif present.service != entry.service:
            yield 0, SetService(entry.service)
        held = present.destinations if present is not None else {}
        yield from _destinations(key, entry.destinations, held)


def _destinations(
    service: ServiceKey,
    desired: Mapping[DestinationKey, Destination],
    held: Mapping[DestinationKey, Destination],
) -> Iterator[_Ranked]:
    for key, destination in desired.items():
        present = held.get(key)
        if present is None:
            yield 1, AddDestination(service, destination)
        elif present != destination:
            # Serve more before serving less: between the two no client may meet an empty service.
            lowered = destination.weight < present.weight
            yield 3 if lowered else 2, SetDestination(service, destination)
    for key in held:
        if key not in desired:
            yield 4, DeleteDestination(service, key)


def _deletions(desired: Table, actual: Table, owned: frozenset[ServiceKey]) -> Iterator[_Ranked]:
    if not owned:
        return
    for key in actual:
        if key in owned and key not in desired:
            yield 5, DeleteService(key)


def applied(table: Table, operations: Iterable[Operation]) -> Table:
    """The table after operations the kernel accepted. Operations on what is not there change nothing."""
    changed = _Changed(table)
    for operation in operations:
        changed.apply(operation)
    return changed.table()


class _Changed:
    """A table at work: what changes is copied once, however much of it changes."""

    def __init__(self, table: Table) -> None:
        self._table = dict(table)
        self._opened: dict[ServiceKey, dict[DestinationKey, Destination]] = {}

    def table(self) -> Table:
        """What has become of it."""
        for key, destinations in self._opened.items():
            self._table[key] = Entry(self._table[key].service, destinations)
        self._opened = {}
        return self._table

    def apply(self, operation: Operation) -> None:
        """Carry it out."""
        match operation:
            case AddDestination(key, destination) | SetDestination(key, destination):
                if key in self._table:
                    self._open(key)[destination.key] = destination
            case DeleteDestination(key, gone):
                if key in self._table:
                    self._open(key).pop(gone, None)
            case AddService(service):
                self._table.setdefault(service.key, Entry(service))
            case SetService(service):
                if service.key in self._table:
                    self._table[service.key] = replace(self._table[service.key], service=service)
            case DeleteService(key):
                self._table.pop(key, None)
                self._opened.pop(key, None)

    def _open(self, key: ServiceKey) -> dict[DestinationKey, Destination]:
        opened = self._opened.get(key)
        if opened is None:
            opened = self._opened[key] = dict(self._table[key].destinations)
        return opened
