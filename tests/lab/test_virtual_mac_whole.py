"""The whole service with a virtual MAC on both balancers, probed without a pause through all that happens."""

from __future__ import annotations

import re
from contextlib import ExitStack

from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR, VIP
from tests.lab.prober import PATIENT_SECONDS, Prober, http
from tests.lab.waiting import wait_until
from tests.lab.world import CHECKOUT, World

MAC = "00:00:5e:00:01:33"
HAND_OVERS = 3
"""Each may meet one probe on its way, whose connection the other balancer does not know."""

LVSCTL = f"{CHECKOUT}/.venv/bin/lvsctl"
CONFIG = """
vrrp:
  lb0:
    interface: eth0
    virtual_router_id: 51
    priority: {priority}
    advertisement_interval: 1s
    virtual_mac: true
    addresses: [192.0.2.100/24]
defaults: {{check: {{interval: 1s, timeout: 1s, fall: 2}}}}
services:
  web:
    virtual: 192.0.2.100:80
    scheduler: rr
    check: {{type: http, path: /ldirectord.txt, receive: ldirectord}}
    real_servers: [192.0.2.11, 192.0.2.12]
"""


def role_of(balancer: Balancer) -> str:
    return balancer.vrrp().instances[0].role


def stands_by(balancer: Balancer) -> None:
    """Until it knows of the other, which then takes over at once."""
    wait_until(lambda: balancer.vrrp().instances[0].standbys != (), 10, "the other stands by")


def client_believes(world: World) -> str:
    found = re.search(r"lladdr (\S+)", world["client"].run(["ip", "neigh", "show", VIP]).stdout)
    return found[1] if found else ""


def test_nobody_notices_deaths_and_hand_overs(make_world: MakeWorld) -> None:
    world = make_world(PAIR)
    with ExitStack() as stack:
        for name in ("rs1", "rs2"):
            stack.enter_context(farm.Server(world[name], 80, farm.good))
        lb1 = Balancer(world["lb1"], CONFIG.format(priority=200)).start()
        lb2 = Balancer(world["lb2"], CONFIG.format(priority=100)).start()
        wait_until(lambda: role_of(lb1) == "active" and role_of(lb2) == "backup", 15, "roles")
        assert f"lb0: addresses on vrrp.51 with the MAC {MAC}" in lb1.host.run([LVSCTL, "vrrp"]).stdout
        with Prober(world["client"], http(VIP, seconds=PATIENT_SECONDS)) as prober:
            wait_until(lambda: len(prober.polls) > 20, 10, "polls")
            for name in ("vrrp", "director", "checker"):
                lb1.kill(name)
                wait_until(lb1._up, 20, f"{name} is back")
            wait_until(lambda: lb1.vrrp().instances[0].cause == "resumed", 10, "resumed")
            assert client_believes(world) == MAC
            took_over = lb2.vrrp().instances[0].transitions - 1  # none, but where the machine is too slow to be back
            assert prober.failures() <= took_over, lb1.log() + lb2.log()
            stands_by(lb1)
            lb1.host.run([LVSCTL, "failover"])
            wait_until(lambda: role_of(lb2) == "active", 10, "lb2 serves")
            assert client_believes(world) == MAC
            lb1.host.run([LVSCTL, "failover", "--back"])
            wait_until(lambda: role_of(lb1) == "active", 10, "lb1 serves again")
            stands_by(lb1)
            assert lb1.stop() == 0
            wait_until(lambda: role_of(lb2) == "active", 10, "lb2 serves alone")
            polls = len(prober.polls)
            wait_until(lambda: len(prober.polls) > polls + 50, 20, "more polls")
        assert client_believes(world) == MAC
        assert prober.failures() <= HAND_OVERS + took_over, lb1.log() + lb2.log()
        assert "vrrp.51" not in world["lb1"].run(["ip", "-o", "link"]).stdout
        assert lb2.stop() == 0
        assert "vrrp.51" not in world["lb2"].run(["ip", "-o", "link"]).stdout
