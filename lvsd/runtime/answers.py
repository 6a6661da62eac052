"""The replies to what lvsctl asks."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable

import msgspec

from config.model import VirtualService
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
    ServiceRow,
    SourcesReply,
    SourcesRequest,
    StatusReply,
    StatusRequest,
    VrrpRequest,
)
from lvsd.control.portrait import Portrait, ServicePortrait
from lvsd.core import book_views, views
from lvsd.core.datagrams import datagrams
from lvsd.core.identity import service_key
from lvsd.core.portrait import Machine, portrait, services_seen
from lvsd.core.slices import SLICE_REAL_SERVERS
from lvsd.core.state import Director
from lvsd.runtime.book_desk import Found
from lvsd.runtime.configuration import Reloader
from lvsd.runtime.director_runtime import Runtime
from lvsd.runtime.failovers import fail_over
from lvsd.runtime.override_answers import overrides
from lvsd.runtime.peering import addresses, ask_all, node_name, sysctls
from netlink.errors import NetlinkError

SLICE_SERVICES = 20  # read from the kernel and looked at in one go
PEER_HINT = "`daemon: {peer: {secret: {file: peer.secret}}}` in lvsd.yaml here, the same and `listen:` on the other one"


class Answers:
    """Answers from what the director believes, and has it reload."""

    def __init__(self, runtime: Runtime, reloader: Reloader) -> None:
        """Ask these two."""
        self._runtime = runtime
        self._reloader = reloader

    async def answer(self, request: Request, uid: int) -> Reply:
        """The reply to a request of lvsctl, run by the user of that id."""
        match request:
            case StatusRequest():
                return await self._status(request)
            case VrrpRequest() | SourcesRequest():
                return self._known(request)
            case ReloadRequest():
                return await self._reloader.reload()
            case PlanRequest(files):
                return await self._reloader.plan(files)
            case FailoverRequest():
                return await fail_over(self._runtime, request)
            case OverrideRequest() | OverridesRequest():
                return await overrides(self._runtime, request, uid)
            case EventsRequest(after, real):
                return self._runtime.history.since(after, real)
            case PortraitsRequest(peers):
                return await self._portraits(peers)

    def _known(self, request: VrrpRequest | SourcesRequest) -> Reply:
        if isinstance(request, VrrpRequest):
            return views.vrrp(self._runtime.belief, time.monotonic())
        files, state_dir = self._reloader.sources
        return SourcesReply(os.getpid(), files, state_dir)

    async def _portraits(self, peers: tuple[tuple[str, int], ...]) -> Reply:
        peering = self._runtime.belief.config.daemon.peer
        if peers and peering is None:
            return ErrorReply("no secret is known to ask a peer with", PEER_HINT)
        return PortraitsReply(
            await self.portrait(), await ask_all(peering, peers), datagrams(self._runtime.belief.config)
        )

    async def portrait(self) -> Portrait:
        """What this balancer is like, as it shows itself to its peers: each service with its table of one moment."""
        config = self._runtime.belief.config
        seen: dict[str, ServicePortrait] = {}
        for start in range(0, len(config.services), SLICE_SERVICES):
            services = config.services[start : start + SLICE_SERVICES]
            seen |= services_seen(self._runtime.belief, services, self._look(services))
            if len(seen) < len(config.services):
                await asyncio.sleep(0)
                if self._runtime.belief.config is not config:  # taken over meanwhile
                    return await self.portrait()
        interfaces = tuple(dict.fromkeys(config.interface for config in config.vrrp))
        machine = Machine(
            node_name(), time.time(), time.monotonic(), sysctls=sysctls(interfaces), addresses=addresses()
        )
        return portrait(self._runtime.belief, machine, seen)

    def _look(self, services: Iterable[VirtualService]) -> Machine:
        """At these in the kernel."""
        try:
            table, connections = self._runtime.table_with_connections(service_key(one.virtual) for one in services)
        except NetlinkError:
            table, connections = self._runtime.belief.kernel.table, {}  # that it cannot be read is among the troubles
        return Machine(node_name(), table=table, connections=connections)

    async def _status(self, request: StatusRequest) -> Reply:
        service, services = request.service, self._runtime.belief.config.services
        if service and not any(views.names(virtual, service) for virtual in services):
            known = ", ".join(virtual.name for virtual in services[:20])
            return ErrorReply(f"no virtual service {service!r}", f"there are: {known}")
        found = Found()
        if request.books:
            found = await self._runtime.books(await self._parcels(request))
        return await self._status_with(request, found, time.monotonic())

    async def _parcels(self, request: StatusRequest) -> book_views.Parcels:
        belief = self._runtime.belief
        probes: book_views.Probes = {}
        async for virtual in _with_pauses(views.chosen(belief, request.service)):
            book_views.add_probes(probes, belief, virtual, request.real)
        return book_views.parcels(probes)

    async def _status_with(self, request: StatusRequest, found: Found, now: float) -> StatusReply:
        """Of one belief, whatever happens in the pauses between its services."""
        belief, notify = self._runtime.belief, self._runtime.notify_row(now)
        chosen = _with_pauses(views.chosen(belief, request.service))
        rows = [self._row(virtual, belief, request, found, now) async for virtual in chosen]
        shown = tuple(one for one in rows if one.real_servers) if request.real else tuple(rows)
        reply = views.status_of(belief, shown, now)
        if request.books:
            reply = book_views.with_lateness(reply, found.lateness)
        return reply if notify is None else msgspec.structs.replace(reply, processes=(*reply.processes, notify))

    def _row(
        self, virtual: VirtualService, belief: Director, request: StatusRequest, found: Found, now: float
    ) -> ServiceRow:
        row = views.service_row(virtual, belief, now)
        if request.books:
            row = book_views.shelved(belief, virtual, row, found.books)
        return book_views.only(row, request.real) if request.real else row


async def _with_pauses(services: Iterable[VirtualService]) -> AsyncIterator[VirtualService]:
    """Services one after the other; after each slice of them others have their turn."""
    size = 0
    for virtual in services:
        yield virtual
        size += 1 + len(virtual.real_servers)
        if size >= SLICE_REAL_SERVERS:
            size = 0
            await asyncio.sleep(0)
