"""The real kernel keeps the table's contract, agrees with the table in memory, and prints what we expect."""

from __future__ import annotations

import errno
import functools
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from netlink.ipvs_socket import IpvsSocket, read_proc_ip_vs
from netlink.memory import MemoryTable
from netlink.operations import AddDestination, AddService, DeleteService, Operation, SetDestination
from netlink.proc_ip_vs import fingerprint, fingerprint_of
from netlink.settings import SetTimeouts, StartDaemon, StopDaemon
from netlink.table import Info, ServiceKey, SyncDaemon, Timeouts
from tests.contract.settings_contract import INTERFACE, SettingsContract, SettingsSubject, begun
from tests.contract.table_contract import HTTP, PEER, PLAIN, V4, Subject, TableContract, salt_of_order, service, to
from tests.unit.netlink.strategies import HISTORIES

pytestmark = pytest.mark.lab
MANY = 10_000


def cleared() -> IpvsSocket:
    """The lab's own kernel with an empty table."""
    socket = IpvsSocket()
    socket.apply([DeleteService(key) for key in socket.read_table()])
    return socket


def ipvsadm(*arguments: str) -> str:
    return subprocess.run(["ipvsadm", *arguments], check=True, capture_output=True, text=True, timeout=30).stdout


@pytest.fixture
def kernel() -> Iterator[IpvsSocket]:
    with cleared() as socket:
        yield socket
        socket.apply([DeleteService(key) for key in socket.read_table()])


class TestKernelTable(TableContract):
    """Against the kernel."""

    @pytest.fixture
    def subject(self, kernel: IpvsSocket) -> Subject:
        return kernel


class TestKernelSettings(SettingsContract):
    """Against the kernel."""

    @pytest.fixture
    def settings(self, kernel: IpvsSocket) -> Iterator[SettingsSubject]:
        before = kernel.timeouts()
        ip(f"link add {INTERFACE} type dummy\naddr add 192.0.2.201/24 dev {INTERFACE}\nlink set {INTERFACE} up")
        try:
            yield begun(kernel)
        finally:
            kernel.apply_settings([StopDaemon(daemon.role) for daemon in kernel.daemons()])
            kernel.apply_settings([SetTimeouts(before.tcp, before.tcp_fin, before.udp)])
            ip(f"link delete {INTERFACE}")

    def test_what_we_set_ipvsadm_shows(self, settings: SettingsSubject) -> None:
        settings.apply_settings([StartDaemon("master", INTERFACE, 7, 1000, "239.1.2.3", 9000, 3)])
        settings.apply_settings([StartDaemon("backup", INTERFACE, 8, group="ff02::51")])
        assert ipvsadm("-L", "--daemon").splitlines() == [
            f"master sync daemon (mcast={INTERFACE}, syncid=7, maxlen=1000, group=239.1.2.3, port=9000, ttl=3)",
            f"backup sync daemon (mcast={INTERFACE}, syncid=8, maxlen=1452, group=ff02::51, port=8848, ttl=1)",
        ]
        assert ipvsadm("-L", "--timeout") == "Timeout (tcp tcpfin udp): 901 121 302\n"


def ip(batch: str) -> None:
    """`ip -batch` in the lab's own network namespace."""
    subprocess.run(["ip", "-batch", "-"], input=batch + "\n", check=True, text=True, timeout=30)


@functools.cache
def salt_of_kernel() -> int:
    """What this network namespace adds to the hash; it never changes."""
    with cleared() as socket:
        keys = [ServiceKey(V4, 6, "0.0.0.0", port) for port in range(256)]
        socket.apply([AddService(service(key)) for key in keys])
        salt = salt_of_order(socket)
        socket.apply([DeleteService(key) for key in keys])
        return salt


@settings(max_examples=300)
@given(HISTORIES)
def test_kernel_and_memory_agree(operations: list[Operation]) -> None:
    """Same refusals, same table, same order; and /proc/net/ip_vs reads as our table says."""
    with cleared() as kernel:
        memory = MemoryTable(salt=salt_of_kernel())
        assert kernel.apply(operations) == memory.apply(operations)
        found = kernel.read_table()
        assert found == memory.read_table()
        assert [(key, [*entry.destinations]) for key, entry in found.items()] == [
            (key, [*entry.destinations]) for key, entry in memory.read_table().items()
        ]
        assert fingerprint(read_proc_ip_vs()) == fingerprint_of(found)
        assert [status.service for status in kernel.read_status()] == [entry.service for entry in found.values()]


