"""A pair's keepalived.conf as they are in the wild, run by lvsd on one balancer and by keepalived on the other.

Unicast, a tracked script with a weight, commands at changes of role, an address that is not advertised.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.balancer import Balancer
from tests.lab.cluster import PRIVATE, PUBLIC, VIP
from tests.lab.daemons.balancers import Keepalived
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.vrrp_scene import addresses_of, capture
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

PAIR = Topology(
    "pair",
    (Network(PUBLIC, "1.1.1.0/24", "example.net"), Network(PRIVATE, "10.1.1.0/24", "local")),
    tuple(Host(name, (Attachment(PUBLIC, (f"1.1.1.{last}/24",)), Attachment(PRIVATE, (f"10.1.1.{last}/24",))))
          for name, last in (("lb1", 13), ("lb2", 14))),
)  # fmt: skip
CONF = """! Configuration File for keepalived
global_defs {
   router_id lb
   enable_script_security
   script_user root
   vrrp_notify_fifo /run/vrrp.fifo
}

vrrp_script chk_haproxy {
    script "/usr/bin/pgrep -x haproxy"   # is it there
    interval 1
    timeout 10
    weight 2
}

vrrp_instance VI_HAPROXY {
    state %(state)s
    interface eth0
    virtual_router_id 60
    priority %(priority)s
    advert_int 1
    unicast_src_ip %(own)s
    unicast_peer {
        %(peer)s
    }
    authentication {
        auth_type PASS
        auth_pass h4proxy
    }
    virtual_ipaddress {
        1.1.1.12/24 dev eth0 label eth0:0
    }
    virtual_ipaddress_excluded {
        10.1.1.12/24 dev eth1
    }
    track_script {
        chk_haproxy
    }
    notify_master "/etc/keepalived/notify.sh master"
    notify_backup "/etc/keepalived/notify.sh backup"
    notify_stop   "/etc/keepalived/notify.sh stop"
    notify "/etc/keepalived/notify.sh"
}
"""
OURS = {"state": "MASTER", "priority": "101", "own": "1.1.1.13", "peer": "1.1.1.14"}
THEIRS = {"state": "BACKUP", "priority": "100", "own": "1.1.1.14", "peer": "1.1.1.13"}
FILE, NOTIFY, TOLD = "/etc/keepalived/keepalived.conf", "/etc/keepalived/notify.sh", "/run/told"
OTHER_VIP = "10.1.1.12"
SECONDS = 20.0
ADVERTISEMENT = 0x21  # version 2, type 1


def run_haproxy(host: LiveHost) -> subprocess.Popen[str]:
    """Something of that name."""
    host.run(["cp", "/bin/sleep", "/run/haproxy"])
    return host.popen(["/run/haproxy", "100000"])


def holds(host: LiveHost) -> bool:
    """Whether it has both addresses; one alone is no state to rest in."""
    return {VIP, OTHER_VIP} <= addresses_of(host)


def moves(taker: LiveHost, giver: LiveHost, why: str) -> None:
    wait_until(lambda: holds(taker) and not {VIP, OTHER_VIP} & addresses_of(giver), SECONDS, why)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(PAIR) as running:
        for host in (running["lb1"], running["lb2"]):
            host.write(NOTIFY, f'#!/bin/sh\necho "$@" >> {TOLD}\n', 0o755)
            host.write(TOLD, "")
        yield running


@pytest.fixture(scope="module")
def theirs(world: World) -> Iterator[LiveHost]:
    lb2 = world["lb2"]
    haproxy = run_haproxy(lb2)
    keepalived = Keepalived(CONF % THEIRS)
    lb2.start(keepalived)
    yield lb2
    lb2.stop(keepalived)
    haproxy.kill()


@pytest.fixture(scope="module")
def ours(world: World) -> Iterator[Balancer]:
    lb1 = world["lb1"]
    lb1.write(FILE, CONF % OURS, 0o600)
    balancer = Balancer(lb1, "daemon: {clear_table_on_stop: false}\n", FILE)
    yield balancer
    if balancer.process is not None:
        assert balancer.stop() == 0


def told(host: LiveHost) -> list[str]:
    return host.read(TOLD).splitlines()


def test_the_pair(ours: Balancer, theirs: LiveHost) -> None:
    """One story: without the script's process keepalived serves, with it lvsd; then it goes, and lvsd is stopped."""
    wait_until(lambda: holds(theirs), SECONDS, "keepalived is active alone")
    reader = ours.host.popen(["sh", "-c", "mkfifo -m 600 /run/vrrp.fifo; cat <> /run/vrrp.fifo"], log="/run/lines")
    ours.start()
    wait_until(lambda: ours.vrrp().instances[0].active_priority == 102, SECONDS, "keepalived is heard, with its weight")
    assert ours.vrrp().instances[0].role == "backup"
    assert holds(theirs)

    haproxy = run_haproxy(ours.host)
    frames = capture(ours.host, "ip proto 112 and src 1.1.1.13")
    moves(ours.host, theirs, "lvsd's 101 and the script's 2 are more than 102")
    wait_until(lambda: ours.vrrp().instances[0].adverts_sent > 1, SECONDS, "it advertises")
    sent = [frame for frame in frames() if frame[34] == ADVERTISEMENT]  # a backup asks whether it is understood
    assert {frame[30:34] for frame in sent} == {bytes([1, 1, 1, 14])}  # unicast
    assert {frame[36] for frame in sent} == {103}
    assert {frame[37] for frame in sent} == {1}  # one address is advertised, the other moves with it

    haproxy.send_signal(signal.SIGKILL)
    haproxy.wait(10)
    moves(theirs, ours.host, "without its process lvsd is worth less")
    haproxy = run_haproxy(ours.host)
    moves(ours.host, theirs, "and takes the addresses back with it")
    assert ours.stop() == 0
    moves(theirs, ours.host, "lvsd gives the addresses up when it stops")

    any_roles = [line for line in told(ours.host) if line.startswith("INSTANCE")]
    assert any_roles == [
        "INSTANCE VI_HAPROXY BACKUP 101",
        "INSTANCE VI_HAPROXY MASTER 103",
        "INSTANCE VI_HAPROXY BACKUP 101",
        "INSTANCE VI_HAPROXY MASTER 103",
        "INSTANCE VI_HAPROXY STOP 103",
    ]
    assert [line for line in told(ours.host) if line not in any_roles] == [
        "backup",
        "master",
        "backup",
        "master",
        "stop",
    ]
    wait_until(lambda: ours.host.read("/run/lines").count("\n") == 5, SECONDS, "the reader has written all")
    lines = ours.host.read("/run/lines").splitlines()
    assert [line.split()[2] for line in lines] == ["BACKUP", "MASTER", "BACKUP", "MASTER", "STOP"]
    assert {line.split()[1] for line in lines} == {'"VI_HAPROXY"'}
    reader.kill()
    haproxy.kill()
