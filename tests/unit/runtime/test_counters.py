"""Counters are read only while somebody drains, a few services at a time, and what cannot be read ends nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from config.model import VirtualService
from lvsd.core.events import ConnectionsCounted, Event
from lvsd.core.identity import real_id, service_key
from lvsd.core.pool_state import Connections, Override, OverrideKind
from lvsd.core.state import Director
from lvsd.runtime import counters
from lvsd.runtime.counters import Counters
from netlink.errors import NetlinkError
from netlink.table import Destination, DestinationKey, DestinationStatus, Service, ServiceKey, ServiceStatus
from tests.unit.core.world import config, real, virtual

A = "1.1.1.17"
SERVICES = tuple(virtual(real(A), port=port, name=str(port)) for port in range(80, 80 + counters.SLICE_SERVICES + 5))


class Kernel:
    def __init__(self) -> None:
        self.asked: list[ServiceKey] = []
        self.broken = False

    def read_status(self, key: ServiceKey | None = None) -> tuple[ServiceStatus, ...]:
        assert key is not None
        if self.broken:
            raise NetlinkError("no IPVS")
        self.asked.append(key)
        found = DestinationStatus(Destination(DestinationKey(A, 80), 3, 0), active=1, inactive=2, persistent=3)
        return (ServiceStatus(Service(key, "wrr"), (found,)),)


def draining(*services: VirtualService) -> Director:
    names = {real_id(one, one.real_servers[0]): Override(OverrideKind.DRAIN) for one in services}
    return Director(config=config(*SERVICES), overrides=names)


def read(belief: Director, kernel: Kernel, ticks: int = 1) -> list[Event]:
    heard: list[Event] = []

    async def run() -> None:
        watch = Counters(kernel, lambda: belief, heard.append)
        for _ in range(ticks):
            watch.tick()
        for _ in range(10):
            await asyncio.sleep(0)
        watch.close()

    asyncio.run(run())
    return heard


def test_nothing_is_read_while_nobody_drains() -> None:
    kernel = Kernel()
    weighed = replace(
        draining(), overrides={real_id(SERVICES[0], SERVICES[0].real_servers[0]): Override(OverrideKind.WEIGHT)}
    )
    assert read(weighed, kernel) == []
    assert kernel.asked == []


def test_only_services_that_drain_are_read() -> None:
    kernel = Kernel()
    key = service_key(SERVICES[3].virtual)
    assert read(draining(SERVICES[3]), kernel) == [
        ConnectionsCounted({key: {DestinationKey(A, 80): Connections(1, 2, 3)}})
    ]
    assert kernel.asked == [key]


def test_many_are_read_in_slices_and_not_twice_at_once() -> None:
    kernel = Kernel()
    heard = read(draining(*SERVICES), kernel, ticks=3)
    assert [len(one.counts) for one in heard if isinstance(one, ConnectionsCounted)] == [counters.SLICE_SERVICES, 5]
    assert len(kernel.asked) == len(SERVICES)


def test_a_table_that_cannot_be_read_is_no_count() -> None:
    kernel = Kernel()
    kernel.broken = True
    assert read(draining(*SERVICES), kernel) == []
