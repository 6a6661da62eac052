"""What becomes of clients whose real server is quiesced (weight 0), with the source-hash schedulers sh and mh.

Facts of a real kernel that the documentation states and the reconciler relies on; not tests of lvsd's own code.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from netlink.ipvs_socket import IpvsSocket
from netlink.operations import AddDestination, AddService, DeleteDestination, DeleteService, SetDestination
from netlink.table import Destination, DestinationKey, Family, Service, ServiceKey
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.world import LiveHost, World

pytestmark = pytest.mark.lab
VIP = "192.0.2.100"
PORT = 80
CLIENTS = tuple(f"192.0.2.{last}" for last in range(128, 192))
REAL_SERVERS = {"rs1": "192.0.2.11", "rs2": "192.0.2.12", "rs3": "192.0.2.13"}
KEY = ServiceKey(Family.INET, 6, VIP, PORT)
FALLBACK = 0x8  # sh-fallback, mh-fallback: the first scheduler flag
REFUSED = "refused"
SECONDS = 30.0  # nobody stays silent here: a bound for a machine that stands still meanwhile
EVEN = {"rs1": 1, "rs2": 1, "rs3": 1}
UNEVEN = {"rs1": 2, "rs2": 3, "rs3": 1}
LIGHT = {"rs1": 2, "rs2": 1, "rs3": 3}  # the one that goes has weight 1
SOURCE_PORTS = itertools.count(10_000)
DIRECT_ROUTING = (("net.ipv4.conf.all.arp_ignore", "1"), ("net.ipv4.conf.all.arp_announce", "2"))


def host(name: str, *addresses: str, real: bool = False) -> Host:
    attachment = Attachment("public", addresses)
    if not real:
        return Host(name, (attachment,))
    return Host(name, (attachment,), loopback=(f"{VIP}/32",), sysctls=DIRECT_ROUTING)


TOPOLOGY = Topology(
    "hash",
    (Network("public", "192.0.2.0/24"),),
    (
        host("client", *(f"{address}/24" for address in CLIENTS)),
        host("lb1", "192.0.2.1/24", f"{VIP}/32"),
        *(host(name, f"{address}/24", real=True) for name, address in REAL_SERVERS.items()),
    ),
)


def serve(listener: socket.socket, name: str) -> None:
    """Tell everybody who connects the real server's name, until the listener is closed."""
    with contextlib.suppress(OSError):
        while True:
            line, _ = listener.accept()
            with line:
                line.sendall(name.encode())


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(TOPOLOGY) as built, ExitStack() as stack:
        for name in REAL_SERVERS:
            listener = built[name].call(lambda: socket.create_server((VIP, PORT), backlog=128))
            stack.callback(listener.close)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            threading.Thread(target=serve, args=(listener, name), daemon=True).start()
        yield built


@pytest.fixture
def balancer(world: World) -> Iterator[IpvsSocket]:
    with world["lb1"].call(IpvsSocket) as table:
        yield table
        table.apply([DeleteService(KEY)])


def to(name: str, weight: int = 1) -> Destination:
    return Destination(DestinationKey(REAL_SERVERS[name], PORT), 3, weight)


def hashed(balancer: IpvsSocket, scheduler: str, flags: int, weights: Mapping[str, int]) -> None:
    """The service anew, its real servers added in the order of `weights`."""
    balancer.apply([DeleteService(KEY)])
    added = [AddDestination(KEY, to(name, weight)) for name, weight in weights.items()]
    assert balancer.apply([AddService(Service(KEY, scheduler, flags)), *added]) == ()


def whom_they_reach(client: LiveHost) -> dict[str, str]:
    """Each client address with the real server that answered it."""
    return client.call(lambda: {address: ask(address) for address in CLIENTS})


def ask(address: str) -> str:
    """Never twice from one port: a connection that the kernel remembers is not scheduled anew."""
    try:
        with socket.create_connection(
            (VIP, PORT), timeout=SECONDS, source_address=(address, next(SOURCE_PORTS))
        ) as line:
            return line.recv(16).decode()
    except ConnectionRefusedError:
        return REFUSED


def moved(before: Mapping[str, str], after: Mapping[str, str]) -> set[tuple[str, str]]:
    """From where to where clients moved."""
    return {(before[client], after[client]) for client in before if before[client] != after[client]}


def clients_of(name: str, reached: Mapping[str, str]) -> int:
    return sum(found == name for found in reached.values())


