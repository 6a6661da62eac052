"""A hand-over that a person asked for: whether it can be begun, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from config.model import VrrpInstance
from lvsd.control.messages import ErrorReply, FailoverRequest
from lvsd.core.state import Director
from lvsd.vrrp.messages import InstanceStatus, Role

HANDED_OVER = "handed_over"  # another router advertises
TAKEN_BACK = "taken_back"  # nobody took over for an active-down interval, so this router did
NOBODY = "nobody"  # nobody has taken over yet, and the time was up
RETURNED = "returned"  # active again
RELEASED = "released"  # may preempt again, but nothing makes it: no preemption, or a lower priority
NOT_RETURNED = "not_returned"  # ought to have become active, and the time was up
GOOD = frozenset({HANDED_OVER, RETURNED, RELEASED})


def reported(director: Director) -> dict[str, InstanceStatus]:
    """The instances by name, as the vrrp process last reported them; none while it is gone."""
    status = director.vrrp.status
    return {one.name: one for one in status.instances} if status is not None and director.vrrp.connected else {}


def concerned(director: Director, request: FailoverRequest) -> tuple[VrrpInstance, ...]:
    """The instances that a request moves, with those of their sync groups. None named: all it can be about."""
    configs = director.config.vrrp
    if request.instances:
        named = set(request.instances)
    else:
        found = reported(director).values()
        named = {one.name for one in found if (one.yielded if request.back else one.role is Role.ACTIVE)}
    groups = {config.sync_group for config in configs if config.name in named} - {""}
    return tuple(config for config in configs if config.name in named or config.sync_group in groups)


def refusal(director: Director, request: FailoverRequest) -> ErrorReply | None:
    """Why a request cannot be begun; None when it can."""
    configured = {config.name for config in director.config.vrrp}
    unknown = [name for name in request.instances if name not in configured]
    if unknown:
        return ErrorReply(f"no VRRP instance {unknown[0]!r}", f"there are: {', '.join(sorted(configured)) or 'none'}")
    found = reported(director)
    if not director.vrrp.connected or any(name not in found for name in request.instances):
        return ErrorReply("the vrrp process does not report", "`lvsctl status` and the log tell why")
    chosen = concerned(director, request)
    if not chosen:
        return _nothing_to_do(found.values(), back=request.back)
    named = set(request.instances)
    idle = [found[name] for name in sorted(named) if found[name].role is not Role.ACTIVE]
    if idle and not request.back:
        return ErrorReply(f"{idle[0].name} is not active here, but {idle[0].role.value}", _where(idle[0]))
    return None


def _nothing_to_do(found: Iterable[InstanceStatus], *, back: bool) -> ErrorReply:
    if back:
        return ErrorReply("no instance has yielded here", "`lvsctl vrrp` shows them")
    first = next(iter(found), None)
    return ErrorReply("no instance is active here", _where(first) if first is not None else "none is configured")


def _where(status: InstanceStatus) -> str:
    if status.fault:
        return status.fault
    if status.active_router:
        return f"the active router is {status.active_router}: ask there"
    return "no active router is known"


def outcome(config: VrrpInstance, before: InstanceStatus, found: InstanceStatus, *, back: bool) -> str | None:
    """What came of the hand-over (or of the return, with `back`); None: not yet to be said."""
    if back:
        if found.role is Role.ACTIVE:
            return RETURNED
        returns = config.preempt and found.priority > found.active_priority
        return RELEASED if not found.yielded and not returns else None
    if found.transitions == before.transitions:
        return None
    if found.role is Role.ACTIVE:
        return TAKEN_BACK
    return HANDED_OVER if found.active_router and found.active_priority > 0 else None


def at_the_end(*, back: bool) -> str:
    """What is said of an instance when the time is up."""
    return NOT_RETURNED if back else NOBODY
