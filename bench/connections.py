"""Long-lived connections through direct routing while the balancer that forwards them is stopped: who keeps them.

200 connections of a client are open through the virtual address, each says a word now and then. lb1 is stopped in good
order, with connection sync between the pair; then every connection is asked for its word again.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.daemons import process
from tests.lab.daemons.balancers import Keepalived
from tests.lab.pair import PAIR, VIP
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

CONNECTIONS: Final = 200
EXCHANGES: Final = 6  # a connection is told to the other after its third packet (net.ipv4.vs.sync_threshold)
SYNCED_SECONDS: Final = 6.0  # the kernel tells of a connection up to 2 s late
ANSWER_SECONDS: Final = 15.0  # TCP asks again after 0.2, 0.6, 1.4, 3, 6.2 and 12.6 s
RUNS: Final = 3
PRIORITIES: Final = {"lb1": 150, "lb2": 100}

LVSD: Final = """
vrrp:
  lb0: {{interface: eth0, virtual_router_id: 51, priority: {priority}, version: 2, addresses: [{vip}/24]}}
ipvs: {{sync: {{interface: eth0, id: 7}}}}
services:
  echo: {{virtual: "{vip}:80", check: {{interval: 1s}}, real_servers: [192.0.2.11, 192.0.2.12]}}
"""
KEEPALIVED: Final = """
global_defs {{
    lvs_sync_daemon eth0 lb0 id 7
}}
vrrp_instance lb0 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    virtual_ipaddress {{
        {vip}/24
    }}
}}
virtual_server {vip} 80 {{
    delay_loop 1
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 192.0.2.11 80 {{
        TCP_CHECK {{
            connect_timeout 2
        }}
    }}
    real_server 192.0.2.12 80 {{
        TCP_CHECK {{
            connect_timeout 2
        }}
    }}
}}
"""


def echo(connection: socket.socket, ended: threading.Event) -> None:
    """Says back what it hears, as long as it hears something."""
    connection.settimeout(None)
    while not ended.is_set() and (heard := connection.recv(100)):
        connection.sendall(heard)


def opened(client: LiveHost) -> list[socket.socket]:
    """The connections, each used enough to be known to the other balancer."""
    found = []
    for _ in range(CONNECTIONS):
        connection = client.call(lambda: socket.create_connection((VIP, 80), 5))
        connection.settimeout(ANSWER_SECONDS)
        found.append(connection)
    for _ in range(EXCHANGES):
        if lost(found):
            raise SystemExit("a connection was lost before anything happened")
    return found


def lost(connections: list[socket.socket]) -> int:
    """How many do not say back what they are told."""
    missing = 0
    for connection in connections:
        try:
            connection.sendall(b"word")
        except OSError:
            missing += 1
    for connection in connections:
        try:
            missing += connection.recv(100) != b"word"
        except OSError:
            missing += 1
    return missing


@contextlib.contextmanager
def farm_of(world: World) -> Iterator[None]:
    """Both real servers echo."""
    with contextlib.ExitStack() as stack:
        for name in ("rs1", "rs2"):
            stack.enter_context(farm.Server(world[name], 80, echo))
        yield


def holds(host: LiveHost) -> bool:
    """Whether the virtual address is there."""
    return f"{VIP}/" in host.run(["ip", "-brief", "address", "show", "dev", "eth0"]).stdout


def theirs(world: World) -> int:
    """Connections lost by a pair of keepalived."""
    for name in PRIORITIES:
        world[name].start(Keepalived(KEEPALIVED.format(priority=PRIORITIES[name], vip=VIP)))
    with farm_of(world):
        found = _measure(world, lambda: process.stop(world["lb1"], "keepalived"))
    world["lb2"].stop(Keepalived(""))
    return found


def ours(world: World) -> int:
    """Connections lost by a pair of lvsd."""
    with farm_of(world):
        pair = {
            name: Balancer(world[name], LVSD.format(priority=rank, vip=VIP)).start()
            for name, rank in PRIORITIES.items()
        }
        found = _measure(world, pair["lb1"].stop)
        pair["lb2"].stop()
    return found


def _measure(world: World, stop_lb1: Callable[[], object]) -> int:
    wait_until(lambda: holds(world["lb1"]), 30, "lb1 has the address")
    wait_until(lambda: world["lb1"].run(["ipvsadm", "-Ln"]).stdout.count("Route") == 2, 30, "both serve")
    connections = opened(world["client"])
    time.sleep(SYNCED_SECONDS)
    stop_lb1()
    wait_until(lambda: holds(world["lb2"]), 30, "lb2 has the address")
    found = lost(connections)
    for connection in connections:
        connection.close()
    return found


def main() -> None:
    """Print a line for each program."""
    print(f"of {CONNECTIONS} connections lost in a graceful stop", flush=True)
    for name, happens in (("keepalived", theirs), ("lvsd", ours)):
        counts = []
        for _ in range(RUNS):
            with World(PAIR) as world:
                counts.append(happens(world))
        print(f"{name:11} {' '.join(map(str, counts))}", flush=True)


if __name__ == "__main__":
    main()
