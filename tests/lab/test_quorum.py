"""Quorums, several checks and asked weights through the whole service, on a real kernel, with a client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR, VIP
from tests.lab.prober import Prober, http
from tests.lab.waiting import wait_until
from tests.lab.world import World

RS1, RS2, SPARE = "192.0.2.11", "192.0.2.12", "192.0.2.2"
HEARD = "/var/log/hooks"
HOOK = f"[/bin/sh, -c, 'echo $LVSD_EVENT $LVSD_REAL_SERVER $LVSD_REASON >> {HEARD}']"
OUTAGE_SECONDS = 1.0
WEIGHTS = "/etc/lvsd/weights"
TELL_WEIGHT = f"""#!/bin/sh
exit $(($(cat {WEIGHTS}/$LVSD_REAL_ADDRESS) + 2))
"""


def config(services: str) -> str:
    return f"defaults: {{check: {{interval: 1s, timeout: 1s, fall: 1}}}}\nservices:\n{services}"


QUORUM = f"""
  web:
    virtual: {VIP}:80
    scheduler: rr
    on_failure: quiesce
    quorum: 2
    check: {{type: http, path: /ldirectord.txt, receive: ldirectord}}
    on_up: {HOOK}
    on_down: {HOOK}
    on_quorum_up: {HOOK}
    on_quorum_down: {HOOK}
    real_servers: [{RS1}, {RS2}]
    fallback: {SPARE}
"""
SEVERAL = f"""
  web:
    virtual: {VIP}:80
    scheduler: wrr
    checks: [{{type: http, path: /ldirectord.txt, receive: ldirectord}}, {{type: tcp, port: 81}}]
    real_servers: [{{address: {RS1}, on_failure: quiesce}}, {RS2}]
"""
ASKED = f"""
  web:
    virtual: {VIP}:80
    scheduler: wrr
    check: {{type: external, command: [/etc/lvsd/tell-weight], dynamic_weight: true}}
    real_servers: [{RS1}, {RS2}]
"""


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world(PAIR)
    world["lb1"].run(["ip", "address", "add", f"{VIP}/32", "dev", "eth0"])
    world["lb2"].run(["sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"])
    world["lb2"].run(["ip", "address", "add", f"{VIP}/32", "dev", "lo"])
    return world


@pytest.fixture
def servers(world: World) -> Iterator[dict[str, farm.Server]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(farm.Server(world[name], 80, manner))
            for name, manner in (("rs1", farm.good), ("rs2", farm.good), ("lb2", farm.wordless))
        }


def heard(balancer: Balancer) -> list[str]:
    return balancer.host.run(["cat", HEARD], check=False).stdout.splitlines()


def test_the_fallback_serves_alone_while_the_quorum_is_lost(world: World, servers: dict[str, farm.Server]) -> None:
    balancer = Balancer(world["lb1"], config(QUORUM)).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    wait_until(lambda: heard(balancer) == ["quorum_up"] or None, 10, f"the command: {heard(balancer)}")
    with Prober(world["client"], http(VIP, word=b"HTTP/1.0 200 OK")) as prober:
        wait_until(lambda: len(prober.polls) > 10, 10, "polls")
        servers["rs2"].manner = farm.wordless
        balancer.until("the fallback alone", {RS1: 0, RS2: 0, SPARE: 1})
        asked = servers["lb2"].connections
        wait_until(lambda: servers["lb2"].connections > asked + 10, 10, "clients reach the fallback")
        lost = ["quorum_up", f"real_server_down {RS2}:80 no_match", "quorum_down"]
        wait_until(lambda: heard(balancer) == lost, 10, "the commands of the loss")
        service = balancer.status().services[0]
        assert (service.quorum_state, service.weight_up) == ("lost", 1)
        assert balancer.standings()[f"web {RS1}:80"] == "quiesced"
        balancer.kill("director")
        wait_until(balancer._up, 20, "the director is back")
        wait_until(lambda: balancer.results() and "" not in list(balancer.results().values())[:2], 20, "verdicts")
        assert balancer.weights() == {RS1: 0, RS2: 0, SPARE: 1}
        servers["rs2"].manner = farm.good
        balancer.until("both serve again", {RS1: 1, RS2: 1})
        back = [*lost, f"real_server_up {RS2}:80 ok", "quorum_up"]
        wait_until(lambda: len(heard(balancer)) >= len(back), 10, "the commands of the gain")
        assert heard(balancer) == back
    # a connection that was open when the fallback left the table may be lost, no more
    assert prober.at_least_seconds() < OUTAGE_SECONDS, balancer.log()


@pytest.mark.usefixtures("servers")
def test_a_real_server_serves_when_all_its_checks_pass(world: World) -> None:
    balancer = Balancer(world["lb1"], config(SEVERAL)).start()
    wait_until(lambda: set(balancer.standings().values()) == {"out", "quiesced"}, 20, "port 81 is closed")
    assert balancer.weights() == {RS1: 0}
    wait_until(lambda: set(balancer.results().values()) == {"refused"}, 10, "why")
    with farm.Server(world["rs1"], 81, farm.good), farm.Server(world["rs2"], 81, farm.good):
        balancer.until("both serve", {RS1: 1, RS2: 1})
        assert [one.check for one in balancer.status().services[0].real_servers[0].checks] == ["http", "tcp"]
    balancer.until("port 81 is closed again", {RS1: 0})


@pytest.mark.usefixtures("servers")
def test_real_servers_get_the_weight_they_ask_for(world: World) -> None:
    lb1 = world["lb1"]
    lb1.run(["mkdir", "-p", WEIGHTS])
    lb1.write("/etc/lvsd/tell-weight", TELL_WEIGHT, 0o755)
    for address, weight in ((RS1, 7), (RS2, -2)):
        lb1.write(f"{WEIGHTS}/{address}", f"{weight}\n")
    balancer = Balancer(lb1, config(ASKED)).start()
    balancer.until("status 0 is the configured one", {RS1: 7, RS2: 1})
    lb1.write(f"{WEIGHTS}/{RS1}", "3\n")
    balancer.until("another", {RS1: 3, RS2: 1})
    assert [one.weight_asked for one in balancer.status().services[0].real_servers] == [3, None]
    lb1.write(f"{WEIGHTS}/{RS1}", "0\n")
    balancer.until("none, and it stays", {RS1: 0, RS2: 1})
    lb1.write(f"{WEIGHTS}/{RS1}", "-1\n")
    balancer.until("status 1 is down", {RS2: 1})
