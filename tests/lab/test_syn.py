"""Half-open checks through the whole service: nginx, ports that are closed, dropped and rejected, both families, the
raw worker that asks, and what the real servers see of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from checkers.core.proof import standing
from tests.lab.balancer import Balancer
from tests.lab.daemons import certificates
from tests.lab.daemons.web import Nginx
from tests.lab.pair import PAIR
from tests.lab.waiting import wait_until
from tests.lab.world import World

FALLEN = "real_server_down service=open "
LB, RS1, RS2 = "192.0.2.1", "192.0.2.11", "192.0.2.12"
RS1_6, RS2_6 = "2001:db8::11", "2001:db8::12"
CHOOSY = "192.0.6.1"  # answers nobody but the second address of lb1
APART = "192.0.7.1"  # an address of rs1, to which the marked have a way
VIP, VIP6 = "192.0.2.100", "2001:db8::100"
FAST = "interval: 100ms, timeout: 100ms, fall: 2"
SLOW = "interval: 5s, timeout: 1s, fall: 1"  # Linux says no more than once a second that it has no route
CASES = {
    # name: real server, its port, further keys, result, detail
    "open": (RS1, 80, FAST, "ok", ""),
    "open_six": (RS1_6, 81, FAST, "ok", ""),
    "closed": (RS1, 82, FAST, "refused", ""),
    "closed_six": (RS1_6, 82, FAST, "refused", ""),
    "nobody": ("192.0.2.99", 80, FAST, "connect_timeout", ""),
    "dropped": ("192.0.5.1", 80, FAST, "connect_timeout", ""),
    "prohibited_six": ("2001:db8:3::1", 80, FAST, "unreachable", f"communication prohibited, says {RS2_6}"),
    "unreachable": ("192.0.4.1", 80, SLOW, "unreachable", f"host unreachable, says {RS2}"),
    "elsewhere": (CHOOSY, 80, f"{FAST}, source: 192.0.2.3", "ok", ""),
    "not_elsewhere": (CHOOSY, 80, FAST, "connect_timeout", ""),
    "marked": (APART, 80, f"{FAST}, mark: 7", "ok", ""),
    "unmarked": (APART, 80, FAST, "inconclusive", "cannot send: Network is unreachable"),
}
ROUTER = (
    # what lies beyond rs2 it keeps to itself
    "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
    "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0",
    "ip route add unreachable 192.0.4.0/24",
    "ip route add blackhole 192.0.5.0/24",
    "ip route add prohibit 2001:db8:3::/64",
    f"ip address add {CHOOSY}/32 dev lo",
    f"ip rule add from {CHOOSY} to {LB} blackhole",
)
ROUTES = (
    "ip address add 192.0.2.3/24 dev eth0",
    *(f"ip route add {network} via {RS2}" for network in ("192.0.4.0/24", "192.0.5.0/24", CHOOSY)),
    f"ip route add 2001:db8:3::/64 via {RS2_6}",
    f"ip route add {APART} via {RS1} table 100",
    "ip rule add fwmark 7 lookup 100",
)


def config() -> str:
    lines = ["services:"]
    for number, (name, (real, port, keys, _, _)) in enumerate(CASES.items(), 1000):
        six = ":" in real
        virtual, address = (f"[{VIP6}]:{number}", f"[{real}]:{port}") if six else (f"{VIP}:{number}", f"{real}:{port}")
        lines.append(
            f"  {name}: {{virtual: '{virtual}', forwarding: masquerade, check: {{type: syn, {keys}}}, "
            f"real_servers: ['{address}']}}"
        )
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(PAIR) as running:
        for name, last in (("lb1", 1), ("rs1", 11), ("rs2", 12)):
            running[name].run(["ip", "address", "add", f"2001:db8::{last}/64", "dev", "eth0", "nodad"])
        certificates.lay_authority(running)
        commands = {"lb1": ROUTES, "rs1": (f"ip address add {APART}/32 dev lo",), "rs2": ROUTER}
        for name, lines in commands.items():
            for line in lines:
                running[name].run(line.split())
        for name in ("rs1", "rs2"):
            certificates.lay_certificate(running[name])
            running[name].start(Nginx())
        running["rs1"].popen(["socat", "TCP6-LISTEN:81,bind=[2001:db8::11],fork", "OPEN:/var/log/taken,creat,append"])
        yield running


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    running = Balancer(world["lb1"], config()).start()
    yield running
    assert running.stop() == 0


def results(balancer: Balancer) -> dict[str, tuple[str, str]]:
    """Service -> result and its words of its one real server's last probe."""
    return {
        service.name: (real.result, real.detail)
        for service in balancer.status().services
        for real in service.real_servers
    }


