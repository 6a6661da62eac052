"""An agent on the real server, asked by lvsd and by HAProxy side by side: both make the same of what it says."""

from __future__ import annotations

import csv
import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.lab.balancer import Balancer
from tests.lab.daemons import agent, certificates, web
from tests.lab.pair import PAIR, VIP
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

RS1 = "192.0.2.11"
OUT, DRAINED = -1, 0
CONFIG = f"""
defaults: {{check: {{interval: 300ms, timeout: 1s, fall: 1}}}}
services:
  web:
    virtual: '{VIP}:80'
    checks: [{{type: http, path: /ldirectord.txt}}, {{type: agent, port: {agent.PORT}}}]
    real_servers: [{{address: {RS1}, weight: {agent.WEIGHT}}}]
"""
# In this order: what a line leaves unsaid is what those before it said. The weight, OUT or DRAINED, of both.
LINES: tuple[tuple[bytes, int], ...] = (
    (b"up ready 100%\n", 100),
    (b"50%\n", 50),
    (b"down #no disk\n", OUT),
    (b"75%\n", OUT),
    (b"up\n", 75),
    (b"fail\n", OUT),
    (b"ready\n", OUT),
    (b"UP\n", 75),
    (b"stopped # on purpose\n", OUT),
    (b"up,25%\n", 25),
    (b"drain\n", DRAINED),
    (b"90%\n", DRAINED),
    (b"up\n", DRAINED),
    (b"ready\n", 90),
    (b"maint\n", OUT),
    (b"up 80%\n", OUT),
    (b"drain\n", DRAINED),
    (b"Ready\t10%\n", 10),
    (b"0%\n", DRAINED),
    (b"200%\n", 200),
    (b"33% 44%\n", 44),
    (b"up down\n", OUT),
    (b"down up\n", 44),
    (b"55%\rdown\n", 55),
    (b"65%\ndown\n", 65),
    (b"maxconn:20 70%\n", 70),
    (b"hello 60%\n", 60),
    (b"up#down 40%\n", 40),
    (b"up #down 30%\n", 40),
    (b"  , 20%,,\t\n", 20),
    (b"down#x 21%\n", 21),
    (b"22%x 23%\n", 23),
)

# Where they differ, as docs/operating.md says: what HAProxy and what lvsd make of it, after `up ready 100%`.
DIFFERENCES: tuple[tuple[bytes, int, int], ...] = (
    (b"35%", 100, 35),  # the line has no end but the connection's
    (b"300%\n", 256, 300),
    (b"weight:12\n", 100, 12),  # later versions of HAProxy know it
    (b"failed\n", 100, OUT),  # what HAProxy's manual said before it said `fail`
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(PAIR) as running:
        certificates.lay_authority(running)
        certificates.lay_certificate(running["rs1"])
        running["rs1"].start(web.Nginx())
        running["rs1"].start(agent.Agent())
        running["lb2"].start(agent.Haproxy(RS1, 80))
        yield running


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    running = Balancer(world["lb1"], CONFIG).start()
    yield running
    assert running.stop() == 0


def told_by_haproxy(host: LiveHost, command: str) -> str:
    def ask() -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(5)
            sock.connect(agent.SOCKET)
            sock.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: sock.recv(65536), b"")).decode()

    return host.call(ask)


def of_haproxy(host: LiveHost) -> int:
    """What HAProxy would send it: its weight, or that it is out or drained."""
    rows = csv.DictReader(told_by_haproxy(host, "show stat").lstrip("# ").splitlines())
    [row] = [row for row in rows if (row["pxname"], row["svname"]) == (agent.BACKEND, agent.SERVER)]
    if row["status"].startswith(("MAINT", "DOWN")):
        return OUT
    return DRAINED if row["status"].startswith("DRAIN") else int(row["weight"])


def of_lvsd(balancer: Balancer) -> int:
    """What the kernel would send it."""
    return balancer.weights(80).get(RS1, OUT)


def say(world: World, line: bytes) -> None:
    """Have the agent say so, until both have heard it twice: by then they have thought about it once.

    Twice from here on: of what was begun before, one may be told only now.
    """
    rs1, twice = world["rs1"], Counter({world["lb1"].address(): 2, world["lb2"].address(): 2})
    agent.say(rs1, line)
    wait_until(lambda: agent.said(rs1, line) >= twice, 10, f"both have heard {line!r}")


def until_both(world: World, balancer: Balancer, line: bytes, *weights: int) -> None:
    """Until HAProxy and lvsd hold these weights, or both the one."""
    wanted = (weights[0], weights[-1])

    def seen() -> tuple[int, int]:
        return of_haproxy(world["lb2"]), of_lvsd(balancer)

    try:
        wait_until(lambda: seen() == wanted, 10, f"{line!r}")
    except AssertionError as error:
        state = told_by_haproxy(world["lb2"], f"show servers state {agent.BACKEND}")
        raise AssertionError(f"{line!r}: {wanted} wanted, HAProxy and lvsd: {seen()}\n{state}") from error


def test_both_make_the_same_of_what_an_agent_says(world: World, balancer: Balancer) -> None:
    for line, weight in LINES:
        say(world, line)
        until_both(world, balancer, line, weight)


@pytest.mark.parametrize(("line", "by_haproxy", "by_lvsd"), DIFFERENCES)
def test_where_they_differ(world: World, balancer: Balancer, line: bytes, by_haproxy: int, by_lvsd: int) -> None:
    say(world, b"up ready 100%\n")
    until_both(world, balancer, line, 100)
    say(world, line)
    until_both(world, balancer, line, by_haproxy, by_lvsd)


@pytest.mark.parametrize(("line", "weight"), [(b"down\n", OUT), (b"up ready 45%\n", 45)])
def test_an_agent_that_falls_silent_leaves_its_last_word(
    world: World, balancer: Balancer, line: bytes, weight: int
) -> None:
    """Both keep it: out after `down`, in with its weight after `up`."""
    say(world, line)
    until_both(world, balancer, line, weight)
    world["rs1"].stop(agent.Agent())
    wait_until(lambda: "agent tells nothing" in details(balancer), 10, "it is asked in vain")
    until_both(world, balancer, b"(nothing)", weight)
    world["rs1"].start(agent.Agent())
    until_both(world, balancer, b"up ready 100%\n", 100)


def test_a_new_worker_goes_on_from_what_the_old_one_heard(world: World, balancer: Balancer) -> None:
    say(world, b"maint\n")
    wait_until(lambda: of_lvsd(balancer) == OUT, 10, "out")
    world["rs1"].stop(agent.Agent())
    pid = balancer.kill("checker")
    wait_until(lambda: balancer._up() and balancer.pid("checker") != pid, 20, "another worker")
    wait_until(lambda: "agent tells nothing" in details(balancer), 10, "which asks in vain")
    assert of_lvsd(balancer) == OUT
    world["rs1"].start(agent.Agent())
    say(world, b"ready 50%\n")
    wait_until(lambda: of_lvsd(balancer) == 50, 10, "taken back")


def details(balancer: Balancer) -> str:
    """The words of all checks of the real server."""
    [service] = balancer.status().services
    return str(service.real_servers)
