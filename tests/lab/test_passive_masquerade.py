"""Real servers behind a masquerade that answer no clients though their checks pass: what they send is seen, so nothing
of it is proof. On a real kernel, over IPv4 and IPv6.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.test_passive import CONFIG, Clients, _over_ipv6, counters, suspects
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

VIP, VIP6 = "192.0.2.100", "2001:db8::64"
RS1, RS2 = "10.9.0.11", "10.9.0.12"
RS1_6, RS2_6 = "2001:db8:9::11", "2001:db8:9::12"
CLIENTS = ("192.0.2.0/24", "2001:db8::/64")
SECONDS = 60.0
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def _real(name: str, last: int) -> Host:
    attachment = Attachment("private", (f"10.9.0.{last}/24", f"2001:db8:9::{last}/64"))
    return Host(name, (attachment,), routes=("default via 10.9.0.1", "default via 2001:db8:9::1"))


BEHIND = Topology(
    "behind",
    (Network("public", "192.0.2.0/24"), Network("private", "10.9.0.0/24", "local")),
    (
        Host("client", (Attachment("public", ("192.0.2.50/24", "2001:db8::50/64")),)),
        Host(
            "lb1",
            (
                Attachment("public", ("192.0.2.1/24", "2001:db8::1/64", f"{VIP}/24", f"{VIP6}/64")),
                Attachment("private", ("10.9.0.1/24", "2001:db8:9::1/64")),
            ),
            sysctls=(("net.ipv4.ip_forward", "1"), ("net.ipv6.conf.all.forwarding", "1")),
        ),
        _real("rs1", 11),
        _real("rs2", 12),
    ),
)


def config(action: str, *, ipv6: bool) -> str:
    virtual, one, two = (f"[{VIP6}]", f"[{RS1_6}]", f"[{RS2_6}]") if ipv6 else (VIP, RS1, RS2)
    text = CONFIG.format(virtual=virtual, one=one, two=two, action=action)
    return text.replace("scheduler: rr", "scheduler: rr\n    forwarding: masquerade")


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    world = make_world(BEHIND)
    with ExitStack() as stack:
        for name in ("rs1", "rs2"):
            stack.enter_context(farm.Server(world[name], 80, farm.good))
            stack.enter_context(_over_ipv6(world[name]))
        yield world


def silence(host: LiveHost) -> None:
    """Its answers do not find back to clients; the balancer, in its own network, is answered as always."""
    for clients in CLIENTS:
        host.run(["ip", "route", "add", "blackhole", clients])


def speak(host: LiveHost) -> None:
    for clients in CLIENTS:
        host.run(["ip", "route", "del", "blackhole", clients])


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "ipv6"])
def test_who_answers_no_client_is_held_out_and_comes_back(world: World, ipv6: bool) -> None:
    lb1, (mine, other) = world["lb1"], (RS1_6, RS2_6) if ipv6 else (RS1, RS2)
    balancer = Balancer(lb1, config("fail", ipv6=ipv6)).start()
    balancer.until("both serve", {mine: 1, other: 1})
    with Clients(world["client"], VIP6 if ipv6 else VIP, REQUEST):
        wait_until(lambda: all(one.connections > 60 for one, _ in counters(lb1).values()), SECONDS, "clients")
        assert suspects(balancer) == []
        assert all(one.packets_out > 0 for one, _ in counters(lb1).values())
        silence(world["rs1"])
        balancer.until("it is out, though its check passes", {other: 1}, seconds=SECONDS)
        assert all(mine in line for line in suspects(balancer))
        assert "reason=unanswered" in balancer.log().replace('"', "")
        name = f"web {'[' + mine + ']' if ipv6 else mine}:80"
        wait_until(lambda: balancer.results()[name] == "ok", SECONDS, "its check passes")
        speak(world["rs1"])
        balancer.until("it comes back", {mine: 1, other: 1}, seconds=SECONDS)
        made = counters(lb1)[mine][0].connections
        wait_until(lambda: counters(lb1)[mine][0].connections > made + 60, SECONDS, "two windows of clients")
        assert balancer.weights() == {mine: 1, other: 1}
    assert balancer.stop() == 0


def test_clients_that_say_nothing_are_answered_all_the_same(world: World) -> None:
    """A handshake and a goodbye: of the real server there is more to see than with direct routing."""
    balancer = Balancer(world["lb1"], config("fail", ipv6=False)).start()
    balancer.until("both serve", {RS1: 1, RS2: 1})
    with Clients(world["client"], VIP):
        wait_until(lambda: all(one.connections > 120 for one, _ in counters(world["lb1"]).values()), SECONDS, "clients")
    assert suspects(balancer) == []
    assert balancer.weights() == {RS1: 1, RS2: 1}
