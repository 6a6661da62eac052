"""The replies to a person's word on real servers."""

from __future__ import annotations

import time

from lvsd.control.messages import ErrorReply, OverrideRequest, OverridesReply, OverridesRequest, Reply
from lvsd.core import override_views
from lvsd.core.events import OverridesSet
from lvsd.core.overrides import Asked, Refused, decided
from lvsd.core.pool_state import OverrideKind
from lvsd.runtime.director_runtime import Runtime
from netlink.errors import NetlinkError

_SAID = (OverrideKind.DRAIN, OverrideKind.DISABLE, OverrideKind.WEIGHT)
_KINDS = {"enable": None, **{one.value: one for one in _SAID}}


def overrides(runtime: Runtime, request: OverrideRequest | OverridesRequest, uid: int) -> Reply:
    """Have it done or tell why not; all of them."""
    match request:
        case OverrideRequest():
            return _override(runtime, request, uid)
        case OverridesRequest():
            return _shown(runtime, None)


def _override(runtime: Runtime, request: OverrideRequest, uid: int) -> Reply:
    if request.action not in _KINDS:
        return ErrorReply(f"no action {request.action!r}", f"there are: {', '.join(_KINDS)}")
    asked = Asked(
        real=request.real,
        kind=_KINDS[request.action],
        uid=uid,
        weight=request.weight,
        service=request.service,
        seconds=request.seconds,
        reason=request.reason,
        force=request.force,
        deadline=request.deadline,
    )
    changes = decided(runtime.belief, asked, time.monotonic())
    if isinstance(changes, Refused):
        return ErrorReply(changes.message, changes.hint)
    runtime.feed(OverridesSet(changes))
    return _shown(runtime, frozenset(changes))


def _shown(runtime: Runtime, names: frozenset[str] | None) -> OverridesReply:
    try:
        counted = runtime.destination_connections(runtime.belief.overrides if names is None else names)
    except NetlinkError:
        counted = {}  # that the table cannot be read is told by the status
    return override_views.overrides(runtime.belief, counted, time.monotonic(), names)
