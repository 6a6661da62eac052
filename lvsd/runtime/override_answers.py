"""The replies to a person's word on real servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from lvsd.control.messages import ErrorReply, OverrideRequest, OverrideRow, OverridesReply, OverridesRequest, Reply
from lvsd.core import override_views
from lvsd.core.events import OverridesSet
from lvsd.core.overrides import Asked, Refused, decided
from lvsd.core.pool_state import OverrideKind
from lvsd.runtime.director_runtime import Runtime
from netlink.errors import NetlinkError

SLICE_SERVICES = 20  # read from the kernel and written down in one go
_SAID = (OverrideKind.DRAIN, OverrideKind.DISABLE, OverrideKind.WEIGHT)
_KINDS = {"enable": None, **{one.value: one for one in _SAID}}


async def overrides(runtime: Runtime, request: OverrideRequest | OverridesRequest, uid: int) -> Reply:
    """Have it done or tell why not; all of them."""
    match request:
        case OverrideRequest():
            return await _override(runtime, request, uid)
        case OverridesRequest():
            return await _shown(runtime, runtime.belief.overrides)


async def _override(runtime: Runtime, request: OverrideRequest, uid: int) -> Reply:
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
    return await _shown(runtime, changes)


async def _shown(runtime: Runtime, names: Collection[str]) -> OverridesReply:
    """Of one belief, with pauses between the services' counters."""
    belief, now = runtime.belief, time.monotonic()
    rows: list[OverrideRow] = []
    is_readable = True
    for number, virtual in enumerate(override_views.concerned(belief, names), 1):
        counted: override_views.Counted = {}
        if is_readable:
            try:
                counted = runtime.destination_connections(virtual)
            except NetlinkError:
                is_readable = False  # the status tells of it; nobody waits for it a thousand times
        rows += override_views.rows(belief, virtual, names, counted, now)
        if number % SLICE_SERVICES == 0:
            await asyncio.sleep(0)
    return OverridesReply(tuple(rows))
