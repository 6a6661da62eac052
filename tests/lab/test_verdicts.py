"""What is believed before and beside the verdict of a probe, through lvsd as it runs: presumed, needed, followed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import pytest

from tests.lab.balancer import Balancer
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.waiting import wait_until
from tests.lab.world import CHECKOUT, World

NETWORK = "lan"
A, B, C = "192.0.2.11", "192.0.2.12", "192.0.2.13"
LAN = Topology(
    "verdicts",
    (Network(NETWORK, "192.0.2.0/24"),),
    tuple(
        Host(name, (Attachment(NETWORK, (f"{address}/24",)),))
        for name, address in (("lb1", "192.0.2.1"), ("a", A), ("b", B), ("c", C))
    ),
)
ACCEPT = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[1])), backlog=512)
while True:
    listener.accept()[0].close()
"""
TIMING = "interval: 500ms, timeout: 400ms, rise: 3, fall: 3"
WAIT_SECONDS = 20.0


def config(*reals: str, more: str = "") -> str:
    return f"""
defaults: {{check: {{{TIMING}}}}}
services:
  web:
    virtual: 192.0.2.100:80
    real_servers: [{", ".join(reals)}]
  tls:
    virtual: 192.0.2.100:443
    check: {{type: follow, service: web}}
    real_servers: [{A}, {B}]
{more}"""


@pytest.fixture
def world() -> Iterator[World]:
    with World(LAN) as running:
        for name in ("a", "b"):
            accept(running, name, 80)
        yield running


def accept(world: World, name: str, port: int) -> None:
    world[name].popen([sys.executable, "-c", ACCEPT, str(port)], log=f"/var/log/accept{port}.log")


def die(world: World, name: str, port: int = 80) -> None:
    world[name].run(["pkill", "-f", f"listener.* {port}$"])


def lvsctl(world: World, *words: str) -> str:
    return world["lb1"].run([f"{CHECKOUT}/.venv/bin/lvsctl", *words]).stdout


def test_a_follower_leaves_in_the_same_step(world: World) -> None:
    balancer = Balancer(world["lb1"], config(A, B)).start()
    balancer.until("both serve", {A: 1, B: 1})
    balancer.until("both followers", {A: 1, B: 1}, port=443)
    die(world, "a")
    balancer.until("one is left", {B: 1})
    assert balancer.weights(443) == {B: 1}  # not a moment later
    explained = lvsctl(world, "explain", A)
    assert "Check follow (web): down" in explained
    wait_until(lambda: "it found refused" in lvsctl(world, "explain", A), WAIT_SECONDS, "why")
    assert balancer.stop() == 0


def test_who_joins_is_presumed_and_a_restart_presumes_nothing(world: World) -> None:
    balancer = Balancer(world["lb1"], config(A, B)).start()
    balancer.until("both serve", {A: 1, B: 1})
    up = f"{{address: {C}, initial: up}}"
    balancer.configure(config(A, B, up))
    reply = balancer.reload()
    assert reply.accepted
    # nobody listens there, and it serves until that is known: a second or more, which is over when one looks too late
    assert reply.operations == (f"add {C}:80 weight 1 to tcp 192.0.2.100:80",)
    balancer.until("it was not so", {A: 1, B: 1})
    assert balancer.stop() == 0
    balancer.start()
    assert balancer.weights() == {A: 1, B: 1}
    balancer.configure(config(A, B, f"{{address: {C}, port: 80, initial: up}}", more="# the same again\n"))
    assert balancer.reload().accepted
    assert balancer.weights() == {A: 1, B: 1}
    assert balancer.stop() == 0


def test_who_is_presumed_down_needs_all_its_successes(world: World) -> None:
    accept(world, "c", 80)
    balancer = Balancer(world["lb1"], config(A, B)).start()
    balancer.until("both serve", {A: 1, B: 1})
    balancer.configure(config(A, B, f"{{address: {C}, initial: down}}"))
    assert balancer.reload().accepted
    balancer.until("it was found up", {A: 1, B: 1, C: 1})
    probes = next(real for real in balancer.status().services[0].real_servers if real.real_server.startswith(C)).probes
    assert probes >= 3
    assert balancer.stop() == 0


def test_two_of_three_checks_are_enough(world: World) -> None:
    accept(world, "a", 81)
    checks = f"{{address: {A}, checks: [{{}}, {{port: 81}}, {{port: 82}}], checks_needed: 2}}"
    balancer = Balancer(world["lb1"], config(checks, B)).start()
    balancer.until("two are up", {A: 1, B: 1})
    shown = "2 of 3 checks up, 2 needed; tcp ok"
    wait_until(lambda: shown in lvsctl(world, "status"), WAIT_SECONDS, shown)
    die(world, "a", 81)
    balancer.until("one is left", {B: 1})
    assert "1 of its 3 checks are up, 2 are needed." in lvsctl(world, "explain", A)
    assert balancer.stop() == 0


def test_who_is_down_is_probed_in_its_own_rhythm_and_books_tell(world: World) -> None:
    slow = f"{{address: {C}, check: {{interval: 200ms, timeout: 200ms, down_interval: 3s}}}}"
    balancer = Balancer(world["lb1"], config(A, B, slow)).start()
    balancer.until("two serve", {A: 1, B: 1})

    def probes() -> dict[str, int]:
        return {one.real_server: one.probes for one in balancer.status().services[0].real_servers}

    began, first = time.monotonic(), probes()
    wait_until(lambda: probes()[f"{A}:80"] >= first[f"{A}:80"] + 12, WAIT_SECONDS, "six seconds of the others")
    wait_until(lambda: probes()[f"{C}:80"] > first[f"{C}:80"], WAIT_SECONDS, "one of who is down")
    more = {name: count - first[name] for name, count in probes().items()}
    slots = (time.monotonic() - began) / 3 + 1
    assert more[f"{C}:80"] <= slots + 1, (more, slots)  # and one of before that was not told yet; by its interval: 30
    reply = json.loads(lvsctl(world, "status", "--json"))
    well, _, ill = reply["services"][0]["real_servers"]
    assert well["books"]["phases"]["whole"]["count"] >= 12
    assert well["books"]["phases"]["whole"]["p99"] <= well["books"]["phases"]["whole"]["longest"] < 5
    assert ill["books"]["reasons"].keys() == {"refused"}
    assert ill["interval"] == 3.0
    assert all(one["late"]["count"] > 12 for one in reply["processes"] if one["name"] == "checker")
    assert "whole       p50" in lvsctl(world, "explain", A)
    assert balancer.stop() == 0
