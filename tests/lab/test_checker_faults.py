"""Faults of the checker's own machine, as a real kernel has them: nobody's verdict changes, whichever way checks run.

And what looks alike but comes from the network is the real server's.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from lvsd.control.messages import RealServerRow, StatusReply, StatusRequest
from tests.lab.balancer import Balancer
from tests.lab.topology import Attachment, Host, Network, Topology, hardware_address
from tests.lab.waiting import wait_until
from tests.lab.world import World

NEAR, FAR = "near", "far"
ROUTER, ROUTER6, SERVER, SERVER6 = "192.0.2.254", "2001:db8::254", "198.51.100.11", "2001:db8:1::11"
PREFIX, PREFIX6 = "198.51.100.0/24", "2001:db8:1::/64"
ROUTE = f"{PREFIX} via {ROUTER}"
ROUTE6 = f"{PREFIX6} via {ROUTER6}"
FORWARDING = (
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv6.conf.all.forwarding", "1"),
    ("net.ipv6.icmp.ratelimit", "0"),
)
PLACE = Topology(
    "faults",
    (Network(NEAR, "192.0.2.0/24"), Network(FAR, PREFIX)),
    (
        Host("lb1", (Attachment(NEAR, ("192.0.2.1/24", "2001:db8::1/64")),), routes=(ROUTE, ROUTE6)),
        Host(
            "router",
            (
                Attachment(NEAR, (f"{ROUTER}/24", f"{ROUTER6}/64")),
                Attachment(FAR, ("198.51.100.254/24", "2001:db8:1::254/64")),
            ),
            sysctls=FORWARDING,
        ),
        Host(
            "rs1",
            (Attachment(FAR, (f"{SERVER}/24", f"{SERVER6}/64")),),
            routes=("192.0.2.0/24 via 198.51.100.254", "2001:db8::/64 via 2001:db8:1::254"),
        ),
    ),
)
SERVE = """
import socket, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6

