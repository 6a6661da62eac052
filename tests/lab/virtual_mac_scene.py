"""What tests of the virtual MAC start from: two balancers, a client and a real server."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from config.model import VirtualAddress, VrrpInstance
from lvsd.vrrp.messages import Role
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.vrrp_scene import PYTHON, Balancer, addresses_of, becomes
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

VIP4, VIP6 = "1.1.1.112", "2001:db8:1::112"
CALM_SECONDS = 1.0  # where a role must not change: a machine may stand still for two of these
MAC4, MAC6 = "00:00:5e:00:01:33", "00:00:5e:00:02:33"
PARENT = ("arp_ignore", "arp_announce")


TOPOLOGY = Topology(
    "virtual-mac",
    (Network("public", "1.1.1.0/24"),),
    tuple(
        Host(
            name,
            (Attachment("public", (f"1.1.1.{last}/24", f"2001:db8:1::{last}/64")),),
            loopback=(f"{VIP4}/32", f"{VIP6}/128") if name.startswith("rs") else (),
            sysctls=(("net.ipv4.conf.all.arp_ignore", "1"), ("net.ipv4.conf.all.arp_announce", "2"))
            if name.startswith("rs")
            else (),
        )
        for name, last in (("client", 50), ("lb1", 13), ("lb2", 14), ("rs1", 15))
    ),
)


KEEPALIVED = """\
vrrp_instance four {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.2
    use_vmac vrrp4
    virtual_ipaddress {{
        1.1.1.112/24
    }}
}}
vrrp_instance six {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.2
    use_vmac vrrp6
    virtual_ipaddress {{
        2001:db8:1::112/64
    }}
}}
"""


SERVER = """
import socket, threading
def serve(listener):
    while True:
        listener.accept()[0].close()
for family in (socket.AF_INET, socket.AF_INET6):
    listener = socket.create_server(("", 80), family=family, backlog=64)
    threading.Thread(target=serve, args=(listener,)).start()
"""


def instances(priority: int, interval: float = 0.2) -> tuple[VrrpInstance, VrrpInstance]:
    def instance(name: str, address: str, prefix_length: int) -> VrrpInstance:
        return VrrpInstance(
            name=name,
            interface="eth0",
            virtual_router_id=51,
            priority=priority,
            version=3,
            addresses=(VirtualAddress(address, prefix_length, "eth0"),),
            advertisement_interval=interval,
            virtual_mac=f"vrrp{name[0]}",
        )

    return instance("four", VIP4, 24), instance("six", VIP6, 64)


class Scene:
    """Two balancers, a client and a real server."""

    def __init__(self, world: World, stack: ExitStack) -> None:
        self.world, self.stack = world, stack
        self.client = world["client"]

    def balancer(self, name: str, priority: int, interval: float = 0.2) -> Balancer:
        made = Balancer(self.world[name], *instances(priority, interval))
        self.stack.callback(made.director.close)
        made.start()
        return made

    def pair(self, interval: float = 0.2) -> tuple[Balancer, Balancer]:
        lb1, lb2 = self.balancer("lb1", 200, interval), self.balancer("lb2", 100, interval)
        serves(lb1)
        stands_by(lb2)
        return lb1, lb2

    def neighbours(self) -> dict[str, str]:
        """What the client believes, of the addresses that it reached just now."""
        for address in (VIP4, VIP6):
            self.client.run(["ping", "-c1", "-w10", "-n", address])  # asks each second until it is answered
        shown = self.client.run(["ip", "neigh", "show", "dev", "eth0"]).stdout
        return dict(re.findall(r"^(\S+) lladdr (\S+)", shown, re.MULTILINE))

    def sees_virtual(self) -> None:
        neighbours = self.neighbours()
        assert (neighbours[VIP4], neighbours[VIP6]) == (MAC4, MAC6)


def serves(balancer: Balancer) -> None:
    for name in ("four", "six"):
        balancer.wait(Role.ACTIVE, name=name)


def stands_by(balancer: Balancer) -> None:
    for name in ("four", "six"):
        balancer.wait(Role.BACKUP, name=name)


def serve_tcp(host: LiveHost) -> subprocess.Popen[str]:
    """Port 80 of both families, listening."""
    server = host.popen([PYTHON, "-c", SERVER])
    becomes(lambda: host.run(["ss", "-ltn"]).stdout.count(":80 ") == 2, "the server listens in both families")
    return server


def holds(host: LiveHost) -> bool:
    return {VIP4, VIP6} <= addresses_of(host)


def settings(host: LiveHost, interface: str) -> list[str]:
    return [host.read(f"/proc/sys/net/ipv4/conf/{interface}/{key}").strip() for key in PARENT]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with World(TOPOLOGY) as world, ExitStack() as stack:
        for host in world:
            wait_until(lambda: "tentative" not in host.run(["ip", "addr"]).stdout, 10, "addresses")  # noqa: B023
        yield Scene(world, stack)
