"""The guide's own two files: lvsd runs them on lb1, the programs they were written for on lb2, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netlink.ipvs_socket import IpvsSocket
from netlink.table import Table
from tests.lab import service
from tests.lab.balancer import Balancer
from tests.lab.cluster import CLUSTER, VIP
from tests.lab.daemons import web
from tests.lab.daemons.balancers import Keepalived, Ldirectord
from tests.lab.prober import http
from tests.lab.waiting import wait_until
from tests.lab.world import CHECKOUT, LiveHost, World

LDIRECTORD = (Path(CHECKOUT) / "tests/golden/ldirectord/guide.cf").read_text()
KEEPALIVED = """
vrrp_instance VI_1 {
	state MASTER
	interface eth0
	virtual_router_id 1
	priority 200
	authentication {
		auth_type PASS
		auth_pass mySuperSecretPassw0rd
	}
	virtual_ipaddress {
		1.1.1.12/24
	}
}
"""
# One process in the foreground, as the lab runs it; without MySQL, for which Debian's ldirectord lacks a module, and
# without 465, which is down for both (plain SMTP to a TLS port) and would hold up all its other checks meanwhile.
FOR_LDIRECTORD = (
    LDIRECTORD[: LDIRECTORD.index("virtual=1.1.1.12:3306")].replace("fork=yes\n", "")
    + LDIRECTORD[LDIRECTORD.index("virtual=1.1.1.12:80") : LDIRECTORD.index("virtual=1.1.1.12:465")]
)
HA, VRRP = "/etc/ha.d/ldirectord.cf", "/etc/keepalived/keepalived.conf"
# 443: ldirectord verifies the certificate's chain and finds the lab's authority unknown (docs/migrating.md).
# 993: it wants a Perl module (Mail::IMAPClient) that the lab does not install.
ALIKE = (80, 995)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The mail hosts alone: the databases are down, for both."""
    with World(CLUSTER) as running:
        service.up(running, (service.MAILHOSTS,))
        yield running


@pytest.fixture(scope="module")
def ours(world: World) -> Iterator[Balancer]:
    lb1 = world["lb1"]
    lb1.write(HA, LDIRECTORD, 0o600)
    lb1.write(VRRP, KEEPALIVED, 0o600)
    balancer = Balancer(lb1, "daemon: {clear_table_on_stop: false}\n", HA, VRRP)
    yield balancer.start()
    if balancer.process is not None:
        assert balancer.stop() == 0


@pytest.fixture(scope="module")
def theirs(world: World) -> Iterator[LiveHost]:
    lb2 = world["lb2"]
    keepalived = Keepalived(KEEPALIVED.replace("priority 200", "priority 100"))
    ldirectord = Ldirectord(FOR_LDIRECTORD)
    lb2.start(keepalived)
    lb2.start(ldirectord)
    yield lb2
    lb2.stop(ldirectord)
    lb2.stop(keepalived)


def serving(table: Table) -> dict[tuple[int, str], int]:
    """(port, real server) -> weight of whoever gets clients: at weight 0 or not there is the same to them."""
    return {
        (key.port, one.address): destination.weight
        for key, entry in table.items()
        if key.port in ALIKE
        for one, destination in entry.destinations.items()
        if destination.weight
    }


def table_of(host: LiveHost) -> Table:
    def read() -> Table:
        with IpvsSocket() as kernel:
            return kernel.read_table()

    return host.call(read)


def agree(ours: Balancer, theirs: LiveHost, expected: set[tuple[int, str]], seconds: float) -> None:
    def both() -> bool:
        mine, other = serving(ours.table()), serving(table_of(theirs))
        return set(mine) == expected and mine == other

    try:
        wait_until(both, seconds, "the tables agree", every_seconds=0.5)
    except AssertionError as error:
        found = serving(ours.table()), serving(table_of(theirs))
        raise AssertionError(f"{error}: {found}; {ours.results()}") from error


MAIL = {(port, address) for port in (80, 995) for address in ("1.1.1.17", "1.1.1.18")}


def test_the_same_files_make_the_same_table(ours: Balancer, theirs: LiveHost) -> None:
    agree(ours, theirs, MAIL, 60)
    schedulers = {key: entry.service.scheduler for key, entry in ours.table().items()}
    for key, entry in table_of(theirs).items():
        assert schedulers[key] == entry.service.scheduler


def test_a_page_that_lost_its_word_leaves_both_tables(world: World, ours: Balancer, theirs: LiveHost) -> None:
    world["mail1"].write(web.CHECK_PAGE, "under construction\n")
    agree(ours, theirs, MAIL - {(80, "1.1.1.17")}, 60)
    world["mail1"].write(web.CHECK_PAGE, "ldirectord\n")
    agree(ours, theirs, MAIL, 60)


def test_the_address_goes_to_keepalived_and_comes_back(world: World, ours: Balancer, theirs: LiveHost) -> None:
    def holds(host: LiveHost) -> bool:
        return f"{VIP}/" in host.run(["ip", "-brief", "address", "show", "dev", "eth0"]).stdout

    client = world["client"]
    wait_until(lambda: holds(ours.host), 15, "lb1 is active by its priority")
    wait_until(lambda: client.call(http(VIP)), 15, "and serves")
    assert ours.stop() == 0
    wait_until(lambda: holds(theirs), 15, "keepalived takes over")
    wait_until(lambda: client.call(http(VIP)), 15, "and serves")
    ours.start()
    wait_until(lambda: holds(ours.host) and not holds(theirs), 30, "lb1 takes it back")
    wait_until(lambda: client.call(http(VIP)), 15, "and serves")
