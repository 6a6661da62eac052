"""Real servers that leave, with clients on them: drained to the end, dead, quiesced; on a real kernel."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR, VIP
from tests.lab.waiting import wait_until
from tests.lab.world import CHECKOUT, LiveHost, World

RS1, RS2 = "192.0.2.11", "192.0.2.12"
CHECK_PORT = 8080
CONFIG = """
{ipvs}
defaults: {{check: {{type: tcp, port: 8080, interval: 1s, timeout: 1s, fall: 1}}}}
services:
  web:
    virtual: {vip}:80
    scheduler: {scheduler}
    {more}
    real_servers: [{one}, {two}]
"""


def config(ipvs: str = "", scheduler: str = "wrr", more: str = "floor: 1") -> str:
    return CONFIG.format(ipvs=ipvs, vip=VIP, scheduler=scheduler, more=more, one=RS1, two=RS2)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world(PAIR)
    world["lb1"].run(["ip", "address", "add", f"{VIP}/32", "dev", "eth0"])
    return world


@pytest.fixture
def checked(world: World) -> Iterator[dict[str, ExitStack]]:
    """Both serve on port 80, in the echo's manner; closing the stack of one ends what is checked of it."""
    with ExitStack() as stack:
        checks = {}
        for name in ("rs1", "rs2"):
            stack.enter_context(farm.Server(world[name], 80, echo))
            checks[name] = stack.enter_context(ExitStack())
            checks[name].enter_context(farm.Server(world[name], CHECK_PORT, farm.good))
        yield checks


def echo(connection: socket.socket, _: object) -> None:
    connection.settimeout(120)
    while said := connection.recv(100):
        connection.sendall(said)


def lvsctl(balancer: Balancer, *words: str) -> subprocess.CompletedProcess[str]:
    return balancer.host.run([f"{CHECKOUT}/.venv/bin/lvsctl", *words], check=False, timeout=60)


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    """What closes them in the end."""
    with ExitStack() as stack:
        yield stack


def connected(host: LiveHost, clients: ExitStack) -> socket.socket:
    client = clients.enter_context(host.call(lambda: socket.create_connection((VIP, 80), 5)))
    assert talks(client)
    return client


def talks(client: socket.socket, seconds: float = 10.0) -> bool:
    """Whether what is said comes back; False when nobody answers. Raises ConnectionResetError."""
    client.settimeout(seconds)
    try:
        client.sendall(b"hello")
        return client.recv(100) == b"hello"
    except TimeoutError:
        return False


def other_than(balancer: Balancer, server: str) -> None:
    """Only `server` takes new connections."""
    other = RS2 if server == RS1 else RS1
    assert lvsctl(balancer, "weight", other, "0").returncode == 0
    balancer.until("one takes new connections", {server: 1, other: 0})


@pytest.mark.usefixtures("checked")
def test_a_drain_goes_to_its_end_over_a_restart_of_the_director(world: World, clients: ExitStack) -> None:
    balancer = Balancer(world["lb1"], config()).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    other_than(balancer, RS1)
    client = connected(world["client"], clients)
    assert lvsctl(balancer, "enable", RS2).returncode == 0
    balancer.until("both serve", {RS1: 1, RS2: 1})
    assert lvsctl(balancer, "drain", RS1, "--reason", "new kernel").returncode == 0
    balancer.until("it drains", {RS1: 0, RS2: 1})
    balancer.kill("director")
    wait_until(balancer._up, 20, "the director is back")
    assert talks(client)
    row = json.loads(lvsctl(balancer, "overrides", "--json").stdout)["overrides"][0]
    assert (row["override"]["kind"], row["active"]) == ("drain", 1)
    assert balancer.weights() == {RS1: 0, RS2: 1}
    world["lb1"].run(["ipvsadm", "--set", "900", "2", "300"])  # how long a closed connection counts
    client.close()
    waited = lvsctl(balancer, "drain", RS1, "--wait", "30s")
    assert waited.returncode == 0, waited.stdout + waited.stderr
    assert "drained" in waited.stdout
    balancer.until("it has left", {RS2: 1})
    assert "drained service=web" in balancer.log()
    balancer.kill("director")
    wait_until(balancer._up, 20, "the director is back")
    wait_until(lambda: balancer.results().get(f"web {RS1}:80") == "ok" or None, 10, "it is well")
    assert balancer.weights() == {RS2: 1}
    assert lvsctl(balancer, "enable", RS1).returncode == 0
    balancer.until("it is back", {RS1: 1, RS2: 1})


