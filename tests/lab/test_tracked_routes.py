"""Routes that instances track, withdrawn in every way the kernel knows; tracks that are inverted, beside keepalived."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest

from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR
from tests.lab.test_vrrp_tracking import CHECK, SCRIPT, becomes, cut, known, mend, row, spoil, weighs
from tests.lab.vrrp_scene import start_keepalived
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

PREFIX, PREFIX6 = "198.51.100.0/24", "2001:db8:5::/48"
INTERVAL = "5s"  # nothing that is seen here waits for an advertisement


def config(host: str, track: str, *, interval: str = INTERVAL, priority: int = 0) -> str:
    return f"""
vrrp:
  lb0:
    interface: eth0
    virtual_router_id: 51
    priority: {priority or (110 if host == "lb1" else 100)}
    advertisement_interval: {interval}
    addresses: [192.0.2.100/24]
    track: [{track}]
"""


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world(PAIR)
    for name in ("lb1", "lb2"):
        world[name].write(CHECK, SCRIPT, 0o755)
    return world


def ip(host: LiveHost, words: str) -> None:
    host.run(["ip", *words.split()])


def test_a_route_that_is_withdrawn_hands_the_addresses_over_at_once(world: World) -> None:
    lb1 = world["lb1"]
    ip(lb1, f"route add {PREFIX} via 192.0.2.11")
    first = Balancer(lb1, config("lb1", f"{{route: {PREFIX}, weight: -50}}")).start()
    wait_until(lambda: row(first).role == "active", 30, "lb1 is active")
    second = Balancer(world["lb2"], config("lb2", "")).start()
    known(first, "192.0.2.2")
    ip(lb1, f"route del {PREFIX}")
    becomes(first, "backup", "priority_lowered")
    becomes(second, "active", "handed_over")
    ip(lb1, f"route add {PREFIX} via 192.0.2.11")
    weighs(first, 110)


def test_every_way_in_which_a_route_goes(world: World) -> None:
    lb1 = world["lb1"]
    for name, address in (("dummy0", "203.0.113.1/24"), ("dummy1", "203.0.113.129/25")):
        ip(lb1, f"link add {name} type dummy")
        ip(lb1, f"addr add {address} dev {name}")
        ip(lb1, f"link set {name} up")
    tracks = (
        f"{{route: {PREFIX}, weight: 1}}, {{route: {PREFIX6}, weight: 2}}, "
        f"{{route: {PREFIX}, table: 1000, weight: 4}}, {{route: {PREFIX}, via_interface: dummy1, weight: 8}}, "
        f"{{route: default, weight: -16, inverted: true}}"
    )
    balancer = Balancer(lb1, config("lb1", tracks, interval="1s", priority=100)).start()
    weighs(balancer, 100)
    for words, priority in (
        (f"route add {PREFIX} dev dummy0", 101),
        ("link set dummy0 down", 100),  # the kernel does not tell of an IPv4 route that goes with its interface
        ("link set dummy0 up", 100),
        (f"route add {PREFIX} dev dummy0 src 203.0.113.1", 101),
        ("addr del 203.0.113.1/24 dev dummy0", 100),  # nor of one that goes with the address it prefers
        (f"route add blackhole {PREFIX}", 100),
        (f"route replace {PREFIX} dev dummy0", 101),
        (f"route replace {PREFIX} dev dummy1", 109),
        (f"route del {PREFIX}", 100),
        (f"route add {PREFIX} nexthop dev dummy0 nexthop dev dummy1", 109),
        ("link set dummy1 down", 101),
        (f"route del {PREFIX}", 100),
        ("route add 198.51.100.0/25 dev dummy0", 100),
        (f"route add {PREFIX} dev dummy0 table 1000", 104),
        (f"-6 route add {PREFIX6} dev dummy0", 106),
        ("route flush table 1000", 102),
        ("link set dummy0 down", 100),
        ("route add default via 192.0.2.11", 84),
        ("route del default", 100),
    ):
        ip(lb1, words)
        try:
            weighs(balancer, priority)
        except AssertionError as error:
            raise AssertionError(f"after ip {words}: {error}\n{lb1.run(['ip', 'route']).stdout}") from error


def test_a_route_of_weight_zero_is_a_fault_that_names_it_and_thousands_of_others_do_not_matter(world: World) -> None:
    lb1 = world["lb1"]
    balancer = Balancer(lb1, config("lb1", f"{{route: {PREFIX}, gateway: 192.0.2.11}}", interval="100ms")).start()
    assert becomes(balancer, "initialize").fault == f"tracked route {PREFIX} via 192.0.2.11 is missing"
    ip(lb1, f"route add {PREFIX} via 192.0.2.12")
    many = [f"route add 10.{one // 250}.{one % 250}.0/24 via 192.0.2.12" for one in range(5000)]
    lb1.run(["ip", "-batch", "-"], input="\n".join([*many, f"route replace {PREFIX} via 192.0.2.11", ""]))
    becomes(balancer, "active")
    lb1.run(["ip", "-batch", "-"], input="\n".join([*(one.replace("add", "del") for one in many), ""]))
    assert row(balancer).transitions == 2
    assert "routes_not_read" not in balancer.log()
    ip(lb1, f"route del {PREFIX}")
    becomes(balancer, "initialize")


KEEPALIVED = """
global_defs { script_user root
 enable_script_security }
