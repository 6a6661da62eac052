"""Failovers by command and drills on a pair of lvsd, with a client of its own beside the drill's prober."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR, VIP
from tests.lab.prober import PATIENT_SECONDS, Prober, http
from tests.lab.test_connection_sync import Conversation, echo
from tests.lab.waiting import wait_until
from tests.lab.world import CHECKOUT, LiveHost, World

RS1, RS2 = "192.0.2.11", "192.0.2.12"
LVSCTL = f"{CHECKOUT}/.venv/bin/lvsctl"
SECRET = "0123456789abcdef0123456789abcdef"
HTTP = "type: http, path: /ldirectord.txt, receive: ldirectord"
CONVERSATIONS = 12
TOLERANCE_MS = 1000.0  # a poll's pace, turns of others on the one processor, and the moment each began to look
WAIT_SECONDS = 3.0  # nobody who is not told takes over sooner
ROLES_SECONDS = 10.0  # whoever changes its role has told its director a moment later


def config(host: str, *, interval: str = "1s", real_servers: str = "", check: str = HTTP, extra: str = "") -> str:
    own, other, priority = (1, 2, 200) if host == "lb1" else (2, 1, 100)
    return f"""
daemon:
  peer: {{listen: "192.0.2.{own}:8853", peers: ["192.0.2.{other}:8853"], secret: {SECRET}}}
vrrp:
  lb0:
    interface: eth0
    virtual_router_id: 51
    priority: {priority}
    version: 3
    advertisement_interval: {interval}
    addresses: [192.0.2.100/24]
defaults: {{check: {{interval: 1s, timeout: 1s, fall: 2}}}}
services:
  web:
    virtual: 192.0.2.100:80
    scheduler: rr
    check: {{{check}}}
    real_servers: [{real_servers or f"{RS1}, {RS2}"}]
{extra}
"""


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    world = make_world(PAIR)
    with ExitStack() as servers:
        for name in ("rs1", "rs2"):
            servers.enter_context(farm.Server(world[name], 80, farm.good))
        yield world


def up(world: World, **more: str) -> tuple[Balancer, Balancer]:
    """Lvsd on both: lb1 active, both real servers serving on both, the standby known."""
    first, second = (Balancer(world[name], config(name, **more)) for name in ("lb1", "lb2"))
    for one in (first, second):
        try:
            one.start()
        except AssertionError as error:
            raise AssertionError(one.log()) from error
    for one in (first, second):
        one.until("both serve", {RS1: 1, RS2: 1})
    wait_until(lambda: role(first) == "active" and role(second) == "backup", 10, "lb1 is active")
    wait_until(lambda: first.vrrp().instances[0].standbys == ("192.0.2.2",), 10, "the standby is known")
    return first, second


def role(balancer: Balancer) -> str:
    return balancer.vrrp().instances[0].role


def roles_are(first: Balancer, second: Balancer, *wanted: str) -> None:
    wait_until(lambda: (role(first), role(second)) == wanted, ROLES_SECONDS, f"{wanted}")


def compared_until(host: LiveHost, code: str) -> None:
    """Until a drill would be refused for this alone."""
    wait_until(lambda: codes(drilled(host, "--dry-run")[1]) == {code}, 20, code)


def lvsctl(host: LiveHost, *words: str) -> subprocess.CompletedProcess[str]:
    return host.run([LVSCTL, *words], check=False, timeout=60)


def drilled(host: LiveHost, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit status and report of a drill."""
    done = lvsctl(host, "drill", "--json", *words)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def codes(report: dict[str, Any]) -> set[str]:
    return {one["code"] for one in report["findings"] if one["blocks"]}


