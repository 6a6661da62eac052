"""Real servers that answer no clients though their checks pass: on a real kernel, with clients, over IPv4 and IPv6."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Self

import pytest

from lvsd.control.messages import RealServerRow
from netlink.ipvs_socket import IpvsSocket
from netlink.table import Stats
from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import DIRECT_ROUTING
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

VIP, VIP6 = "192.0.2.100", "2001:db8::64"
RS1, RS2 = "192.0.2.11", "192.0.2.12"
NETWORK = "public"


def _host(name: str, last: int, *, real: bool = False) -> Host:
    addresses = (f"192.0.2.{last}/24", f"2001:db8::{last}/64")
    return Host(
        name,
        (Attachment(NETWORK, addresses),),
        loopback=(f"{VIP}/32", f"{VIP6}/128") if real else (),
        sysctls=DIRECT_ROUTING if real else (),
    )


TWO = Topology(
    "two",
    (Network(NETWORK, "192.0.2.0/24"),),
    (_host("client", 50), _host("lb1", 1), _host("rs1", 11, real=True), _host("rs2", 12, real=True)),
)
CONFIG = """
defaults: {{check: {{interval: 1s, timeout: 1s, fall: 1}}}}
services:
  web:
    virtual: "{virtual}:80"
    scheduler: rr
    passive: {{connections: 10, window: 3s, action: {action}}}
    hold_down: {{first: 3s}}
    real_servers: ["{one}:80", "{two}:80"]