@pytest.mark.parametrize(("scheduler", "weights"), [("sh", EVEN), ("sh", LIGHT), ("mh", EVEN), ("mh", UNEVEN)], ids=str)
def test_without_fallback_its_clients_are_refused(
    world: World, balancer: IpvsSocket, scheduler: str, weights: Mapping[str, int]
) -> None:
    """Not passed on to another: weight 0 is an outage for every client that hashes to the real server."""
    hashed(balancer, scheduler, 0, weights)
    before = whom_they_reach(world["client"])
    assert set(before.values()) == set(REAL_SERVERS)
    balancer.apply([SetDestination(KEY, to("rs2", 0))])
    assert moved(before, whom_they_reach(world["client"])) == {("rs2", REFUSED)}
    balancer.apply([SetDestination(KEY, to("rs2", weights["rs2"]))])
    assert whom_they_reach(world["client"]) == before


def test_sh_fallback_sends_them_all_to_one_other(world: World, balancer: IpvsSocket) -> None:
    hashed(balancer, "sh", FALLBACK, EVEN)
    before = whom_they_reach(world["client"])
    balancer.apply([SetDestination(KEY, to("rs2", 0))])
    after = whom_they_reach(world["client"])
    assert len(moved(before, after)) == 1  # all of them from rs2, and all to one
    assert {origin for origin, _ in moved(before, after)} == {"rs2"}
    assert REFUSED not in after.values()
    balancer.apply([SetDestination(KEY, to("rs2"))])
    assert whom_they_reach(world["client"]) == before


@pytest.mark.parametrize("weights", [EVEN, UNEVEN], ids=str)
def test_mh_fallback_spreads_them(world: World, balancer: IpvsSocket, weights: Mapping[str, int]) -> None:
    hashed(balancer, "mh", FALLBACK, weights)
    before = whom_they_reach(world["client"])
    balancer.apply([SetDestination(KEY, to("rs2", 0))])
    after = whom_they_reach(world["client"])
    assert moved(before, after) == {("rs2", "rs1"), ("rs2", "rs3")}
    balancer.apply([SetDestination(KEY, to("rs2", weights["rs2"]))])
    assert whom_they_reach(world["client"]) == before


@pytest.mark.parametrize("flags", [0, FALLBACK])
def test_sh_with_a_weight_above_one_moves_others_too(world: World, balancer: IpvsSocket, flags: int) -> None:
    """sh deals its buckets out by weight, and weight 0 counts as 1: from 3 to 0 the buckets are dealt anew."""
    hashed(balancer, "sh", flags, UNEVEN)
    before = whom_they_reach(world["client"])
    balancer.apply([SetDestination(KEY, to("rs2", 0))])
    origins = {origin for origin, _ in moved(before, whom_they_reach(world["client"]))}
    assert origins > {"rs2"}
    balancer.apply([SetDestination(KEY, to("rs2", UNEVEN["rs2"]))])
    assert whom_they_reach(world["client"]) == before


def test_sh_deletion_moves_others_and_a_return_does_not_bring_them_back(world: World, balancer: IpvsSocket) -> None:
    hashed(balancer, "sh", FALLBACK, EVEN)
    before = whom_they_reach(world["client"])
    balancer.apply([DeleteDestination(KEY, to("rs2").key)])
    origins = {origin for origin, _ in moved(before, whom_they_reach(world["client"]))}
    assert origins == {"rs1", "rs2", "rs3"}
    balancer.apply([AddDestination(KEY, to("rs2"))])
    assert whom_they_reach(world["client"]) != before  # it is the first of the kernel's list now


def test_mh_deletion_moves_its_own_and_a_return_brings_them_back(world: World, balancer: IpvsSocket) -> None:
    hashed(balancer, "mh", 0, EVEN)
    before = whom_they_reach(world["client"])
    balancer.apply([DeleteDestination(KEY, to("rs2").key)])
    after = whom_they_reach(world["client"])
    assert {origin for origin, _ in moved(before, after)} == {"rs2"}
    assert clients_of("rs2", after) == 0
    balancer.apply([AddDestination(KEY, to("rs2"))])
    assert whom_they_reach(world["client"]) == before


@pytest.mark.parametrize(("scheduler", "same"), [("sh", False), ("mh", True)])
def test_the_order_of_adding_matters_to_sh_only(world: World, balancer: IpvsSocket, scheduler: str, same: bool) -> None:
    """So two balancers hash alike under sh only if they add real servers in one order."""
    hashed(balancer, scheduler, 0, EVEN)
    before = whom_they_reach(world["client"])
    hashed(balancer, scheduler, 0, dict(reversed(EVEN.items())))
    assert (whom_they_reach(world["client"]) == before) is same