sink = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sink.bind(("::", 9))
Server(("::", 80), Page).serve_forever()
"""
TIMING = "interval: 500ms, timeout: 400ms, fall: 2"
STREAMS = {
    "tcp": "type: tcp",
    "tcp_six": "type: tcp",
    "http": "type: http",
    "http_library": "type: http, path: '/%7e'",  # what the lean engine leaves to the libraries
}
DATAGRAMS = {"ping": "type: ping", "ping_six": "type: ping", "udp": "type: udp, send: hello, port: 9"}
CHECKS = {**STREAMS, **DATAGRAMS}
PROBES = 4  # more than it takes to fall
SECONDS = 20.0


def config() -> str:
    lines = ["services:"]
    for number, (name, check) in enumerate(CHECKS.items(), 1000):
        six = name.endswith("_six")
        virtual, real = (f"[2001:db8::100]:{number}", SERVER6) if six else (f"192.0.2.100:{number}", SERVER)
        port = ", port: 80" if name in STREAMS else ""
        lines.append(
            f"  {name}: {{virtual: '{virtual}', check: {{{check}{port}, {TIMING}}}, real_servers: ['{real}']}}"
        )
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(PLACE) as running:
        server = running["rs1"].popen([sys.executable, "-c", SERVE], log="/var/log/server.log")
        yield running
        server.kill()
        server.wait(10)


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    running = Balancer(world["lb1"], config()).start()
    yield running
    assert running.stop() == 0


@pytest.fixture(autouse=True)
def well(balancer: Balancer) -> None:
    until(balancer, "all is well", tuple(CHECKS), lambda one: (one.standing, one.result) == ("serving", "ok"))


def rows(balancer: Balancer) -> dict[str, RealServerRow]:
    reply = balancer.ask(StatusRequest(books=True))
    assert isinstance(reply, StatusReply)
    return {service.name: service.real_servers[0] for service in reply.services}


def until(balancer: Balancer, what: str, names: Sequence[str], condition: Callable[[RealServerRow], bool]) -> None:
    def wrong() -> list[tuple[str, str, str, str]]:
        found = rows(balancer)
        return [
            (name, found[name].standing, found[name].result, found[name].detail)
            for name in names
            if not condition(found[name])
        ]

    try:
        wait_until(lambda: not wrong(), SECONDS, what)
    except AssertionError as error:
        raise AssertionError(f"{error}: {wrong()}\n{balancer.log()[-2000:]}") from error


def blank_probes(balancer: Balancer) -> dict[str, int]:
    return {name: one.books.inconclusive if one.books is not None else 0 for name, one in rows(balancer).items()}


def nobody_is_blamed(balancer: Balancer, names: Sequence[str], words: str = "") -> None:
    """Several probes in a row find nothing out, say why, and change nothing."""
    before = blank_probes(balancer)
    until(
        balancer,
        "probes that find nothing out",
        names,
        lambda one: one.books is not None and one.result == "inconclusive" and words in one.detail,
    )
    wait_until(
        lambda: all(blank_probes(balancer)[name] >= before[name] + PROBES for name in names), SECONDS, "more of them"
    )
    found = rows(balancer)
    assert {name: (found[name].standing, found[name].state) for name in names} == dict.fromkeys(
        names, ("serving", "up")
    )


def ip(world: World, host: str, *lines: str) -> None:
    world[host].run(["ip", "-batch", "-"], input="\n".join(lines) + "\n")


@contextlib.contextmanager
def changed(world: World, host: str, change: Sequence[str], back: Sequence[str]) -> Iterator[None]:
    """Lines of `ip`, taken back at the end."""
    ip(world, host, *change)
    try:
        yield
    finally:
        ip(world, host, *back)


@contextlib.contextmanager
def nothing_leaves(world: World) -> Iterator[None]:
    """Whatever lb1 sends is dropped before it leaves. It knows its router for good: nobody is looked for meanwhile."""
    mac = hardware_address(PLACE, "router", NEAR)
    known = [f"{address} lladdr {mac} dev eth0" for address in (ROUTER, ROUTER6)]
    steady, back = ([f"neighbour replace {one} nud {state}" for one in known] for state in ("permanent", "reachable"))
    with changed(world, "lb1", steady, back):
        world["lb1"].run(["tc", "qdisc", "add", "dev", "eth0", "clsact"])
        try:
            world["lb1"].run(["tc", "filter", "add", "dev", "eth0", "egress", "matchall", "action", "drop"])
            yield
        finally:
            world["lb1"].run(["tc", "qdisc", "delete", "dev", "eth0", "clsact"])


def test_the_route_is_gone(world: World, balancer: Balancer) -> None:
    routes = (ROUTE, ROUTE6)
    gone = [f"route delete {route}" for route in routes]
    with changed(world, "lb1", gone, [f"route add {route}" for route in routes]):
        nobody_is_blamed(balancer, tuple(CHECKS), "Network is unreachable")


@pytest.mark.parametrize(
    ("kind", "words"),
    [("unreachable", "No route to host"), ("prohibit", "Permission denied"), ("blackhole", "Invalid argument")],
)
def test_a_route_forbids_it(world: World, balancer: Balancer, kind: str, words: str) -> None:
    routes = (f"{kind} {SERVER}/32", f"{kind} {SERVER6}/128")
    forbidden = [f"route add {route}" for route in routes]
    with changed(world, "lb1", forbidden, [f"route delete {route}" for route in routes]):
        nobody_is_blamed(balancer, tuple(name for name in CHECKS if not name.endswith("_six")), words)
        nobody_is_blamed(balancer, ("tcp_six", "ping_six"))


def test_our_interface_is_down(world: World, balancer: Balancer) -> None:
    back = ("link set eth0 up", f"route add {ROUTE}", "address replace 2001:db8::1/64 dev eth0 nodad")
    with changed(world, "lb1", ["link set eth0 down"], [*back, f"route replace {ROUTE6}"]):
        nobody_is_blamed(balancer, tuple(CHECKS))


def test_no_descriptor_is_left(world: World, balancer: Balancer) -> None:
    worker, host = str(balancer.pid("checker")), world["lb1"]
    limit = host.run(["prlimit", "--raw", "--noheadings", "-o", "SOFT", "-n", "-p", worker]).stdout.strip()
    host.run(["prlimit", "--pid", worker, "--nofile=3:"])
    try:
        opening = tuple(name for name in CHECKS if not name.startswith("ping"))  # its sockets are open already
        nobody_is_blamed(balancer, opening, "Too many open files")
    finally:
        host.run(["prlimit", "--pid", worker, f"--nofile={limit}:"])


HOLDING = f"""
import socket, time

