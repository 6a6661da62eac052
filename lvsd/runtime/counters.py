"""The kernel's counters of those services that want them, read with pauses: of draining ones each second, of those with
passive results twice a window. Where counters leave a doubt whether clients are answered, the connection table is read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from config.model import RealServer, VirtualEndpoint, VirtualService
from config.words import Forwarding
from lvsd.core import draining, passive, unanswered
from lvsd.core.events import ClientsSeen, ConnectionsCounted, Event
from lvsd.core.identity import real_id, service_key
from lvsd.core.passive import Finding, Sample, Seen
from lvsd.core.pool_state import Connections
from lvsd.core.state import Director
from netlink.errors import NetlinkError
from netlink.proc_ip_vs_conn import Waiting, waiting
from netlink.table import DestinationKey, DestinationStatus, ServiceKey, ServiceStatus

SLICE_SERVICES = 20
TABLE = Path("/proc/net/ip_vs_conn")
TABLE_LIMIT_BYTES = 64 << 20  # half a million connections; what stands behind them is not looked at
CHUNK_BYTES = 1 << 18


class Reader(Protocol):
    """A table whose counters can be read."""

    def read_status(self, key: ServiceKey | None = None) -> tuple[ServiceStatus, ...]:
        """One service with its counters, none if it is missing."""


class Counters:
    """Reads, and feeds the director what it finds."""

    def __init__(
        self,
        reader: Reader,
        belief: Callable[[], Director],
        feed: Callable[[Event], None],
        read_waiting: Callable[[], Waiting] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`reader` may be the director's own: nothing is left open on it between two services."""
        self._reader = reader
        self._belief = belief
        self._feed = feed
        self._read_waiting = read_waiting or _read_waiting
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._samples: dict[str, tuple[Sample, ...]] = {}
        self._looked_at: dict[ServiceKey, float] = {}

    def tick(self) -> None:
        """Once a second. A reading that still goes on is not begun again."""
        if self._task is not None and not self._task.done():
            return
        now = self._clock()
        watched = {service_key(one.virtual): one for one in unanswered.watched(self._belief())}
        self._looked_at = {key: at for key, at in self._looked_at.items() if key in watched}
        due = {key: one for key, one in watched.items() if self._is_due(key, one, now)}
        keys = tuple(dict.fromkeys((*draining.watched(self._belief()), *due)))
        if keys:
            self._task = asyncio.get_running_loop().create_task(self._read(keys, due))
        if not watched:
            self._samples.clear()

    def _is_due(self, key: ServiceKey, virtual: VirtualService, now: float) -> bool:
        rule = virtual.rules.passive
        return rule is not None and now - self._looked_at.get(key, 0.0) >= rule.window / 2

    def close(self) -> None:
        """End the reading that goes on."""
        if self._task is not None:
            self._task.cancel()

    async def _read(self, keys: tuple[ServiceKey, ...], due: dict[ServiceKey, VirtualService]) -> None:
        seen: dict[ServiceKey, dict[str, Seen]] = {}
        for start in range(0, len(keys), SLICE_SERVICES):
            try:
                found = self._statuses(keys[start : start + SLICE_SERVICES])
            except NetlinkError:
                return  # that the table cannot be read is told by whoever looks at it each second
            now = self._clock()
            if draining.watched(self._belief()):
                self._feed(ConnectionsCounted({one.service.key: _connections(one) for one in found}))
            for one in found:
                if one.service.key in due:
                    self._looked_at[one.service.key] = now
                    seen[one.service.key] = self._sampled(due[one.service.key], one, now)
            await asyncio.sleep(0)
        if any(one.finding is Finding.DOUBTFUL for found in seen.values() for one in found.values()):
            seen = await self._confirmed(seen, due)
        self._tell(seen)

    def _statuses(self, keys: Iterable[ServiceKey]) -> list[ServiceStatus]:
        return [status for key in keys for status in self._reader.read_status(key)]

    def _sampled(self, virtual: VirtualService, status: ServiceStatus, now: float) -> dict[str, Seen]:
        """What the counters tell of those real servers of the service that are in the table."""
        assert virtual.rules.passive is not None  # noqa: S101  it is watched
        held = {one.destination.key: one for one in status.destinations}
        found: dict[str, Seen] = {}
        for real in virtual.real_servers:
            name, one = real_id(virtual, real), held.get(DestinationKey(real.address, real.port))
            if one is None:
                self._samples.pop(name, None)
                continue
            self._samples[name] = samples = passive.kept(self._samples.get(name, ()), _sample(one, now))
            masquerade = real.forwarding is Forwarding.MASQUERADE
            found[name] = passive.seen(virtual.rules.passive, samples, masquerade=masquerade, ipv6=_is_ipv6(virtual))
        return found

    async def _confirmed(
        self, seen: dict[ServiceKey, dict[str, Seen]], due: dict[ServiceKey, VirtualService]
    ) -> dict[ServiceKey, dict[str, Seen]]:
        """With the doubts settled by the connection table; where it cannot be read nothing is concluded."""
        try:
            table = await asyncio.to_thread(self._read_waiting)
        except (OSError, NetlinkError):
            table = {}
        return {key: dict(_settled(due[key], found, table)) for key, found in seen.items()}

    def _tell(self, seen: dict[ServiceKey, dict[str, Seen]]) -> None:
        """What is news, or may end a suspicion."""
        belief = self._belief()
        news = {
            key: found
            for key, found in seen.items()
            if unanswered.is_open(belief, key) or any(one.finding is Finding.UNANSWERED for one in found.values())
        }
        if news:
            self._feed(ClientsSeen(news))


