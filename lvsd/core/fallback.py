"""Which fallback servers have their turn when the real servers lost theirs. Pure.

Without any check among them all serve, as with keepalived and ldirectord. Else they stand in their order: the first
that is healthy serves alone, one without a check always being healthy. One that serves in the kernel and was not
probed yet goes on; nobody who was never seen well is put in, and where none is well the real servers that are go on
serving.
"""

from __future__ import annotations

from checkers.core.messages import State
from config.checks import NoCheck
from config.model import RealServer, VirtualService
from lvsd.core.health import checked_state, in_maintenance
from lvsd.core.identity import service_key
from lvsd.core.state import Director
from netlink.table import DestinationKey


def is_checked(real: RealServer) -> bool:
    """Whether its health is known by more than hope."""
    return any(not isinstance(check.kind, NoCheck) for check in real.checks)


def in_order(virtual: VirtualService) -> bool:
    """Whether they serve one at a time."""
    return any(map(is_checked, virtual.fallback))


def able(director: Director, virtual: VirtualService) -> tuple[RealServer, ...]:
    """Who would serve now: all of them, or the first that may."""
    weighed = tuple(one for one in virtual.fallback if one.weight)
    if not in_order(virtual):
        return weighed
    first = next((one for one in weighed if _may_serve(director, virtual, one)), None)
    return () if first is None else (first,)


def state_of(director: Director, virtual: VirtualService, real: RealServer) -> State:
    """The health of a fallback server: its checks, unless a file in the maintenance directory holds it out."""
    if in_order(virtual) and in_maintenance(director.maintenance, real):
        return State.DOWN
    return checked_state(director, virtual, real)


def _may_serve(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    match state_of(director, virtual, real):
        case State.UP:
            return True
        case State.DOWN:
            return False
        case State.UNKNOWN:
            return _serves(director, virtual, real)


def _serves(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    entry = director.kernel.table.get(service_key(virtual.virtual))
    held = entry.destinations.get(DestinationKey(real.address, real.port)) if entry is not None else None
    return held is not None and held.weight > 0
