"""Floors, suspicions and people's words through the whole service, on a real kernel, with a client."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR, VIP
from tests.lab.prober import Prober, http
from tests.lab.waiting import wait_until
from tests.lab.world import CHECKOUT, World

RS1, RS2 = "192.0.2.11", "192.0.2.12"
PORTS = (81, 82, 83)
OVERRIDES = "/var/lib/lvsd/overrides.json"

FLOOR = f"""
defaults: {{check: {{interval: 1s, timeout: 1s, fall: 1}}}}
services:
  web:
    virtual: {VIP}:80
    scheduler: rr
    floor: 1
    check: {{type: http, path: /ldirectord.txt, receive: ldirectord}}
    real_servers: [{RS1}, {RS2}]
"""
SUSPICIOUS = f"""
defaults: {{check: {{interval: 1s, timeout: 5s, fall: 1, down_interval: 10m}}, forwarding: masquerade}}
services:
  three:
    virtual: {VIP}:80
    correlated_failure: {{hold: 7}}
    real_servers: [{", ".join(f'"{RS1}:{port}"' for port in PORTS)}]
  other:
    virtual: {VIP}:84
    real_servers: [{RS2}:84]
"""
GROUPS = f"""
defaults: {{check: {{interval: 1s, timeout: 1s, fall: 1}}}}
services:
  web:
    virtual: {VIP}:80
    scheduler: wrr
    check: {{type: http, path: /ldirectord.txt, receive: ldirectord}}
    real_servers: [{RS1}, {{address: {RS2}, group: 2}}]
"""
SPARES = f"""
defaults: {{check: {{interval: 1s, timeout: 1s, fall: 1}}, forwarding: masquerade}}
services:
  web:
    virtual: {VIP}:80
    scheduler: rr
    real_servers: [{RS1}:85]
    fallback:
      - {{address: {RS2}, port: 82, check: {{type: tcp, interval: 1s, timeout: 1s, fall: 1}}}}
      - {{address: {RS2}, port: 83, check: {{type: tcp, interval: 1s, timeout: 1s, fall: 1}}}}
      - 127.0.0.1:84
