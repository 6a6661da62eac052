"""A drill on a pair where something is wrong with the standby: refused, with a sentence that names it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR, VIP
from tests.lab.test_failover import codes, config, drilled, lvsctl, role, up
from tests.lab.vrrp_scene import addresses_of, start_keepalived
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

KEEPALIVED = f"""
vrrp_instance lb0 {{ interface eth0
 version 3
 virtual_router_id 51
 priority 100
 advert_int 1
 virtual_ipaddress {{ {VIP}/24 }} }}
virtual_server {VIP} 80 {{ }}
"""


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    world = make_world(PAIR)
    with ExitStack() as servers:
        for name in ("rs1", "rs2"):
            servers.enter_context(farm.Server(world[name], 80, farm.good))
        yield world


def compared(world: World) -> dict[str, Any]:
    return drilled(world["lb1"], "--dry-run")[1]


def texts(report: dict[str, Any]) -> str:
    return "\n".join(one["text"] for one in report["findings"] if one["blocks"])


def refused(world: World, code: str, words: str, *, lasting: bool = True) -> None:
    """The drill is refused for this alone, in these words, and nothing moves. What does not last is only compared."""
    found: list[dict[str, Any]] = []

    def so() -> bool:
        found.append(compared(world))
        return codes(found[-1]) == {code} and words in texts(found[-1])

    try:
        wait_until(so, 20, f"{code}: {words}")
    except AssertionError as error:
        raise AssertionError(f"{error}; {found[-1]['findings']}") from error
    if not lasting:
        return
    before = addresses_of(world["lb1"])
    status, report = drilled(world["lb1"])
    assert (status, report["result"]) == (1, "refused")
    assert VIP in before & addresses_of(world["lb1"])


def well(world: World) -> None:
    wait_until(lambda: compared(world)["findings"] == [], 20, "both agree again")


SYSCTLS = (
    ("net.ipv4.ip_forward", "net.ipv4.ip_forward is "),
    ("net.ipv4.conf.eth0.arp_ignore", "arp_ignore is 0 for eth0 here, 8 for eth0 on lb2"),
    ("net.ipv4.conf.all.arp_announce", "arp_announce is 0 for eth0 here, 2 for eth0 on lb2"),
    ("net.ipv4.conf.eth0.rp_filter", "rp_filter is "),
    ("net.ipv4.vs.expire_nodest_conn", "net.ipv4.vs.expire_nodest_conn is 0 here, 1 on lb2"),
    ("net.ipv4.vs.expire_quiescent_template", "net.ipv4.vs.expire_quiescent_template is 0 here, 1 on lb2"),
)
OTHER = {"arp_ignore": "8", "arp_announce": "2", "rp_filter": "2"}


def test_sysctls(world: World) -> None:
    up(world)
    for name, words in SYSCTLS:
        before = world["lb2"].run(["sysctl", "-n", name]).stdout.strip()
        other = OTHER.get(name.rpartition(".")[2], str(1 - int(before)))
        world["lb2"].run(["sysctl", "-qw", f"{name}={other}"])
        refused(world, "sysctl_differs", words)
        world["lb2"].run(["sysctl", "-qw", f"{name}={before}"])
    well(world)


@contextmanager
def stopped(balancer: Balancer, name: str) -> Iterator[None]:
    number = str(balancer.pid(name))
    balancer.host.run(["kill", "-STOP", number])
    try:
        yield
    finally:
        balancer.host.run(["kill", "-CONT", number])


def test_an_address_a_table_and_processes(world: World) -> None:
    first, second = up(world)
    lb2 = world["lb2"]
    lb2.run(["ip", "addr", "add", f"{VIP}/32", "dev", "eth0"])
    refused(world, "address_present", f"{VIP} is on eth0 of lb2 already")
    lb2.run(["ip", "addr", "del", f"{VIP}/32", "dev", "eth0"])
    for words, said in (
        (f"-d -t {VIP}:80 -r 192.0.2.12:80", "192.0.2.12:80: the kernel of lb2 should have weight 1, has none"),
        (f"-a -t {VIP}:80 -r 192.0.2.13:80 -g", "the kernel of lb2 has 192.0.2.13:80, which nobody configured"),
    ):
        meddler = lb2.popen(["sh", "-c", f"while sleep 0.05; do ipvsadm {words} 2>/dev/null; done"])
        refused(world, "table_differs", said, lasting=False)  # lvsd mends it each second, and it is spoilt again
        meddler.kill()
        meddler.wait(10)
        well(world)
    with stopped(second, "vrrp"):
        named(world, {"peer_trouble", "no_standby"}, "it hangs or is stopped")  # and is not heard of, in the end
    wait_until(lambda: first.vrrp().instances[0].standbys == ("192.0.2.2",), 10, "the standby is back")
    with stopped(second, "director"):
        words = "192.0.2.2:8853 cannot be looked at: no answer in 5 s"
        refused(world, "peer_unreachable", words, lasting=False)  # the supervisor bears with it for 20 s
    well(world)


def test_configurations(world: World) -> None:
    first, second = up(world)
    own = config("lb2")
    for text, code, words in (
        (own.replace("_id: 51", "_id: 52"), "instance_missing", "lb2 has no virtual router 51: it has 52 (lb0)"),
        (own.replace("scheduler: rr", "scheduler: wlc"), "service_differs", "rr flags 0x0"),
        (own.replace(":80", ":81"), "service_missing", f"tcp {VIP}:80 is not configured on lb2"),
        (
            own.replace("interface: eth0", "interface: eth0\n    track: [{interface: dummy0}]"),
            "instance_not_backup",
            "lb0: it is initialize on lb2, not backup: tracked interface dummy0 is down",
        ),
    ):
        second.configure(text)
        assert second.reload().accepted
        also = {"instance_missing": "no_standby", "instance_not_backup": "no_standby"}.get(code)
        named(world, {code, also} - {None}, words)
        second.configure(own)
        assert second.reload().accepted
        wait_until(lambda: (role(first), role(second)) == ("active", "backup"), 20, "as before")
        well(world)
    first.configure(config("lb1") + "ipvs: {sync: {interface: eth0, id: 7}}\n")
    assert first.reload().accepted
    refused(world, "sync_missing", "connections are told here, lb2 is not configured to listen")


def named(world: World, wanted: set[str | None], words: str) -> None:
    found: list[dict[str, Any]] = [{}]

    def so() -> bool:
        found[0] = compared(world)
        return codes(found[0]) <= wanted and words in texts(found[0])

    try:
        wait_until(so, 20, words)
    except AssertionError as error:
        raise AssertionError(f"{error}; {found[0]['findings']}") from error
    status, report = drilled(world["lb1"])
    assert (status, report["result"]) == (1, "refused")


def test_passwords(world: World) -> None:
    first, second = up(world)
    for balancer, word in ((first, "one-word"), (second, "other")):
        text = config(balancer.host.name)
        balancer.configure(text.replace("version: 3", f"version: 2\n    authentication: {{password: {word}}}"))
        assert balancer.reload().accepted
    wait_until(lambda: "password_differs" in codes(compared(world)), 20, "the passwords differ")
    report = compared(world)
    assert "lb0: the password on lb2 is another one: each drops what the other advertises" in texts(report)
    assert "one-word" not in str(report) + first.log()


def test_a_standby_that_is_gone_or_a_keepalived(world: World) -> None:
    first, second = up(world)
    assert second.stop() == 0
    wait_until(lambda: not first.vrrp().instances[0].standbys, 10, "nobody stands by")
    named(world, {"peer_unreachable", "no_standby"}, "192.0.2.2:8853 cannot be looked at")
    assert "no other router is known to stand by (a keepalived does not tell)" in texts(compared(world))
    keepalived = start_keepalived(world["lb2"], KEEPALIVED)
    wait_until(lambda: "BACKUP STATE" in world["lb2"].read("/var/log/keepalived.log"), 10, "keepalived is backup")
    named(world, {"peer_unreachable", "no_standby"}, "a keepalived does not tell")
    status, report = drilled(world["lb1"], "--force")
    print(report)
    assert (status, report["result"], report["forced"]) == (0, "rehearsed", True)
    assert [row["outcome"] for row in report["moved"] + report["returned"]] == ["handed_over", "returned"]
    assert max(one["milliseconds"] for one in report["there"]) < 2500  # it was told to take over, and waited for 600
    keepalived.send_signal(signal.SIGTERM)
    keepalived.wait(10)


def test_a_cable_that_is_out(world: World) -> None:
    up(world)
    world["lb2"].link_down("public")
    named(world, {"peer_unreachable", "no_standby"}, "192.0.2.2:8853 cannot be looked at")


def test_a_peer_named_by_hand(world: World) -> None:
    first, _ = up(world)
    first.configure(config("lb1").replace('peers: ["192.0.2.2:8853"], ', ""))
    assert first.reload().accepted
    assert codes(compared(world)) == {"peer_not_configured"}
    assert "daemon: {peer: {listen:" in lvsctl(world["lb1"], "drill", "--dry-run").stderr
    assert drilled(world["lb1"], "--dry-run", "--peer", "192.0.2.2")[1]["findings"] == []
    first.configure(
        "\n".join(line for line in config("lb1").splitlines() if "secret" not in line and "daemon" not in line)
    )
    assert first.reload().accepted
    done = lvsctl(world["lb1"], "drill", "--dry-run", "--peer", "192.0.2.2")
    assert (done.returncode, "no secret is known to ask a peer with" in done.stderr) == (1, True)


def by_hand(host: LiveHost, *words: str) -> tuple[int, str]:
    done = lvsctl(host, "failover", *words)
    return done.returncode, done.stdout + done.stderr


def until_active(balancer: Balancer, *names: str) -> Callable[[], bool]:
    return lambda: {row.name for row in balancer.vrrp().instances if row.role == "active"} == set(names)


def test_failover_by_hand_to_a_standby_in_fault_or_a_keepalived(world: World) -> None:
    _, second = up(world)
    second.configure(config("lb2").replace("interface: eth0", "interface: eth0\n    track: [{interface: dummy0}]"))
    assert second.reload().accepted
    wait_until(lambda: role(second) == "initialize", 10, "lb2 is in fault")
    status, said = by_hand(world["lb1"])
    assert (status, "lb0: nobody took over; taken back after " in said) == (1, True), said
    assert second.stop() == 0
    keepalived = start_keepalived(world["lb2"], KEEPALIVED)
    wait_until(lambda: "BACKUP STATE" in world["lb2"].read("/var/log/keepalived.log"), 10, "keepalived is backup")
    status, said = by_hand(world["lb1"])
    print(said)
    assert (status, said.startswith("lb0: handed over to 192.0.2.2 in ")) == (0, True), said
    wait_until(lambda: VIP in addresses_of(world["lb2"]), 10, "keepalived has the address")
    status, said = by_hand(world["lb1"], "--back")
    print(said)
    assert (status, said.startswith("lb0: active here again after ")) == (0, True), said
    keepalived.send_signal(signal.SIGTERM)
    keepalived.wait(10)


SECOND = """  lb1:
    interface: eth0
    virtual_router_id: 52
    priority: {priority}
    version: 3
    advertisement_interval: 1s
    addresses: [192.0.2.101/24]