def many(count: int) -> list[Operation]:
    peers = [to(f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}") for index in range(1, count + 1)]
    return [AddService(PLAIN), *(AddDestination(HTTP, peer) for peer in peers)]


def test_ten_thousand_destinations_in_one_call(kernel: IpvsSocket) -> None:
    operations = many(MANY)
    assert kernel.apply(operations) == ()
    assert len(kernel.read_table()[HTTP].destinations) == MANY
    assert fingerprint(read_proc_ip_vs()) == fingerprint_of(kernel.read_table())
    assert len(kernel.read_status(HTTP)[0].destinations) == MANY


def test_every_one_of_many_refusals_is_told(kernel: IpvsSocket) -> None:
    operations = [SetDestination(HTTP, to(f"10.0.{index >> 8}.{index & 255}")) for index in range(2_000)]
    kernel.apply([AddService(PLAIN)])
    refused = kernel.apply(operations)
    assert [found.operation for found in refused] == operations
    assert {found.errno for found in refused} == {errno.ENOENT}


def test_what_a_hand_changes_is_read(kernel: IpvsSocket) -> None:
    kernel.apply([AddService(PLAIN), AddDestination(HTTP, PEER)])
    before = fingerprint(read_proc_ip_vs())
    ipvsadm("-e", "-t", "192.0.2.1:80", "-r", "192.0.2.11:80", "-i", "-w", "7", "-x", "9", "-y", "3")
    found = kernel.read_table()[HTTP].destinations[PEER.key]
    assert found == to("192.0.2.11", forwarding=2, weight=7, upper_threshold=9, lower_threshold=3)
    assert fingerprint(read_proc_ip_vs()) != before
    ipvsadm("-C")
    assert kernel.read_table() == {}


def test_what_we_set_ipvsadm_shows(kernel: IpvsSocket) -> None:
    persistent = service(flags=0x19, timeout=300, netmask=24)
    gue = to("192.0.2.12", forwarding=2, weight=5, tunnel_type=1, tunnel_port=6080, tunnel_flags=1)
    kernel.apply([AddService(persistent), AddDestination(HTTP, gue)])
    assert ipvsadm("-Sn").splitlines() == [
        "-A -t 192.0.2.1:80 -s wrr -p 300 -M 255.255.255.0 -b flag-1,flag-2",
        "-a -t 192.0.2.1:80 -r 192.0.2.12:80 -i -w 5 --tun-type gue --tun-port 6080 --tun-csum",
    ]


def test_status_of_one(kernel: IpvsSocket) -> None:
    other = service(ServiceKey(V4, 6, "192.0.2.1", 443))
    kernel.apply([AddService(PLAIN), AddService(other), AddDestination(HTTP, PEER)])
    (status,) = kernel.read_status(HTTP)
    assert (status.service, [found.destination for found in status.destinations]) == (PLAIN, [PEER])
    assert kernel.read_status(ServiceKey(V4, 17, "192.0.2.1", 80)) == ()


def test_info_and_timeouts(kernel: IpvsSocket) -> None:
    assert kernel.info() == Info((1, 2, 1), 4096)
    before = kernel.timeouts()
    ipvsadm("--set", "901", "121", "302")
    try:
        assert kernel.timeouts() == Timeouts(901, 121, 302)
    finally:
        ipvsadm("--set", str(before.tcp), str(before.tcp_fin), str(before.udp))


def test_sync_daemons(kernel: IpvsSocket) -> None:
    assert kernel.daemons() == ()
    ip("link add sync0 type dummy\nlink set sync0 up multicast on")
    try:
        ipvsadm("--start-daemon", "master", "--mcast-interface", "sync0", "--syncid", "7")
        assert kernel.daemons() == (SyncDaemon("master", "sync0", 7, 1472, "224.0.0.81", 8848, 1),)
        ipvsadm("--stop-daemon", "master")
    finally:
        ip("link delete sync0")


def test_a_plain_user_is_told_what_is_missing() -> None:
    # Only then somebody else: a checkout may lie where another user cannot read it.
    program = (
        "import os\nfrom netlink.ipvs_socket import IpvsSocket\n"
        "os.setgroups([])\nos.setresgid(65534, 65534, 65534)\nos.setresuid(65534, 65534, 65534)\n"
        "IpvsSocket().read_table()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "run as root, or with the capability CAP_NET_ADMIN" in done.stderr
