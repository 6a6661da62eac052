"""The replies to what lvsctl asks."""

from __future__ import annotations

import time

import msgspec

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
    StatusReply,
    StatusRequest,
    VrrpRequest,
)
from lvsd.control.portrait import Portrait
from lvsd.core import book_views, views
from lvsd.core.datagrams import datagrams
from lvsd.core.portrait import Machine, portrait
from lvsd.runtime.book_desk import Found
from lvsd.runtime.configuration import Reloader
from lvsd.runtime.director_runtime import Runtime
from lvsd.runtime.failovers import fail_over
from lvsd.runtime.override_answers import overrides
from lvsd.runtime.peering import addresses, ask_all, node_name, sysctls
from netlink.errors import NetlinkError

PEER_HINT = "`daemon: {peer: {secret: {file: peer.secret}}}` in lvsd.yaml here, the same and `listen:` on the other one"


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
            case StatusRequest():
                return await self._status(request)
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
            case PortraitsRequest(peers):
                return await self._portraits(peers)

    async def _portraits(self, peers: tuple[tuple[str, int], ...]) -> Reply:
        peering = self._runtime.belief.config.daemon.peer
        if peers and peering is None:
            return ErrorReply("no secret is known to ask a peer with", PEER_HINT)
        return PortraitsReply(self.portrait(), await ask_all(peering, peers), datagrams(self._runtime.belief.config))

    def portrait(self) -> Portrait:
        """What this balancer is like, as it shows itself to its peers."""
        belief = self._runtime.belief
        try:
            table, connections = self._runtime.table_with_connections()
        except NetlinkError:
            table, connections = belief.kernel.table, {}  # that it cannot be read is among the troubles
        interfaces = tuple(dict.fromkeys(config.interface for config in belief.config.vrrp))
        machine = Machine(
            node_name(), time.time(), time.monotonic(), table, connections, sysctls(interfaces), addresses()
        )
        return portrait(belief, machine)

    async def _status(self, request: StatusRequest) -> Reply:
        service, services = request.service, self._runtime.belief.config.services
        if service and not any(views.names(virtual, service) for virtual in services):
            known = ", ".join(virtual.name for virtual in services[:20])
            return ErrorReply(f"no virtual service {service!r}", f"there are: {known}")
        found = Found()
        if request.books:
            names = frozenset(one.name for one in services if not service or views.names(one, service))
            found = await self._runtime.books(book_views.asked_for(self._runtime.belief, names, request.real))
        return self._status_with(request, found, time.monotonic())

    def _status_with(self, request: StatusRequest, found: Found, now: float) -> StatusReply:
        belief = self._runtime.belief
        reply = views.status(belief, now, request.service)
        if request.books:
            reply = book_views.with_books(belief, reply, found.books, found.lateness)
        notify = self._runtime.notify_row(now)
        if notify is not None:
            reply = msgspec.structs.replace(reply, processes=(*reply.processes, notify))
        return book_views.of_real(reply, request.real) if request.real else reply
