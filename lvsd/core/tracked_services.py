"""What the health of services adds to the priority of VRRP instances, so that nothing bounces. Pure.

Two balancers see the same farm, and never at the same moment. So what would move an address has to last: an active
balancer that sees less waits `delay` before it says so, and so does another one that sees more; whatever keeps the
address where it is counts at once. A farm that dies, or comes back, for both moves nothing. Of weight 0 a service that
is bad takes the priority to its lowest, and is no fault: two faults would leave the address to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from checkers.core.messages import State
from config.model import TrackedService, VirtualService
from lvsd.core.health import checked_state
from lvsd.core.identity import service_key
from lvsd.core.state import Damped, Director

LOWEST = -253  # leaves the lowest priority there is, 1, whatever is configured


@dataclass(frozen=True, slots=True)
class Sight:
    """A tracked service as it is seen now. `gained` is None before that is known."""

    gained: bool | None
    missing: int


def seen(director: Director, virtual: VirtualService) -> Sight:
    """Whether it has its quorum, and how many of its real servers fail their checks. Maintenance is no failure."""
    states = (checked_state(director, virtual, real) for real in virtual.real_servers)
    return Sight(director.quorum.get(service_key(virtual.virtual)), sum(state is State.DOWN for state in states))


def worth(track: TrackedService, sight: Sight) -> int | None:
    """What the service adds to the priority; None: not known yet."""
    if sight.gained is None:
        return None
    each = -track.each * sight.missing
    if sight.gained is not track.inverted:
        return each + max(0, track.weight)
    return each + (min(0, track.weight) or (0 if track.weight else LOWEST))


def damped(held: Damped | None, current: int, delay: float, now: float, *, active: bool) -> Damped:
    """What counts from now on: `current`, or for a while still what was held."""
    if held is None or current == held.value:
        return Damped(current)
    if not (current < held.value if active else current > held.value):
        return Damped(current)
    since = now if held.otherwise_since is None else held.otherwise_since
    return Damped(current) if now - since >= delay else Damped(held.value, since)
