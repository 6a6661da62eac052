"""Counters are read only where somebody wants them, a few services at a time; what cannot be read ends nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from msgspec.structs import replace as replace_service

from config.model import VirtualService
from config.pool_rules import Passive, PoolRules
from lvsd.core.events import ClientsSeen, ConnectionsCounted, Event
from lvsd.core.identity import real_id, service_key
from lvsd.core.passive import Finding, Seen
from lvsd.core.pool_state import Connections, Override, OverrideKind
from lvsd.core.state import Director
from lvsd.runtime import counters
from lvsd.runtime.counters import Counters
from netlink.errors import NetlinkError
from netlink.table import Destination, DestinationKey, DestinationStatus, Service, ServiceKey, ServiceStatus, Stats
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


PASSIVE = replace_service(virtual(real(A), real("1.1.1.18")), rules=PoolRules(passive=Passive(10, 5.0)))


class Traffic:
    """A kernel that counts clients of both real servers; those of `dead` wait for an answer."""

    def __init__(self, dead: str = "") -> None:
        self.dead = dead
        self.reads = 0
        self.tables = 0
        self.left = 58

    def read_status(self, key: ServiceKey | None = None) -> tuple[ServiceStatus, ...]:
        assert key is not None
        self.reads += 1
        return (ServiceStatus(Service(key, "wrr"), (self._one(A), self._one("1.1.1.18"))),)

    def _one(self, address: str) -> DestinationStatus:
        made = 10 * self.reads
        packets = 2 * made if address == self.dead else 5 * made
        stats = Stats(made, packets, 0, packets * (60 if address == self.dead else 100))
        return DestinationStatus(Destination(DestinationKey(address, 80), 3, 1), stats=stats)

    def waiting(self) -> dict[tuple[str, int, str, int, int], int]:
        self.tables += 1
        return {
            ("1.1.1.12", 80, self.dead, 80, self.left): 10 * self.reads,
            ("1.1.1.12", 81, self.dead, 80, 59): 1000,
            ("1.1.1.12", 80, "1.1.1.18", 80, 53): 1000,
        }


def watched(kernel: Traffic, looks: int, pace: float = 2.5) -> list[Event]:
    heard: list[Event] = []
    clock = [100.0]

    async def run() -> None:
        watch = Counters(
            kernel, lambda: Director(config=config(PASSIVE)), heard.append, kernel.waiting, lambda: clock[0]
        )
        for _ in range(looks):
            watch.tick()
            assert watch._task is not None
            await watch._task
            watch.tick()  # not due yet
            clock[0] += pace
        watch.close()

    asyncio.run(run())
    return heard


def test_clients_that_wait_are_found_and_told() -> None:
    kernel = Traffic(dead=A)
    heard = watched(kernel, 4)
    names = [real_id(PASSIVE, one) for one in PASSIVE.real_servers]
    found = {names[0]: Seen(Finding.UNANSWERED, 20), names[1]: Seen(Finding.ANSWERED, 20)}
    assert heard == [ClientsSeen({service_key(PASSIVE.virtual): found})] * 2
    assert (kernel.reads, kernel.tables) == (4, 2)


def test_connections_that_were_given_up_before_are_no_sign() -> None:
    kernel = Traffic(dead=A)
    kernel.left = 53
    assert watched(kernel, 4) == []


def test_after_a_stall_those_wait_that_were_made_since_the_look_before_it() -> None:
    kernel = Traffic(dead=A)
    kernel.left = 52
    [heard] = watched(kernel, 2, pace=9.0)
    assert isinstance(heard, ClientsSeen)
    assert heard.found[service_key(PASSIVE.virtual)][real_id(PASSIVE, PASSIVE.real_servers[0])].finding is (
        Finding.UNANSWERED
    )


def test_where_all_are_answered_nothing_is_told_and_no_connection_is_read() -> None:
    kernel = Traffic()
    assert watched(kernel, 4) == []
    assert kernel.tables == 0
