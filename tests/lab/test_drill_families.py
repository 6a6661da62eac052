"""Drills of services over UDP and IPv6: the figures are those of clients of both."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import DIRECT_ROUTING, NETWORK, VIP
from tests.lab.prober import ANSWER_SECONDS, Prober
from tests.lab.test_failover import SECRET, TOLERANCE_MS, drilled
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

VIP6, PORT = "2001:db8::100", 7777
HOSTS = (("client", 50), ("lb1", 1), ("lb2", 2), ("rs1", 11))
DUAL = Topology(
    "dual",
    (Network(NETWORK, "192.0.2.0/24"),),
    tuple(
        Host(
            name,
            (Attachment(NETWORK, (f"192.0.2.{last}/24", f"2001:db8::{last:x}/64")),),
            loopback=(f"{VIP}/32", f"{VIP6}/128") if name == "rs1" else (),
            sysctls=DIRECT_ROUTING if name == "rs1" else (),
        )
        for name, last in HOSTS
    ),
)
QUESTION = b"are you there?"


def config(host: str) -> str:
    own, other, priority = (1, 2, 200) if host == "lb1" else (2, 1, 100)
    instance = f"interface: eth0, priority: {priority}, version: 3, advertisement_interval: 1s"
    check = f"{{type: udp, send: '{QUESTION.decode()}', receive: there}}"
    return f"""
daemon:
  peer: {{listen: "192.0.2.{own}:8853", peers: ["192.0.2.{other}:8853"], secret: {SECRET}}}
vrrp:
  lb0: {{virtual_router_id: 51, addresses: [{VIP}/24], {instance}, sync_group: both}}
  lb6: {{virtual_router_id: 51, addresses: ["fe80::100/64", "{VIP6}/64"], {instance}, sync_group: both}}
defaults: {{check: {{interval: 1s, timeout: 1s, fall: 2}}, scheduler: rr}}
services:
  four: {{virtual: {VIP}:{PORT}, protocol: udp, check: {check}, real_servers: [192.0.2.11]}}
  six: {{virtual: "[{VIP6}]:{PORT}", protocol: udp, check: {check}, real_servers: ["2001:db8::b"]}}
  six_tcp: {{virtual: "[{VIP6}]:{PORT}", check: {{type: tcp}}, real_servers: ["2001:db8::b"]}}
  silent: {{virtual: {VIP}:9, protocol: udp, check: {{type: udp, send: x}}, real_servers: [192.0.2.11]}}
  marked: {{fwmark: 7, check: {{type: none}}, real_servers: [192.0.2.11]}}
"""


def _bound(address: str, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((address, port))
    return one


class Answering:
    """A host that answers datagrams from whichever address they came to, and takes connections over IPv6."""

    def __init__(self, host: LiveHost) -> None:
        self._ended = threading.Event()
        self._sockets = host.call(self._open)
        self._silent = host.call(lambda: _bound("192.0.2.11", 9))
        self._thread = threading.Thread(target=self._run, daemon=True)

    @staticmethod
    def _open() -> list[socket.socket]:
        opened = [socket.create_server(("::", PORT), family=socket.AF_INET6, backlog=512)]
        for address in ("192.0.2.11", VIP, "2001:db8::b", VIP6):
            opened.append(_bound(address, PORT))
        return opened

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)
        for one in (*self._sockets, self._silent):
            one.close()

    def _run(self) -> None:
        listener = self._sockets[0]
        while not self._ended.is_set():
            for one in select.select(self._sockets, [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    if one is listener:
                        one.accept()[0].close()
                    else:
                        one.sendto(*one.recvfrom(512))


def datagram(address: str) -> Callable[[], bool]:
    """A question over UDP, from a port of its own."""

    def ask() -> bool:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.settimeout(ANSWER_SECONDS / 5)
            own.connect((address, PORT))
            try:
                own.send(QUESTION)
                return own.recv(512) == QUESTION
            except OSError:
                return False

    return ask


def connection() -> bool:
    try:
        with socket.create_connection((VIP6, PORT), ANSWER_SECONDS / 5):  # all three ask from one thread
            return True
    except OSError:
        return False


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    world = make_world(DUAL)
    with Answering(world["rs1"]):
        yield world


def serving(one: Balancer) -> None:
    try:
        wait_until(lambda: set(one.standings().values()) == {"serving"}, 20, one.host.name)
    except AssertionError as error:
        raise AssertionError(f"{error}; {one.results()}\n{one.log()}") from error


def up(world: World) -> tuple[Balancer, Balancer]:
    both = [Balancer(world[name], config(name)).start() for name in ("lb1", "lb2")]
    for one in both:
        serving(one)
    wait_until(lambda: {row.role for row in both[0].vrrp().instances} == {"active"}, 20, "lb1 is active")
    wait_until(lambda: all(row.standbys for row in both[0].vrrp().instances), 20, "the standby is known")
    return both[0], both[1]


@pytest.mark.parametrize("how", ["graceful", "freeze"])
def test_udp_and_ipv6_are_watched_as_clients_see_them(world: World, how: str) -> None:
    first, _ = up(world)
    asks = {
        f"udp {VIP}:{PORT}": datagram(VIP),
        f"udp [{VIP6}]:{PORT}": datagram(VIP6),
        f"tcp [{VIP6}]:{PORT}": connection,
    }
    with ExitStack() as stack:
        probers = {name: stack.enter_context(Prober(world["client"], ask, 0.02)) for name, ask in asks.items()}
        wait_until(lambda: all(len(one.polls) > 20 for one in probers.values()), 20, "polls")
        status, report = drilled(world["lb1"], "--how", how, "--watch", f"{VIP}:{PORT}")
    print(json.dumps(report, indent=1), {name: one.outage_seconds() for name, one in probers.items()})
    assert (status, report["result"]) == (0, "rehearsed"), report["why"]
    for name, prober in probers.items():
        seen = [one["milliseconds"] for part in ("there", "back") for one in report[part] if one["service"] == name]
        assert len(seen) == 2
        assert prober.bears_out(max(map(float, seen)), TOLERANCE_MS), name
    assert {one["address"] for one in report["announcements"]} == {VIP, VIP6, "fe80::100"}
    reasons = dict(one.split(": ", 1) for one in report["unwatched"])
    assert "silence tells nothing" in reasons[f"udp {VIP}:9"]
    assert "--watch" in reasons["fwmark 7"]
    assert f"tcp {VIP}:{PORT}" in {one["service"] for one in report["there"]}
    assert {row.role for row in first.vrrp().instances} == {"active"}