def held(port):
    found = []
    try:
        for address, own in (({SERVER!r}, "192.0.2.1"), ({SERVER6!r}, "2001:db8::1")):
            for each in (port, port + 1):
                found.append(socket.create_connection((address, 80), 5, (own, each)))
    except OSError:  # a check has it, or had it less than a minute ago
        for one in found:
            one.close()
        return []
    return found

port = 40000
while not (kept := held(port)):
    port += 2
print(port, port + 1, flush=True)
time.sleep(600)
"""


def test_no_local_port_is_left(world: World, balancer: Balancer) -> None:
    host, setting = world["lb1"], "/proc/sys/net/ipv4/ip_local_port_range"
    before = host.call(Path(setting).read_text)
    holding = host.popen([sys.executable, "-c", HOLDING], log="/var/log/holding.log")
    try:
        wait_until(lambda: host.read("/var/log/holding.log").endswith("\n"), SECONDS, "both ports are taken")
        ports = host.read("/var/log/holding.log")
        host.call(lambda: Path(setting).write_text(ports))
        nobody_is_blamed(balancer, tuple(STREAMS), "Cannot assign requested address")
    finally:
        holding.kill()
        holding.wait(10)
        host.call(lambda: Path(setting).write_text(before))


def test_what_we_drop_ourselves(world: World, balancer: Balancer) -> None:
    """The kernel tells it of most datagrams. A dropped SYN is silence: tcp_connect() passes over the refusal."""
    with nothing_leaves(world):
        nobody_is_blamed(balancer, ("udp", "ping"), "No buffer space available")
        until(balancer, "they are out", tuple(STREAMS), silent)


def silent(one: RealServerRow) -> bool:
    return (one.standing, one.result) == ("out", "connect_timeout")


@pytest.mark.parametrize("kind", ["unreachable", "prohibit"])
def test_a_routers_word_is_the_real_servers(world: World, balancer: Balancer, kind: str) -> None:
    routes = (f"{kind} {SERVER}/32", f"{kind} {SERVER6}/128")
    no_way = [f"route add {route}" for route in routes]
    with changed(world, "router", no_way, [f"route delete {route}" for route in routes]):
        until(balancer, "they are out", (*STREAMS, "ping", "ping_six"), is_blamed)
        until(balancer, "what ICMPv6 says is told", ("tcp_six",), lambda one: one.result == "unreachable")
        heard = [one.books.reasons.get("unreachable", 0) for one in rows(balancer).values() if one.books is not None]
        assert any(heard)  # not all: over IPv4 a router answers one packet in a second


def is_blamed(one: RealServerRow) -> bool:
    return one.standing == "out" and one.result in ("unreachable", "connect_timeout", "reply_timeout")


def test_a_dead_host_is_the_real_servers(world: World, balancer: Balancer) -> None:
    world["rs1"].link_down(FAR)
    noticed = tuple(name for name in CHECKS if name != "udp")  # nobody objects to a datagram for so long
    try:
        until(balancer, "they are out", noticed, is_blamed)
    finally:
        world["rs1"].link_up(FAR)