def test_failover_and_back(world: World) -> None:
    first, second = up(world)
    with Prober(world["client"], http(VIP)) as prober:
        wait_until(lambda: len(prober.polls) > 20, 10, "polls")
        done = lvsctl(world["lb1"], "failover")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("lb0: handed over to 192.0.2.2 in ")
        roles_are(first, second, "backup", "active")
        assert second.vrrp().instances[0].cause == "handed_over"
        assert first.vrrp().instances[0].yielded
        assert "lb0: was handed over and does not preempt" in lvsctl(world["lb1"], "vrrp").stdout
        polls = len(prober.polls)
        wait_until(lambda: len(prober.polls) > polls + 30, 10, "polls there")
        assert role(second) == "active"  # lb1 has the higher priority, and does not preempt
        again = lvsctl(world["lb1"], "failover", "lb0")
        assert again.returncode == 1
        assert "lb0 is not active here, but backup (the active router is 192.0.2.2: ask there)" in again.stderr
        back = lvsctl(world["lb1"], "failover", "--back", "--json")
        assert back.returncode == 0, back.stderr
        assert json.loads(back.stdout)["instances"][0]["outcome"] == "returned"
        roles_are(first, second, "active", "backup")
        polls = len(prober.polls)
        wait_until(lambda: len(prober.polls) > polls + 20, 10, "polls here")
    print("longest outage of both ways:", prober.at_least_seconds(), prober.outage_seconds(), prober.failures())
    assert prober.at_least_seconds() < WAIT_SECONDS  # however long the machine stands still at that moment


def test_what_cannot_be_handed_over_is_told(world: World) -> None:
    first, second = up(world)
    unknown = lvsctl(world["lb1"], "failover", "lb9")
    assert (unknown.returncode, unknown.stderr) == (1, "lvsctl: no VRRP instance 'lb9' (there are: lb0)\n")
    assert second.stop() == 0
    alone = lvsctl(world["lb1"], "failover")
    assert alone.returncode == 1, alone.stdout
    assert alone.stdout.startswith("lb0: nobody took over; taken back after ")
    assert role(first) == "active"


@pytest.mark.parametrize("how", ["graceful", "freeze"])
def test_a_drill_reports_what_a_client_sees(world: World, how: str) -> None:
    first, second = up(world)
    with Prober(world["client"], http(VIP), 0.01) as prober:
        wait_until(lambda: len(prober.polls) > 20, 10, "polls")
        status, report = drilled(world["lb1"], "--how", how)
        assert prober.polls
    print(json.dumps(report, indent=1))
    print("client:", prober.at_least_seconds(), prober.outage_seconds(), prober.failures())
    print(lvsctl(world["lb1"], "vrrp").stdout)
    assert status == 0
    assert (report["result"], report["findings"]) == ("rehearsed", [])
    assert [row["outcome"] for row in report["moved"] + report["returned"]] == ["handed_over", "returned"]
    seen = [one["milliseconds"] for one in report["there"] + report["back"]]
    assert len(seen) == 2
    assert prober.bears_out(max(map(float, seen)), TOLERANCE_MS)
    assert [one["address"] for one in report["announcements"]] == [VIP]
    roles_are(first, second, "active", "backup")
    kept = world["lb1"].run(["ls", "/var/lib/lvsd/drills"]).stdout.split()
    assert [name.rpartition(".")[2] for name in kept] == ["json", "txt"]
    assert SECRET not in json.dumps(report)


def test_a_killed_vrrp_process_moves_nothing(world: World) -> None:
    _, second = up(world, interval="3s")  # so that lb2 waits longer than a new process takes on a slow machine
    with Prober(world["client"], http(VIP, seconds=PATIENT_SECONDS)) as prober:
        wait_until(lambda: len(prober.polls) > 20, 10, "polls")
        status, report = drilled(world["lb1"], "--how", "kill")
    print(json.dumps(report, indent=1))
    assert status == 0
    assert prober.failures() == 0
    (seen,) = report["there"]
    assert prober.bears_out(seen["milliseconds"], TOLERANCE_MS)
    assert (report["announcements"], role(second)) == ([], "backup")


def test_an_outage_is_as_long_as_a_client_says(world: World) -> None:
    first, _ = up(world)
    world["lb2"].kill()
    with Prober(world["client"], http(VIP), 0.01) as prober:
        wait_until(lambda: len(prober.polls) > 20, 10, "polls")
        status, report = drilled(world["lb1"], "--force")
    print(json.dumps(report, indent=1))
    print("client:", prober.at_least_seconds(), prober.outage_seconds(), prober.failures())
    assert (status, report["result"]) == (1, "failed")
    assert report["why"].startswith("taken back")  # and not served there, where the first questions wait for an ARP
    assert "peer_unreachable" in codes(report)
    (seen,) = report["there"]
    assert 2000 < seen["milliseconds"] < 10000
    assert prober.bears_out(seen["milliseconds"], TOLERANCE_MS)
    assert role(first) == "active"


