"""What people said of real servers, as lvsctl shows it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from config.model import RealServer, VirtualService
from lvsd.control.messages import OverrideMark, OverrideRow
from lvsd.core.identity import BEHIND, endpoint_text, real_id, service_key, virtual_text
from lvsd.core.pool_state import Connections
from lvsd.core.state import Director
from netlink.table import DestinationKey, ServiceKey

Counted = Mapping[tuple[ServiceKey, DestinationKey], Connections]
_NONE = Connections(0, 0, 0)


def mark(director: Director, virtual: VirtualService, real: RealServer, now: float) -> OverrideMark | None:
    """What a person said of it."""
    override = director.overrides.get(real_id(virtual, real)) if director.overrides else None
    if override is None:
        return None
    left = None if override.until is None else override.until - now
    age = now - override.since
    due = None if override.deadline is None else override.deadline - now
    return OverrideMark(
        override.kind.value, override.weight, override.reason, override.uid, age, left, due, override.left
    )


def concerned(director: Director, names: Collection[str]) -> tuple[VirtualService, ...]:
    """The services of these real servers, which are named by their `real_id`."""
    services = {name.partition(BEHIND)[0] for name in names}
    return tuple(one for one in director.config.services if virtual_text(one.virtual) in services)


def rows(
    director: Director, virtual: VirtualService, names: Collection[str], counted: Counted, now: float
) -> Iterator[OverrideRow]:
    """Those of the named real servers that the service has."""
    for real in virtual.real_servers:
        if real_id(virtual, real) in names:
            yield _row(director, virtual, real, counted, now)


def _row(director: Director, virtual: VirtualService, real: RealServer, counted: Counted, now: float) -> OverrideRow:
    key = service_key(virtual.virtual), DestinationKey(real.address, real.port)
    entry = director.kernel.table.get(key[0])
    held = entry.destinations.get(key[1]) if entry is not None else None
    found = counted.get(key, _NONE)
    return OverrideRow(
        service=virtual.name,
        real_server=endpoint_text(real.address, real.port),
        override=mark(director, virtual, real, now),
        weight_held=held.weight if held is not None else None,
        active=found.active,
        inactive=found.inactive,
        persistent=found.persistent,
    )