"""


def config(action: str, *, ipv6: bool = False) -> str:
    if ipv6:
        return CONFIG.format(virtual=f"[{VIP6}]", one="[2001:db8::11]", two="[2001:db8::12]", action=action)
    return CONFIG.format(virtual=VIP, one=RS1, two=RS2, action=action)


class Clients:
    """Twenty connections a second, each given up after two seconds; `say` is sent over those that are answered."""

    def __init__(self, host: LiveHost, address: str, say: bytes = b"") -> None:
        self._host = host
        self._address = address
        self._say = say
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)

    def _run(self) -> None:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        open_: list[socket.socket] = []
        while not self._ended.is_set():
            one = self._host.call(lambda: socket.socket(family))
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect((self._address, 80))
            open_.append(one)
            for answered in open_[-5:-2]:
                with suppress(OSError):
                    answered.send(self._say) if self._say else answered.shutdown(socket.SHUT_RDWR)
            if len(open_) > 40:
                open_.pop(0).close()
            self._ended.wait(0.05)
        for one in open_:
            one.close()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world(TWO)
    world["lb1"].run(
        ["ip", "-batch", "-"],
        input=f"address add {VIP}/32 dev eth0\naddress add {VIP6}/128 dev eth0 nodad preferred_lft 0\n",
    )
    return world


@pytest.fixture
def servers(world: World) -> Iterator[None]:
    with ExitStack() as stack:
        for name in ("rs1", "rs2"):
            stack.enter_context(farm.Server(world[name], 80, farm.good))
            stack.enter_context(_over_ipv6(world[name]))
        yield


def _over_ipv6(host: LiveHost) -> farm.Server:
    server = farm.Server(host, 81, farm.good)
    server._listener.close()
    server._listener = host.call(_listen6)
    return server


def _listen6() -> socket.socket:
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(("::", 80))
    listener.listen(512)
    listener.settimeout(0.2)
    return listener


def silence(host: LiveHost) -> None:
    """It loses the virtual addresses, as after a reboot without its setup; its own address answers as always."""
    host.run(["ip", "-batch", "-"], input=f"address del {VIP}/32 dev lo\naddress del {VIP6}/128 dev lo\n")


def speak(host: LiveHost) -> None:
    host.run(["ip", "-batch", "-"], input=f"address add {VIP}/32 dev lo\naddress add {VIP6}/128 dev lo\n")


def counters(host: LiveHost, port: int = 80) -> dict[str, tuple[Stats, int]]:
    def read() -> dict[str, tuple[Stats, int]]:
        with IpvsSocket() as kernel:
            return {
                one.destination.key.address: (one.stats, one.active)
                for status in kernel.read_status()
                if status.service.key.port == port
                for one in status.destinations
            }

    return host.call(read)


def suspects(balancer: Balancer) -> list[str]:
    return [line for line in balancer.log().splitlines() if "real_server_suspect" in line]


def real_servers(balancer: Balancer) -> tuple[RealServerRow, ...]:
    return balancer.status().services[0].real_servers


def status(balancer: Balancer) -> str:
    """As a person sees it."""
    return balancer.host.run([".venv/bin/lvsctl", "status"]).stdout


@pytest.mark.usefixtures("servers")
@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_who_answers_no_client_is_suspected_and_probed_and_stays(world: World, ipv6: bool) -> None:
    balancer = Balancer(world["lb1"], config("probe", ipv6=ipv6)).start()
    wait_until(lambda: sum(balancer.weights().values()) == 2, 15, "both serve")
    with Clients(world["client"], VIP6 if ipv6 else VIP, b"GET / HTTP/1.0\r\n\r\n"):
        wait_until(lambda: all(one.connections > 60 for one, _ in counters(world["lb1"]).values()), 60, "clients")
        assert suspects(balancer) == []
        before = counters(world["lb1"])
        silence(world["rs1"])
        wait_until(lambda: suspects(balancer), 60, "it is suspected")
        after = counters(world["lb1"])
        print({name: (after[name][0].packets_in - one.packets_in, after[name][0].bytes_in - one.bytes_in)
               for name, (one, _) in before.items()})  # fmt: skip
        assert all(("2001:db8::11" if ipv6 else RS1) in line for line in suspects(balancer))
        assert sum(balancer.weights().values()) == 2
        wait_until(lambda: "clients are not answered" in status(balancer), 60, "it is shown")
        speak(world["rs1"])
        wait_until(lambda: not any(row.unanswered for row in real_servers(balancer)), 60, "it answers again")
        assert "real_server_not_suspect" in balancer.log()


@pytest.mark.usefixtures("servers")
def test_with_fail_it_is_held_out_twice_as_long_each_time_and_comes_back(world: World) -> None:
    balancer = Balancer(world["lb1"], config("fail")).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    with Clients(world["client"], VIP, b"GET / HTTP/1.0\r\n\r\n"):
        wait_until(lambda: all(one.connections > 60 for one, _ in counters(world["lb1"]).values()), 60, "clients")
        silence(world["rs1"])
        balancer.until("it is out, though its check passes", {RS2: 1}, seconds=60)
        assert "reason=unanswered" in balancer.log().replace('"', "")
        shown = "held out, clients are not answered; tcp ok"  # for three seconds, or the next time, which is longer
        wait_until(lambda: shown in status(balancer), 60, shown)
        balancer.until("it gets another chance", {RS1: 1, RS2: 1}, seconds=60)
        balancer.until("and loses it", {RS2: 1}, seconds=60)
        speak(world["rs1"])
        balancer.until("it comes back", {RS1: 1, RS2: 1}, seconds=60)
        made = counters(world["lb1"])[RS1][0].connections
        wait_until(lambda: counters(world["lb1"])[RS1][0].connections > made + 60, 60, "two windows of clients")
        assert balancer.weights() == {RS1: 1, RS2: 1}


@pytest.mark.usefixtures("servers")
def test_clients_that_say_nothing_are_answered_all_the_same(world: World) -> None:
    """A handshake and a goodbye: packets as small as a SYN."""
    balancer = Balancer(world["lb1"], config("fail")).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    with Clients(world["client"], VIP):
        wait_until(lambda: all(one.connections > 120 for one, _ in counters(world["lb1"]).values()), 60, "clients")
    assert suspects(balancer) == []
    assert balancer.weights() == {RS1: 1, RS2: 1}


@pytest.mark.usefixtures("servers")
def test_where_nobody_is_answered_nobody_is_taken_out(world: World) -> None:
    balancer = Balancer(world["lb1"], config("fail")).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    silence(world["rs1"])
    silence(world["rs2"])
    with Clients(world["client"], VIP):
        wait_until(lambda: all(name in "".join(suspects(balancer)) for name in (RS1, RS2)), 60, "both are suspected")
        made = counters(world["lb1"])[RS1][0].connections
        wait_until(lambda: counters(world["lb1"])[RS1][0].connections > made + 60, 60, "two windows more")
    assert balancer.weights() == {RS1: 1, RS2: 1}
