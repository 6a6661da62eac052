"""Addresses and links of a real kernel, in a network namespace of our own."""

from __future__ import annotations

import errno
import os
import select
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from netlink.errors import NetlinkError
from netlink.interfaces import SECONDARY, Address, AddressAdded, AddressRemoved, Link, LinkChanged, Overrun, RouteEvent
from netlink.route_socket import RouteMonitor, RouteSocket
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.lab
VIP = "192.0.2.100"
WAIT_SECONDS = 5.0
SMALL_BUFFER_BYTES = 2_304


def ip(*lines: str) -> None:
    """Run `ip` commands in one batch."""
    text = "\n".join(lines) + "\n"
    subprocess.run(["ip", "-batch", "-"], input=text, check=True, text=True, timeout=30)


@dataclass(frozen=True, slots=True)
class Bench:
    """A veth pair nlv0 - nlv1, and a socket to look at it."""

    routes: RouteSocket
    index: int

    def held(self) -> dict[str, Address]:
        return {found.address: found for found in self.routes.addresses(self.index) if "." in found.address}


@pytest.fixture
def bench() -> Iterator[Bench]:
    ip(
        "link add nlv0 type veth peer name nlv1",
        "link set nlv0 up",
        "link set nlv1 up",
        "address add 192.0.2.1/24 dev nlv0",
    )
    try:
        with RouteSocket() as routes:
            wait_until(lambda: all(routes.links()[name].running for name in ("nlv0", "nlv1")), WAIT_SECONDS, "carrier")
            yield Bench(routes, routes.links()["nlv0"].index)
    finally:
        ip("link delete nlv0")


def promote(value: str) -> None:
    for where in ("all", "nlv0"):
        setting = ["sysctl", "-qw", f"net.ipv4.conf.{where}.promote_secondaries={value}"]
        subprocess.run(setting, check=True, timeout=30)


def heard(monitor: RouteMonitor, wanted: RouteEvent) -> list[RouteEvent]:
    """Everything up to and including the wanted event, waiting for it with a bound.

    The kernel's own IPv6 addresses come when they come: a second or two after the interface is up.
    """
    events: list[RouteEvent] = []
    while wanted not in events:
        ready, _, _ = select.select([monitor], [], [], WAIT_SECONDS)
        assert ready, f"{wanted} was not heard, but {events}"
        events += [event for event in monitor.read() if not is_of_ipv6(event)]
    return events


def is_of_ipv6(event: RouteEvent) -> bool:
    return isinstance(event, AddressAdded | AddressRemoved) and ":" in event.address.address


def without_carrier(bench: Bench) -> Link:
    """The kernel tells an interface that its peer is gone from a work queue of its own."""
    wait_until(lambda: not bench.routes.links()["nlv0"].running, WAIT_SECONDS, "no carrier")
    return bench.routes.links()["nlv0"]


def test_links(bench: Bench) -> None:
    links = bench.routes.links()
    assert links["lo"].name == "lo"
    found = links["nlv0"]
    peer = links["nlv1"].index
    assert found == Link(bench.index, "nlv0", found.mac, 1500, up=True, running=True, kind="veth", parent=peer)
    assert len(found.mac) == 6
    ip("link set nlv1 down")
    assert without_carrier(bench).up is True


def test_add_and_delete(bench: Bench) -> None:
    assert bench.routes.add_address(bench.index, VIP, 24, label="nlv0:vip") is True
    found = bench.held()[VIP]
    assert (found.prefix_length, found.label, found.flags & SECONDARY) == (24, "nlv0:vip", SECONDARY)
    assert bench.routes.add_address(bench.index, VIP, 24) is False
    assert bench.held()[VIP] == found
    assert bench.routes.delete_address(bench.index, VIP, 24) is True
    assert bench.routes.delete_address(bench.index, VIP, 24) is False
    assert [*bench.held()] == ["192.0.2.1"]