def test_a_peer_that_is_not_ready_is_named_and_the_drill_refused(world: World) -> None:
    first, second = up(world)
    lb1 = world["lb1"]
    assert drilled(lb1, "--dry-run")[0] == 0
    world["rs2"].run(["ip", "route", "add", "blackhole", "192.0.2.2/32"])
    wait_until(lambda: second.standings()["web 192.0.2.12:80"] != "serving", 20, "rs2 is down for lb2")
    status, report = drilled(lb1)
    assert (status, report["result"], codes(report)) == (1, "refused", {"real_server_down"}), report
    assert "192.0.2.12:80 is up here, down on lb2" in report["findings"][0]["text"]
    roles_are(first, second, "active", "backup")
    world["rs2"].run(["ip", "route", "del", "blackhole", "192.0.2.2/32"])
    second.configure(config("lb2", real_servers=RS1))
    assert second.reload().accepted
    compared_until(lb1, "real_server_missing")
    second.configure(config("lb2", interval="2s"))
    assert second.reload().accepted
    wait_until(lambda: set(second.standings().values()) == {"serving"}, 20, "all serve on lb2")
    compared_until(lb1, "instance_differs")
    second.configure(config("lb2").replace(SECRET, "x" * 20))
    assert second.reload().accepted
    compared_until(lb1, "peer_unreachable")  # by another secret
    assert "asker_refused" in second.log()
    assert SECRET not in second.log() + first.log()


def test_the_wire_is_decoded_and_two_active_routers_are_told(world: World) -> None:
    _, second = up(world)
    calm = lvsctl(world["lb1"], "vrrp", "watch", "--seconds", "5", "--json")
    rows = [json.loads(row) for row in calm.stdout.splitlines()]
    assert calm.returncode == 0, calm.stdout + calm.stderr
    assert {row["kind"] for row in rows} >= {"advertisement", "standby"}
    spoken = [row for row in rows if row["virtual_router_id"]]  # beside them the second burst of gratuitous ARP
    assert {(row["checksum"], row["virtual_router_id"]) for row in spoken} == {("right, with pseudo header", 51)}
    second.configure(config("lb2").replace("version: 3", "version: 2"))
    assert second.reload().accepted
    wait_until(lambda: role(second) == "active", 10, "both are active")
    torn = lvsctl(world["lb1"], "vrrp", "watch", "-i", "eth0", "--seconds", "5")
    assert torn.returncode == 1, torn.stdout + torn.stderr
    assert "virtual router 51: 192.0.2.1 and 192.0.2.2 are both active [two_active]" in torn.stdout
    assert "192.0.2.1 and 192.0.2.2 speak versions 3 and 2 [version_differs]" in torn.stdout
    nowhere = lvsctl(world["lb1"], "vrrp", "watch", "-i", "eth9", "--seconds", "1")
    assert (nowhere.returncode, nowhere.stderr) == (1, "lvsctl: eth9: no interface with this name\n")


def test_connections_that_are_told_are_kept_and_counted(make_world: MakeWorld) -> None:
    world = make_world(PAIR)
    with ExitStack() as stack:
        for name in ("rs1", "rs2"):
            stack.enter_context(farm.Server(world[name], 80, echo))
        up(world, check="type: tcp", extra="ipvs: {sync: {interface: eth0, id: 7}}")
        talks = [stack.enter_context(Conversation(world)) for _ in range(CONVERSATIONS)]
        wait_until(lambda: all(talk.known_to(world["lb2"]) for talk in talks), 20, "lb2 knows them")
        status, report = drilled(world["lb1"])
        print(json.dumps(report, indent=1))
        assert [talk.goes_on() for talk in talks] == [True] * CONVERSATIONS
    assert (status, codes(report)) == (0, set())
    (row,) = report["connections"]
    assert row["before"] >= row["kept"] >= CONVERSATIONS