def probes(balancer: Balancer, name: str) -> int:
    """How many probes of that service's one real server there were."""
    [real] = next(one for one in balancer.status().services if one.name == name).real_servers
    return real.probes


def wrong(balancer: Balancer) -> dict[str, tuple[str, str]]:
    """Services whose check finds something else than it should."""
    found = results(balancer)
    return {
        name: found[name]
        for name, (_, _, _, result, words) in CASES.items()
        if found[name][0] != result or words not in found[name][1]
    }


def test_each_check_finds_what_is_there(balancer: Balancer) -> None:
    try:
        wait_until(lambda: not wrong(balancer), 30, "all as expected")
    except AssertionError as error:
        raise AssertionError(f"{error}: {wrong(balancer)}\n{balancer.log()[-3000:]}") from error


def test_the_real_servers_see_no_connection(world: World, balancer: Balancer) -> None:
    before = probes(balancer, "open")
    wait_until(lambda: probes(balancer, "open") >= before + 50, 30, "fifty probes more")
    rs1 = world["rs1"]
    # one may be under way now; any that is not reset stays for a minute, and there are twenty more each second
    wait_until(lambda: rs1.run(["ss", "-Htan", "state", "syn-recv"]).stdout == "", 5, "none stays half open")
    assert rs1.run(["ss", "-Htan", "state", "established", "( sport = :80 )"]).stdout == ""
    assert rs1.read("/var/log/nginx/access.log") == ""
    assert rs1.run(["test", "-e", "/var/log/taken"], check=False).returncode == 1


def test_a_real_server_leaves_with_its_port_and_comes_back(world: World, balancer: Balancer) -> None:
    number = 1000 + list(CASES).index("elsewhere")
    balancer.until("it serves", {CHOOSY: 1}, port=number)
    world["rs2"].stop(Nginx())
    balancer.until("it is out", {}, port=number)
    wait_until(lambda: results(balancer)["elsewhere"][0] == "refused", 10, "refused")
    world["rs2"].start(Nginx())
    balancer.until("it is back", {CHOOSY: 1}, port=number)


def test_an_address_that_goes_away_takes_nobody_out(world: World, balancer: Balancer) -> None:
    """What probes leave from changes under them; the table does not."""
    lb1 = world["lb1"]
    wait_until(lambda: results(balancer)["open"][0] == "ok", 10, "it is up")
    fallen = balancer.log().count(FALLEN)
    lb1.run(["sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=1", "net.ipv4.conf.eth0.promote_secondaries=1"])
    lb1.run(["ip", "address", "del", f"{LB}/24", "dev", "eth0"])
    wait_until(lambda: "192.0.2.3" in lb1.run(["ip", "route", "get", RS1]).stdout, 10, "another source")
    before = probes(balancer, "open")
    wait_until(lambda: probes(balancer, "open") >= before + 20, 30, "probes from there")
    wait_until(lambda: results(balancer)["open"][0] == "ok", 10, "it is up")
    assert balancer.weights(1000) == {RS1: 1}
    assert balancer.log().count(FALLEN) == fallen


def test_the_worker_that_asks_holds_one_capability(world: World, balancer: Balancer) -> None:
    lb1 = world["lb1"]
    held = {standing(lb1.read(f"/proc/{pid}/status")).effective for pid in balancer.running("lvsd-checker")}
    assert "0000000000002000" in held  # CAP_NET_RAW
    assert held <= {"0000000000000000", "0000000000002000"}