vrrp_script chk { script %(check)s
 interval 1
 weight %(weight)s reverse }
vrrp_instance lb0 { interface eth0
 virtual_router_id 51
 priority 150
 advert_int 1
 virtual_ipaddress { 192.0.2.100/24 }
 track_script { chk } }
"""


@pytest.mark.parametrize("weight", [20, -20, 0])
def test_an_inverted_script_counts_as_keepalived_s_reverse(world: World, weight: int) -> None:
    """`weight N reverse` is `weight: -N, inverted: true`: what is good counts as bad, and N is added or taken off."""
    lb1, lb2 = world["lb1"], world["lb2"]
    track = f"{{script: [{CHECK}], interval: 200ms, timeout: 1s, weight: {-weight}, inverted: true}}"
    keepalived = start_keepalived(lb2, KEEPALIVED % {"check": CHECK, "weight": weight})
    text = config("lb1", track, interval="1s", priority=100).replace(
        "interface: eth0", "interface: eth0\n    version: 2"
    )
    ours = Balancer(lb1, text).start()
    found: dict[str, tuple[int, int]] = {}
    for name, change in (("good", None), ("bad", spoil), ("good again", mend)):
        for host in (lb1, lb2):
            if change is not None:
                change(host)
        if weight == 0:
            becomes(ours, "backup" if name == "bad" else "initialize")
            wait_until(lambda: ("192.0.2.100" in addresses(lb2)) is (name == "bad"), 15, f"keepalived, {name}")  # noqa: B023 (used up before the next)
            continue
        good = name != "bad"
        weighs(ours, 100 - (weight if good is (weight > 0) else 0))
        with suppress(AssertionError):  # what is found is shown below
            wait_until(lambda: len(set(added(ours))) == 1 and settled(ours), 15, "keepalived has come as far")
        found[name] = added(ours)
    keepalived.send_signal(signal.SIGTERM)
    keepalived.wait(10)
    print(weight, found, lb2.read("/var/log/keepalived.log")[-3000:])
    assert all(one == other for one, other in found.values()), found


def addresses(host: LiveHost) -> str:
    return host.run(["ip", "-4", "addr"]).stdout


def added(balancer: Balancer) -> tuple[int, int]:
    """To our priority of 100, and to keepalived's of 150."""
    seen = row(balancer)
    return seen.priority - 100, seen.active_priority - 150


def settled(balancer: Balancer) -> bool:
    """The same priority heard for four advertisements."""
    first, before = row(balancer).adverts_received, row(balancer).active_priority
    try:
        wait_until(lambda: row(balancer).adverts_received >= first + 4, 15, "four advertisements")
    except AssertionError as error:
        raise AssertionError(f"{error}; {row(balancer)}") from error
    return row(balancer).active_priority == before


SERVICE = """
defaults: {check: {interval: 500ms, timeout: 500ms, fall: 2}}
services:
  web: {virtual: "192.0.2.100:80", scheduler: rr, check: {type: tcp}, real_servers: [192.0.2.11]}
"""


@pytest.mark.parametrize("word", ["", "nopreempt"])
def test_who_serves_nobody_and_does_not_preempt_yields_to_a_keepalived(world: World, word: str) -> None:
    lb1, lb2 = world["lb1"], world["lb2"]
    text = config("lb1", "{service: web, delay: 1s}", interval="1s").replace(
        "    track", "    preempt: false\n    track"
    )
    with farm.Server(world["rs1"], 80, farm.good):
        ours = Balancer(lb1, text.replace("eth0\n", "eth0\n    version: 2\n") + SERVICE).start()
        becomes(ours, "active")
        weighs(ours, 110)
        plain = "track_script { chk }", f"state BACKUP\n {word}"
        keepalived = start_keepalived(lb2, KEEPALIVED.replace(*plain) % {"check": CHECK, "weight": 0})
        wait_until(lambda: "BACKUP STATE" in lb2.read("/var/log/keepalived.log"), 15, "keepalived is backup")
        cut(world, "lb1")
        becomes(ours, "backup", "higher_priority")
        wait_until(lambda: "192.0.2.100" in addresses(lb2) and "192.0.2.100" not in addresses(lb1), 15, "it moved")
        weighs(ours, 1)  # one that preempts may have had the addresses before the checks told that
        keepalived.send_signal(signal.SIGTERM)
        keepalived.wait(10)
        becomes(ours, "active")  # nobody else is there
    assert row(ours).priority == 1
