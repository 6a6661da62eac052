"""Farms that misbehave, through the whole service on a real kernel: one that flaps, one whose packets get lost, one
whose checks all fail at once while its clients are served.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.pair import PAIR, VIP
from tests.lab.prober import PATIENT_SECONDS, Prober, http
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

RS1, RS2, RS3 = "192.0.2.11", "192.0.2.12", "192.0.2.22"
FLAPPING, CHECKED, LOSSY, PAGES = 83, 84, 85, 80
PLAIN, DAMPED = 81, 82
HELD_SECONDS = 12.0
PROBES = 5
CONFIG = f"""
defaults:
  forwarding: masquerade
  scheduler: rr
  check: {{type: http, path: /ldirectord.txt, receive: ldirectord, interval: 1s, timeout: 900ms, fall: 1}}
services:
  plain:
    virtual: {VIP}:{PLAIN}
    real_servers: ["{RS1}:{FLAPPING}", "{RS2}:{FLAPPING}"]
  damped:
    virtual: {VIP}:{DAMPED}
    hold_down: {{first: {HELD_SECONDS:g}s}}
    real_servers: ["{RS1}:{FLAPPING}", "{RS2}:{FLAPPING}"]
  lossy:
    virtual: {VIP}:{LOSSY}
    check: {{timeout: 3s, fall: 2}}
    real_servers: ["{RS1}:{LOSSY}", "{RS2}:{LOSSY}"]
  three:
    virtual: {VIP}:{PAGES}
    forwarding: direct
    correlated_failure: {{hold: 100}}
    on_failure: quiesce
    check: {{port: {CHECKED}, timeout: 5s}}
    real_servers: [{RS1}, {RS2}, {RS3}]
"""


@dataclass
class Farms:
    """A balancer, and the real servers by host and port."""

    world: World
    balancer: Balancer
    servers: dict[tuple[str, int], farm.Server]

    def told(self, words: str) -> int:
        """How often this was logged."""
        return self.balancer.log().count(words)


@pytest.fixture(scope="module")
def farms() -> Iterator[Farms]:
    with World(PAIR) as world, ExitStack() as stack:
        world["lb1"].run(["ip", "address", "add", f"{VIP}/32", "dev", "eth0"])
        world["rs2"].run(["ip", "address", "add", f"{RS3}/24", "dev", "eth0"])
        servers = {
            (name, port): stack.enter_context(farm.Server(world[name], port, farm.good))
            for name in ("rs1", "rs2")
            for port in (PAGES, FLAPPING, CHECKED, LOSSY)
        }
        balancer = Balancer(world["lb1"], CONFIG).start()
        yield Farms(world, balancer, servers)
        assert balancer.stop() == 0


def test_who_flaps_comes_back_once_a_hold_and_his_twin_without_one_each_time(farms: Farms) -> None:
    balancer, flapper = farms.balancer, farms.servers["rs1", FLAPPING]
    both, one = {RS1: 1, RS2: 1}, {RS2: 1}
    for port in (PLAIN, DAMPED):
        balancer.until("both serve", both, port)
    began = time.monotonic()
    for failure in range(1, 5):
        flapper.manner = farm.reset
        balancer.until("it fails", one, PLAIN)
        flapper.manner = farm.good
        balancer.until("it passes", both, PLAIN)
        if failure == 2:  # held from here on, and not only until the last of its failures is behind it
            balancer.until("the other serves alone", one, DAMPED)
            assert farms.told("real_server_held_down service=damped") >= 1
    log = balancer.log()
    holds = (time.monotonic() - began) / HELD_SECONDS
    assert log.count(f"real_server_up service=plain real_server={RS1}") == 1 + 4, log
    # the first failure costs nothing, each further one a hold or more
    assert log.count(f"real_server_up service=damped real_server={RS1}") <= 2 + holds, log
    balancer.until("it is forgiven", both, DAMPED, seconds=HELD_SECONDS * (2 + holds))


@contextmanager
def losing(host: LiveHost, which: str) -> Iterator[None]:
    """The host loses those packets of the lossy service's checks that it gets."""
    host.run(["tc", "qdisc", "add", "dev", "eth0", "clsact"])
    match = f"protocol ip u32 match ip protocol 6 0xff match ip dport {LOSSY} 0xffff"
    host.run(["tc", "filter", "add", "dev", "eth0", "ingress", *match.split(), "action", *which.split()])
    try:
        yield
    finally:
        host.run(["tc", "qdisc", "del", "dev", "eth0", "clsact"])


def lost(host: LiveHost) -> int:
    """How many it has lost so far."""
    told = host.run(["tc", "-s", "filter", "show", "dev", "eth0", "ingress"]).stdout
    return int(re.findall(r"dropped (\d+)", told)[0])


def test_who_loses_a_packet_in_three_goes_on_and_who_loses_all_leaves(farms: Farms) -> None:
    balancer, host, both = farms.balancer, farms.world["rs1"], {RS1: 1, RS2: 1}

    def probes() -> int:
        (row,) = (one for one in balancer.status().services if one.name == "lossy")
        return next(real.probes for real in row.real_servers if real.real_server.startswith(RS1))

    balancer.until("both serve", both, LOSSY)
    before = probes()
    with losing(host, "pass random determ drop 3"):
        # of probes that ended before it lost anything the balancer may be told only now: what counts is what was lost
        wait_until(lambda: probes() >= before + PROBES and lost(host) >= 2 * PROBES, 60, "probes that lose packets")
    assert farms.told("real_server_down service=lossy") == 0, balancer.log()
    with losing(host, "drop"):
        balancer.until("it is not heard of any more", {RS2: 1}, LOSSY, seconds=30)
        name = f"lossy {RS1}:{LOSSY}"
        wait_until(lambda: balancer.results()[name] == "connect_timeout", 30, "why")
    balancer.until("it is back", both, LOSSY, seconds=30)


def test_all_checks_fail_at_once_and_no_client_notices(farms: Farms) -> None:
    """At once: within the interval and the timeout of a check, which is long and waited out by nobody.

    The first of them are quiesced until the last has failed, so that connections which are just under way go on.
    """
    balancer, everybody = farms.balancer, {RS1: 1, RS2: 1, RS3: 1}
    checks = [farms.servers[name, CHECKED] for name in ("rs1", "rs2")]
    balancer.until("all serve", everybody)
    with Prober(farms.world["client"], http(VIP, seconds=PATIENT_SECONDS)) as prober:
        for server in checks:
            server.manner = farm.reset
        wait_until(lambda: farms.told("failure_suspected") or None, 20, "it is suspected")
        balancer.until("all are called back", everybody)
        for server in checks:
            server.manner = farm.good
        wait_until(lambda: farms.told("failure_not_confirmed") or None, 20, "it is not confirmed")
        polls = len(prober.polls)
        wait_until(lambda: len(prober.polls) > polls + 10, 20, "polls")
    assert balancer.weights() == everybody
    assert prober.failures() == 0, balancer.log()
    assert farms.told("failure_confirmed") == 0
