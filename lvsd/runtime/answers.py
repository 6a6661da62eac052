"""The replies to what lvsctl asks."""

from __future__ import annotations

import time

from lvsd.control.messages import (
    ErrorReply,
    EventsRequest,
    FailoverRequest,
    OverrideRequest,
    OverridesRequest,
    PlanRequest,
    PortraitsReply,
    PortraitsRequest,
    ReloadRequest,
    Reply,
    Request,
    StatusRequest,
    VrrpRequest,
)
from lvsd.control.portrait import Portrait
from lvsd.core import views
from lvsd.core.portrait import portrait
from lvsd.runtime.configuration import Reloader
from lvsd.runtime.director_runtime import Runtime
from lvsd.runtime.failovers import fail_over
from lvsd.runtime.override_answers import overrides
from lvsd.runtime.peering import ask_all, node_name, sysctls
from netlink.errors import NetlinkError


class Answers:
    """Answers from what the director believes, and has it reload."""

    def __init__(self, runtime: Runtime, reloader: Reloader) -> None:
        """Ask these two."""
        self._runtime = runtime
        self._reloader = reloader

    async def answer(self, request: Request, uid: int) -> Reply:
        """The reply to a request of lvsctl, run by the user of that id."""
        now = time.monotonic()
        match request:
            case StatusRequest(service):
                return self._status(service, now)
            case VrrpRequest():
                return views.vrrp(self._runtime.belief, now)
            case ReloadRequest():
                return await self._reloader.reload()
            case PlanRequest(files):
                return await self._reloader.plan(files)
            case FailoverRequest():
                return await fail_over(self._runtime, request)
            case OverrideRequest() | OverridesRequest():
                return overrides(self._runtime, request, uid)
            case EventsRequest(after, real):
                return self._runtime.history.since(after, real)
            case PortraitsRequest():
                peering = self._runtime.belief.config.daemon.peer
                return PortraitsReply(self.portrait(), await ask_all(peering))

    def portrait(self) -> Portrait:
        """What this balancer is like, as it shows itself to its peers."""
        try:
            connections = self._runtime.connections()
        except NetlinkError:
            connections = {}  # that the table cannot be read is among the troubles
        return portrait(self._runtime.belief, node_name(), sysctls(), connections)

    def _status(self, service: str, now: float) -> Reply:
        reply = views.status(self._runtime.belief, now, service)
        if service and not reply.services:
            known = ", ".join(virtual.name for virtual in self._runtime.belief.config.services[:20])
            return ErrorReply(f"no virtual service {service!r}", f"there are: {known}")
        return reply