"""


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world(PAIR)
    world["lb1"].run(["ip", "address", "add", f"{VIP}/32", "dev", "eth0"])
    return world


@pytest.fixture
def servers(world: World) -> Iterator[dict[str, farm.Server]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(farm.Server(world[name], 80, farm.good)) for name in ("rs1", "rs2")}


def lvsctl(balancer: Balancer, *words: str) -> subprocess.CompletedProcess[str]:
    return balancer.host.run([f"{CHECKOUT}/.venv/bin/lvsctl", *words], check=False)


def shows(balancer: Balancer, words: str) -> None:
    """`lvsctl status` does, if not of a probe that the checker was held up in."""
    wait_until(lambda: words in lvsctl(balancer, "status").stdout, 10, words)


def served(balancer: Balancer) -> dict[int, int]:
    """Port -> weight in the kernel of the destinations of port 80."""
    (entry,) = (entry for key, entry in balancer.table().items() if key.port == 80)
    return {key.port: one.weight for key, one in entry.destinations.items()}


def test_the_last_real_server_stays_when_its_check_is_wrong(world: World, servers: dict[str, farm.Server]) -> None:
    balancer = Balancer(world["lb1"], FLOOR).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    servers["rs1"].manner = farm.wordless
    balancer.until("one leaves", {RS2: 1})
    with Prober(world["client"], http(VIP, word=b"HTTP/1.0 200 OK")) as prober:
        wait_until(lambda: len(prober.polls) > 10, 10, "polls")
        servers["rs2"].manner = farm.wordless
        wait_until(lambda: balancer.status().services[0].floor_broken == "keep" or None, 10, "the floor is broken")
        assert balancer.weights() == {RS2: 1}
        shows(balancer, "kept by floor; http no_match")
        balancer.kill("director")
        wait_until(balancer._up, 20, "the director is back")
        wait_until(lambda: balancer.status().services[0].floor_broken == "keep" or None, 10, "the floor is broken")
        assert balancer.weights() == {RS2: 1}
        servers["rs1"].manner = farm.good
        balancer.until("the one that is well, alone", {RS1: 1})
    assert prober.at_least_seconds() < 1.0, balancer.log()


def test_all_at_once_is_suspected_and_confirmed(world: World) -> None:
    """However rarely who is down is probed. At once: within an interval and a timeout, which nobody waits out."""
    with farm.Server(world["rs2"], 84, farm.good), ExitStack() as three:
        for port in PORTS:
            three.enter_context(farm.Server(world["rs1"], port, farm.good))
        balancer = Balancer(world["lb1"], SUSPICIOUS).start()
        wait_until(lambda: served(balancer) == dict.fromkeys(PORTS, 1) or None, 15, "all serve")
        three.close()
        wait_until(lambda: "failure_suspected" in balancer.log() or None, 10, balancer.log())
        wait_until(lambda: served(balancer) == dict.fromkeys(PORTS, 1) or None, 6, "they are called back")
        wait_until(lambda: "failure_confirmed" in balancer.log() or None, 30, balancer.log())
        wait_until(lambda: served(balancer) == {} or None, 15, "they are gone")


@pytest.mark.usefixtures("servers")
def test_a_persons_word_outlives_the_service_and_ends_in_time(world: World) -> None:
    balancer = Balancer(world["lb1"], FLOOR).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    done = lvsctl(balancer, "drain", RS1, "--reason", "new kernel")
    assert done.returncode == 0, done.stderr
    assert "new kernel" in done.stdout
    balancer.until("drained, as nothing was left of it", {RS2: 1})
    refused = lvsctl(balancer, "disable", RS2)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "0 of 1 real servers that are up would be left, its floor is 1" in refused.stderr
    balancer.kill("director")
    wait_until(balancer._up, 20, "the director is back")
    balancer.stop()
    assert json.loads(balancer.host.read(OVERRIDES))["overrides"][0]["reason"] == "new kernel"
    balancer.host.run(["ipvsadm", "-a", "-t", f"{VIP}:80", "-r", RS1, "-w", "5"])
    balancer.start()
    balancer.until("out again, at once", {RS2: 1})
    assert "drained to the end" in lvsctl(balancer, "status").stdout
    assert lvsctl(balancer, "weight", RS2, "7", "--for", "6s").returncode == 0
    # told when the kernel has taken it: on a machine that stands still the six seconds may be over when one looks
    wait_until(lambda: f"set {RS2}:80 weight 7 in tcp {VIP}:80" in balancer.log(), 15, "another weight")
    balancer.until("for six seconds", {RS2: 1})
    assert lvsctl(balancer, "enable", RS1).returncode == 0
    balancer.until("all is as configured", {RS1: 1, RS2: 1})


@pytest.mark.usefixtures("servers")
def test_draining_waits_for_the_last_connection(world: World) -> None:
    balancer = Balancer(world["lb1"], FLOOR.replace("rr", "wrr")).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    assert lvsctl(balancer, "disable", RS2).returncode == 0
    balancer.until("one serves", {RS1: 1})
    client = world["client"].call(lambda: socket.create_connection((VIP, 80), 5))
    assert lvsctl(balancer, "enable", RS2).returncode == 0
    balancer.until("both serve", {RS1: 1, RS2: 1})
    waited = lvsctl(balancer, "drain", RS1, "--wait", "2s")
    assert waited.returncode == 1, waited.stdout
    assert "connections are left" in waited.stderr
    client.close()


def test_who_comes_back_waits_for_a_person_and_starts_slowly(world: World, servers: dict[str, farm.Server]) -> None:
    rules = "floor: 1\n    weight: 100\n    slow_start: 10s\n    resume: manual"
    balancer = Balancer(
        world["lb1"], FLOOR.replace("scheduler: rr", "scheduler: wrr").replace("floor: 1", rules)
    ).start()
    balancer.until("both serve, at once", {RS1: 100, RS2: 100})
    servers["rs1"].manner = farm.wordless
    balancer.until("one leaves", {RS2: 100})
    servers["rs1"].manner = farm.good
    wait_until(lambda: "as `resume: manual` says" in lvsctl(balancer, "explain", RS1).stdout or None, 10, "it is told")
    balancer.kill("director")
    wait_until(balancer._up, 20, "the director is back")
    wait_until(lambda: balancer.results().get(f"web {RS1}:80") == "ok" or None, 10, "it is well")
    assert balancer.weights() == {RS2: 100}
    assert lvsctl(balancer, "enable", RS1).returncode == 0
    wait_until(lambda: 0 < balancer.weights().get(RS1, 0) < 100, 10, "a part")
    balancer.until("all of it", {RS1: 100, RS2: 100}, seconds=30)
    happened = lvsctl(balancer, "events", RS1, "--json").stdout.splitlines()
    assert "real_server_up" in [json.loads(line)["event"] for line in happened]


def test_the_next_group_serves_while_the_first_does_not(world: World, servers: dict[str, farm.Server]) -> None:
    balancer = Balancer(world["lb1"], GROUPS).start()
    balancer.until("the first group", {RS1: 1, RS2: 0})
    assert balancer.standings() == {f"web {RS1}:80": "serving", f"web {RS2}:80": "standby"}
    with Prober(world["client"], http(VIP)) as prober:
        wait_until(lambda: len(prober.polls) > 10, 10, "polls")
        servers["rs1"].manner = farm.wordless
        balancer.until("the second group", {RS2: 1})
        balancer.kill("director")
        wait_until(balancer._up, 20, "the director is back")
        assert balancer.weights() == {RS2: 1}
        servers["rs1"].manner = farm.good
        balancer.until("the first again, and the second stands by", {RS1: 1, RS2: 0})
    assert prober.at_least_seconds() < 5.0, balancer.log()  # a check's interval, and time to think
    assert "priority_group_called service=web priority_group=2 up=0 needed=1" in balancer.log()


def test_spares_stand_in_their_order(world: World) -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(farm.Server(world["rs2"], 82, farm.good))
    second.enter_context(farm.Server(world["rs2"], 83, farm.good))
    with first, second, ExitStack() as real:
        balancer = Balancer(world["lb1"], SPARES).start()
        wait_until(lambda: served(balancer) == {82: 1} or None, 15, "the first spare, as no real server is well")
        first.close()
        wait_until(lambda: served(balancer) == {83: 1} or None, 10, "the second")
        assert "fallback_server_down" in balancer.log()
        second.close()
        wait_until(lambda: served(balancer) == {84: 1} or None, 10, "one that is not checked")
        second.enter_context(farm.Server(world["rs2"], 83, farm.good))
        wait_until(lambda: served(balancer) == {83: 1} or None, 10, "the second again")
        real.enter_context(farm.Server(world["rs1"], 85, farm.good))
        wait_until(lambda: served(balancer) == {85: 1} or None, 10, "the real server")


def slowly(connection: socket.socket, ended: threading.Event) -> None:
    """As `farm.good`, a fifth of a second later."""
    ended.wait(0.2)
    farm.good(connection, ended)


def lowered(weights: dict[str, int]) -> bool:
    return weights.get(RS1) == 100 and 25 <= weights.get(RS2, 100) <= 70


def test_who_answers_slowly_gets_less_and_all_again_when_it_is_fast(
    world: World, servers: dict[str, farm.Server]
) -> None:
    rules = "floor: 1\n    weight: 100\n    latency_weights: true"
    servers["rs2"].manner = slowly
    text = FLOOR.replace("scheduler: rr", "scheduler: wrr").replace("floor: 1", rules)
    balancer = Balancer(world["lb1"], text).start()
    wait_until(lambda: lowered(balancer.weights()), 150, "a part, when what was slow at the start is forgotten")
    shows(balancer, "% of its weight; http ok")
    servers["rs2"].manner = farm.good
    balancer.until("more, as it gets faster", {RS1: 100, RS2: 100}, seconds=240)
