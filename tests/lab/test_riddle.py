"""The guide's riddle: why a Galera node "will sometimes fail to start" once the virtual address is on its `lo`.

A node must tell the others where to send it the data it lacks. Not told (`wsrep_node_address`), it guesses. A server
of the guide's time (MariaDB 5.5.38) took the first address that `ip addr` calls global: `lo` comes first, so it took
the virtual address. The node that has the data then connects to the virtual address, which is on its own `lo` too: to
itself. Servers of today (since about 5.5.42) skip loopback interfaces, and guess the first address of the first
interface, which may be wrong in other ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.lab import service
from tests.lab.cluster import CLUSTER, PRIVATE, PUBLIC, VIP
from tests.lab.daemons import mariadb
from tests.lab.daemons.process import DaemonFailed
from tests.lab.world import LiveHost, World

NODES = ("db1", "db2")
LOG = "/var/log/mariadb.log"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The cluster's first node runs, with all the data."""
    mariadb.install_template()
    hosts = tuple(CLUSTER.host(name) for name in (*NODES, "filer1"))
    with World(replace(CLUSTER, name="riddle", hosts=hosts)) as running:
        running["db1"].start(service.node(running, "db1", first=True))
        yield running


@pytest.fixture
def db2(world: World) -> LiveHost:
    """A node that has nothing yet, freshly booted."""
    host = world["db2"]
    host.kill()
    host.revive()
    host.run(["rm", "-rf", mariadb.DATA, LOG])
    return host


def joiner(world: World, address: str) -> mariadb.MariaDB:
    """A node that needs a full snapshot; without an address it guesses."""
    return replace(service.node(world, "db2"), address=address, fresh=True)


def guessed(host: LiveHost) -> str:
    """What the node took for its own address, in its own words."""
    return host.read(LOG).partition("base_host = ")[2].partition(";")[0]


def first_global_address(host: LiveHost) -> str:
    """What a server of the guide's time guessed."""
    lines = host.run(["ip", "addr", "show"]).stdout.splitlines()
    return next(line.split()[1] for line in lines if line.strip().startswith("inet") and "global" in line).partition(
        "/"
    )[0]


def test_a_server_of_the_guides_time_takes_the_virtual_address(db2: LiveHost) -> None:
    assert first_global_address(db2) == VIP


def cannot_join(world: World, db2: LiveHost, address: str) -> None:
    """The server that has the data, db1, connects to the virtual address: its own."""
    with pytest.raises(DaemonFailed, match="Will never receive state"):
        db2.start(joiner(world, address))
    assert f"failed to connect 'tcp://{VIP}:4568'" in world["db1"].read(LOG)
    assert "Connection refused" in db2.read(LOG)


def joins(world: World, db2: LiveHost, address: str) -> None:
    """And leaves in good order: of two nodes, one that dies leaves the other without a majority."""
    daemon = joiner(world, address)
    db2.start(daemon)
    db2.stop(daemon)


def test_a_node_that_takes_the_virtual_address_cannot_join(world: World, db2: LiveHost) -> None:
    cannot_join(world, db2, VIP)


def test_a_server_of_today_skips_lo_and_takes_the_public_address(world: World, db2: LiveHost) -> None:
    """It joins, but its data crosses the public network."""
    joins(world, db2, "")
    assert guessed(db2) == db2.address(PUBLIC)


def test_but_takes_the_virtual_address_where_it_is_first_on_another_interface(world: World, db2: LiveHost) -> None:
    own = db2.address(PUBLIC)
    db2.run(["ip", "addr", "flush", "dev", "eth0"])
    db2.run(["ip", "addr", "add", f"{VIP}/32", "dev", "eth0"])
    db2.run(["ip", "addr", "add", f"{own}/24", "dev", "eth0"])
    cannot_join(world, db2, "")
    assert guessed(db2) == VIP


def test_saying_the_address_mends_it(world: World, db2: LiveHost) -> None:
    joins(world, db2, db2.address(PRIVATE))
    assert guessed(db2) == db2.address(PRIVATE)