def test_ipv6(bench: Bench) -> None:
    assert bench.routes.add_address(bench.index, "2001:db8::100", 64, no_dad=True) is True
    assert bench.routes.add_address(bench.index, "2001:db8::100", 64) is False
    (found,) = [one for one in bench.routes.addresses(bench.index) if one.address == "2001:db8::100"]
    assert (found.prefix_length, found.flags & 0x40) == (64, 0)  # not tentative
    assert bench.routes.delete_address(bench.index, "2001:db8::100", 64) is True
    assert bench.routes.delete_address(bench.index, "2001:db8::100", 64) is False


def test_a_deprecated_address_is_valid_for_ever_and_no_source(bench: Bench) -> None:
    assert bench.routes.add_address(bench.index, "2001:db8::100", 64, no_dad=True, deprecated=True) is True
    (found,) = [one for one in bench.routes.addresses(bench.index) if one.address == "2001:db8::100"]
    assert found.flags & 0x20
    shown = subprocess.run(["ip", "-6", "address"], check=True, capture_output=True, text=True, timeout=30).stdout
    assert "valid_lft forever preferred_lft 0sec" in shown


def test_the_prefix_length_belongs_to_the_address(bench: Bench) -> None:
    bench.routes.add_address(bench.index, VIP, 32)
    assert bench.routes.delete_address(bench.index, VIP, 24) is False
    assert VIP in bench.held()


@pytest.mark.parametrize("setting", ["0", "1"])
def test_a_primary_goes_alone(bench: Bench, setting: str) -> None:
    """The trap: without promote_secondaries the kernel deletes all of the subnet."""
    promote(setting)
    bench.routes.add_address(bench.index, VIP, 24)
    bench.routes.add_address(bench.index, "192.0.2.101", 24)
    assert bench.routes.delete_address(bench.index, "192.0.2.1", 24) is True
    left = bench.held()
    assert {*left} == {VIP, "192.0.2.101"}
    assert sum(1 for found in left.values() if not found.flags & SECONDARY) == 1


def test_the_trap_is_real(bench: Bench) -> None:
    promote("0")
    bench.routes.add_address(bench.index, VIP, 24)
    ip("address delete 192.0.2.1/24 dev nlv0")
    assert bench.held() == {}


def test_refusals_carry_their_errno(bench: Bench) -> None:
    with pytest.raises(NetlinkError) as caught:
        bench.routes.add_address(99_999, VIP, 24)
    assert caught.value.errno == errno.ENODEV
    assert bench.routes.delete_address(99_999, VIP, 24) is False
    assert "192.0.2.1" in bench.held()  # the socket serves on after a refusal


def test_changes_are_heard(bench: Bench) -> None:
    monitor = RouteMonitor()
    bench.routes.add_address(bench.index, VIP, 24)
    vip = bench.held()[VIP]
    assert heard(monitor, AddressAdded(vip)) == [AddressAdded(vip)]
    bench.routes.delete_address(bench.index, VIP, 24)
    assert heard(monitor, AddressRemoved(vip)) == [AddressRemoved(vip)]
    ip("link set nlv1 down")
    down = without_carrier(bench)
    assert LinkChanged(down) in heard(monitor, LinkChanged(down))
    monitor.close()


def test_a_link_that_goes_is_heard_but_a_port_that_leaves_a_bridge_is_not(bench: Bench) -> None:
    monitor = RouteMonitor()
    ip("link add nlbr0 type bridge", "link set nlv0 master nlbr0", "link set nlv0 nomaster")
    bridge = bench.routes.links()["nlbr0"].index
    ip("link delete nlbr0")
    gone: list[int] = []
    while bridge not in gone:
        ready, _, _ = select.select([monitor], [], [], WAIT_SECONDS)
        assert ready
        gone += [event.link.index for event in monitor.read() if isinstance(event, LinkChanged) and not event.present]
    assert gone == [bridge]
    monitor.close()


def test_lost_notifications_are_told(bench: Bench) -> None:
    monitor = RouteMonitor()
    with socket.socket(fileno=os.dup(monitor.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
    for host in range(10, 250):
        bench.routes.add_address(bench.index, f"192.0.2.{host}", 24)
    events = monitor.read()
    assert Overrun() in events
    monitor.close()
