"""The difference of two IPVS tables as an ordered list of operations: make before break, never flush. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def plan(desired: Table, actual: Table, owned: frozenset[ServiceKey]) -> tuple[Operation, ...]:
    """What makes `actual` equal `desired`, capacity made before it is broken.

    A service that is in neither `desired` nor `owned` is a stranger's and stays untouched.
    """
    ranked = [*_services(desired, actual), *_deletions(desired, actual, owned)]
    ranked.sort(key=lambda pair: pair[0])  # stable: within a rank the order is desired's own
    return tuple(operation for _, operation in ranked)


def _services(desired: Table, actual: Table) -> Iterator[_Ranked]:
    for key, entry in desired.items():
        present = actual.get(key)
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
    for key in actual:
        if key in owned and key not in desired:
            yield 5, DeleteService(key)


def applied(table: Table, operations: tuple[Operation, ...]) -> Table:
    """The table after operations the kernel accepted. Operations on what is not there change nothing."""
    changed = dict(table)
    for operation in operations:
        _apply_one(changed, operation)
    return changed


def _apply_one(table: dict[ServiceKey, Entry], operation: Operation) -> None:
    match operation:
        case AddService(service):
            table.setdefault(service.key, Entry(service))
        case SetService(service):
            if service.key in table:
                table[service.key] = replace(table[service.key], service=service)
        case DeleteService(key):
            table.pop(key, None)
        case AddDestination(key, destination) | SetDestination(key, destination):
            _put(table, key, destination)
        case DeleteDestination(key, gone):
            entry = table.get(key)
            if entry is not None:
                rest = {k: d for k, d in entry.destinations.items() if k != gone}
                table[key] = replace(entry, destinations=rest)


def _put(table: dict[ServiceKey, Entry], key: ServiceKey, destination: Destination) -> None:
    entry = table.get(key)
    if entry is not None:
        table[key] = replace(entry, destinations={**entry.destinations, destination.key: destination})