@pytest.mark.usefixtures("checked")
@pytest.mark.parametrize("ends", [True, False], ids=["expire_nodest_conn", "default"])
def test_at_a_deadline_connections_are_reset_or_forgotten(world: World, clients: ExitStack, ends: bool) -> None:
    ipvs = "ipvs: {expire_nodest_conn: true}" if ends else ""
    balancer = Balancer(world["lb1"], config(ipvs)).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    other_than(balancer, RS1)
    client = connected(world["client"], clients)
    assert lvsctl(balancer, "enable", RS2).returncode == 0
    waited = lvsctl(balancer, "drain", RS1, "--deadline", "3s", "--wait")
    assert waited.returncode == 1
    assert waited.stderr == "lvsctl: 1 connections were left at the deadline\n"
    balancer.until("it has left", {RS2: 1})
    if ends:
        with pytest.raises(ConnectionResetError):
            talks(client, 20.0)
    else:
        assert not talks(client, 4.0)
        assert lvsctl(balancer, "enable", RS1).returncode == 0
        balancer.until("it is back", {RS1: 1, RS2: 1})
        client.settimeout(60.0)
        assert client.recv(100) == b"hello"  # said while it was gone, and repeated by the client's kernel


@pytest.mark.parametrize("ends", [True, False], ids=["expire_nodest_conn", "default"])
def test_clients_of_a_dead_server_are_reset_or_hang(
    world: World, clients: ExitStack, checked: dict[str, ExitStack], ends: bool
) -> None:
    """What is set at a reload holds at once, and what a stranger sets does not hold."""
    balancer = Balancer(world["lb1"], config()).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    if ends:
        balancer.configure(config("ipvs: {expire_nodest_conn: true}"))
        assert balancer.reload().accepted
        wait_until(lambda: sysctl(world["lb1"]) == "1", 15, "it is set")
        world["lb1"].run(["sysctl", "-q", "-w", "net.ipv4.vs.expire_nodest_conn=0"])
        wait_until(lambda: sysctl(world["lb1"]) == "1", 15, "it is mended")
        wait_until(lambda: "sysctl_changed_by_stranger" in balancer.log(), 5, "it is told")
    else:
        assert sysctl(world["lb1"]) == "0"
    other_than(balancer, RS1)
    client = connected(world["client"], clients)
    assert lvsctl(balancer, "enable", RS2).returncode == 0
    world["rs1"].link_down("public")
    checked["rs1"].close()
    balancer.until("the dead one has left", {RS2: 1})
    if ends:
        with pytest.raises(ConnectionResetError):
            talks(client, 20.0)
    else:
        assert not talks(client, 5.0)
    assert talks(connected(world["client"], clients))


def sysctl(host: LiveHost) -> str:
    return host.run(["sysctl", "-n", "net.ipv4.vs.expire_nodest_conn"]).stdout.strip()


@pytest.mark.parametrize("expires", [True, False], ids=["expire_quiescent_template", "default"])
def test_persistence_of_a_quiesced_server_ends_or_stays(
    world: World, clients: ExitStack, checked: dict[str, ExitStack], expires: bool
) -> None:
    ipvs = "ipvs: {expire_quiescent_template: true}" if expires else ""
    more = "on_failure: quiesce\n    persistence: 5m"
    balancer = Balancer(world["lb1"], config(ipvs, more=more)).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    other_than(balancer, RS1)
    connected(world["client"], clients).close()
    assert lvsctl(balancer, "enable", RS2).returncode == 0
    checked["rs1"].close()
    balancer.until("it is quiesced", {RS1: 0, RS2: 1})
    before = made(world["lb1"], RS1)
    connected(world["client"], clients).close()
    assert made(world["lb1"], RS1) == before + (0 if expires else 1)  # it comes back to whom it knows, or does not


def made(host: LiveHost, server: str) -> int:
    """How many connections the kernel has sent it, ended ones included: its counters are up to two seconds behind."""
    rows = [line.split() for line in host.run(["ipvsadm", "-Lnc"]).stdout.splitlines()]
    found = [row for row in rows if row[-1:] == [f"{server}:80"]]
    return sum(not row[3].endswith(":0") for row in found)  # a template has no client's port