defaults"""


@pytest.mark.parametrize("grouped", [False, True])
def test_failover_by_hand_of_several_instances(world: World, grouped: bool) -> None:
    first, second = up(world)
    for balancer, priority in ((first, 200), (second, 100)):
        text = config(balancer.host.name).replace("defaults", SECOND.format(priority=priority), 1)
        if grouped:
            text = text.replace("    interface: eth0\n", "    interface: eth0\n    sync_group: both\n")
        balancer.configure(text)
        assert balancer.reload().accepted
    wait_until(until_active(first, "lb0", "lb1"), 20, "lb1 has both")
    wait_until(lambda: all(row.standbys for row in first.vrrp().instances), 20, "both standbys are known")
    status, said = by_hand(world["lb1"], "lb0")
    assert status == 0, said
    moved = {"lb0", "lb1"} if grouped else {"lb0"}
    assert len(said.splitlines()) == len(moved)
    wait_until(until_active(second, *moved), 10, "lb2 has them")
    if not grouped:
        status, said = by_hand(world["lb1"])  # all that are left
        assert (status, said.startswith("lb1: handed over to 192.0.2.2")) == (0, True), said
    status, said = by_hand(world["lb1"], "--back")
    assert (status, len(said.splitlines())) == (0, 2), said
    wait_until(until_active(first, "lb0", "lb1"), 10, "lb1 has both again")
