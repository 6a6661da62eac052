"""What becomes of clients whose real server is quiesced (weight 0), with the source-hash schedulers sh and mh.

Facts of a real kernel that the documentation states and the reconciler relies on; not tests of lvsd's own code.
"""

from __future__ import annotations

import contextlib
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
SECONDS = 3.0
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

    def ask_all() -> dict[str, str]:
        return {address: ask(address) for address in CLIENTS}

    return client.call(ask_all)


def ask(address: str) -> str:
    try:
        with socket.create_connection((VIP, PORT), timeout=SECONDS, source_address=(address, 0)) as line:
            return line.recv(16).decode()
    except ConnectionRefusedError:
        return REFUSED


def moved(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {client: (before[client], after[client]) for client in before if before[client] != after[client]}


EVEN = {"rs1": 1, "rs2": 1, "rs3": 1}


def test_explore(world, balancer):
    for sched in ("sh", "mh"):
        for flags in (0, 8):
            for weights in (EVEN, {"rs1": 2, "rs2": 3, "rs3": 1}):
                hashed(balancer, sched, flags, weights)
                a = whom_they_reach(world["client"])
                balancer.apply([SetDestination(KEY, to("rs2", 0))])
                b = whom_they_reach(world["client"])
                balancer.apply([SetDestination(KEY, to("rs2", weights["rs2"]))])
                c = whom_they_reach(world["client"])
                balancer.apply([DeleteDestination(KEY, to("rs2").key)])
                d = whom_they_reach(world["client"])
                balancer.apply([AddDestination(KEY, to("rs2", weights["rs2"]))])
                e = whom_they_reach(world["client"])
                hashed(balancer, sched, flags, dict(reversed(weights.items())))
                f = whom_they_reach(world["client"])
                from collections import Counter

                print("\n", sched, flags, weights, Counter(a.values()))
                for n, x in (("zero", b), ("back", c), ("deleted", d), ("re-added", e), ("other order", f)):
                    m = moved(a, x)
                    print("  ", n, Counter(x.values()), "moved", Counter(m.values()))