def _settled(virtual: VirtualService, found: dict[str, Seen], table: Waiting) -> Iterator[tuple[str, Seen]]:
    for real in virtual.real_servers:
        name = real_id(virtual, real)
        if name in found:
            one = found[name]
            doubtful = one.finding is Finding.DOUBTFUL
            yield name, passive.confirmed(one, _waiting_for(virtual, real, one.seconds, table)) if doubtful else one


def _waiting_for(virtual: VirtualService, real: RealServer, seconds: float, table: Waiting) -> int:
    """So many whose last packet is of the last window: others may have been given up while all was bad.

    Or of the last `seconds`, in which those they are compared with were made: after a stall that is more.
    """
    window = max(seconds, virtual.rules.passive.window if virtual.rules.passive is not None else 0.0)
    endpoint = virtual.virtual
    wanted = (endpoint.address, endpoint.port) if isinstance(endpoint, VirtualEndpoint) else None
    return sum(
        number
        for (address, port, destination, destination_port, left), number in table.items()
        if left >= passive.SYN_RECV_SECONDS - window - 1.0
        and destination == real.address
        and real.port in (0, destination_port)
        and (wanted is None or (address == wanted[0] and wanted[1] in (0, port)))
    )


def _is_ipv6(virtual: VirtualService) -> bool:
    endpoint = virtual.virtual
    return ":" in endpoint.address if isinstance(endpoint, VirtualEndpoint) else endpoint.ipv6


def _sample(status: DestinationStatus, now: float) -> Sample:
    stats = status.stats
    return Sample(now, stats.connections, stats.packets_in, stats.packets_out, stats.bytes_in)


def _connections(status: ServiceStatus) -> dict[DestinationKey, Connections]:
    return {one.destination.key: Connections(one.active, one.inactive, one.persistent) for one in status.destinations}


def _read_waiting() -> Waiting:
    return waiting(_chunks())


def _chunks() -> Iterator[bytes]:
    with suppress(FileNotFoundError), TABLE.open("rb", buffering=0) as file:
        read = 0
        while read < TABLE_LIMIT_BYTES and (chunk := file.read(CHUNK_BYTES)):
            read += len(chunk)
            yield chunk
