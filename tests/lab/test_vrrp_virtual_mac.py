"""A virtual router's own MAC, between two lvsd and beside Debian's keepalived, as clients and the wire see it."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import msgspec
import pytest

from config.model import VirtualAddress, VrrpInstance
from lvsd.vrrp.messages import Cause, Role
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.vrrp_scene import HELD, PYTHON, Balancer, addresses_of, becomes, capture, start_keepalived
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

VIP4, VIP6 = "1.1.1.112", "2001:db8:1::112"
MAC4, MAC6 = "00:00:5e:00:01:33", "00:00:5e:00:02:33"
PARENT = ("arp_ignore", "arp_announce")

TOPOLOGY = Topology(
    "virtual-mac",
    (Network("public", "1.1.1.0/24"),),
    tuple(
        Host(
            name,
            (Attachment("public", (f"1.1.1.{last}/24", f"2001:db8:1::{last}/64")),),
            loopback=(f"{VIP4}/32", f"{VIP6}/128") if name.startswith("rs") else (),
            sysctls=(("net.ipv4.conf.all.arp_ignore", "1"), ("net.ipv4.conf.all.arp_announce", "2"))
            if name.startswith("rs")
            else (),
        )
        for name, last in (("client", 50), ("lb1", 13), ("lb2", 14), ("rs1", 15))
    ),
)

KEEPALIVED = """\
vrrp_instance four {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.2
    use_vmac vrrp4
    virtual_ipaddress {{
        1.1.1.112/24
    }}
}}
vrrp_instance six {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.2
    use_vmac vrrp6
    virtual_ipaddress {{
        2001:db8:1::112/64
    }}
}}
"""


def instances(priority: int) -> tuple[VrrpInstance, VrrpInstance]:
    def instance(name: str, address: str, prefix_length: int) -> VrrpInstance:
        return VrrpInstance(
            name=name,
            interface="eth0",
            virtual_router_id=51,
            priority=priority,
            version=3,
            addresses=(VirtualAddress(address, prefix_length, "eth0"),),
            advertisement_interval=0.2,
            virtual_mac=f"vrrp{name[0]}",
        )

    return instance("four", VIP4, 24), instance("six", VIP6, 64)


class Scene:
    """Two balancers, a client and a real server."""

    def __init__(self, world: World, stack: ExitStack) -> None:
        self.world, self.stack = world, stack
        self.client = world["client"]

    def balancer(self, name: str, priority: int) -> Balancer:
        made = Balancer(self.world[name], *instances(priority))
        self.stack.callback(made.director.close)
        made.start()
        return made

    def pair(self) -> tuple[Balancer, Balancer]:
        lb1, lb2 = self.balancer("lb1", 200), self.balancer("lb2", 100)
        serves(lb1)
        stands_by(lb2)
        return lb1, lb2

    def neighbours(self) -> dict[str, str]:
        """What the client believes, of the addresses that it reached just now."""
        for address in (VIP4, VIP6):
            self.client.run(["ping", "-c1", "-W2", "-n", address])
        shown = self.client.run(["ip", "neigh", "show", "dev", "eth0"]).stdout
        return dict(re.findall(r"^(\S+) lladdr (\S+)", shown, re.MULTILINE))

    def sees_virtual(self) -> None:
        neighbours = self.neighbours()
        assert (neighbours[VIP4], neighbours[VIP6]) == (MAC4, MAC6)


def serves(balancer: Balancer) -> None:
    for name in ("four", "six"):
        balancer.wait(Role.ACTIVE, name=name)


def stands_by(balancer: Balancer) -> None:
    for name in ("four", "six"):
        balancer.wait(Role.BACKUP, name=name)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with World(TOPOLOGY) as world, ExitStack() as stack:
        for host in world:
            wait_until(lambda: "tentative" not in host.run(["ip", "addr"]).stdout, 10, "addresses")  # noqa: B023
        yield Scene(world, stack)


def holds(host: LiveHost) -> bool:
    return {VIP4, VIP6} <= addresses_of(host)


def watch_neighbours(host: LiveHost) -> Callable[[], list[str]]:
    """Every MAC that the host believes of a virtual address, until the call."""
    host.popen(["ip", "monitor", "neigh"], log="/var/log/neighbours.log")

    def believed() -> list[str]:
        lines = host.read("/var/log/neighbours.log").splitlines()
        return [line for line in lines if line.split(" ")[0] in (VIP4, VIP6) and "lladdr" in line]

    return believed


def settings(host: LiveHost, interface: str) -> list[str]:
    return [host.read(f"/proc/sys/net/ipv4/conf/{interface}/{key}").strip() for key in PARENT]


def test_the_client_sees_one_mac_over_failover_and_return(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    believed = watch_neighbours(scene.client)
    scene.sees_virtual()
    lb1.end()
    serves(lb2)
    scene.sees_virtual()
    lb1.start()
    serves(lb1)
    stands_by(lb2)
    scene.sees_virtual()
    lb1.host.kill()
    serves(lb2)
    scene.sees_virtual()
    assert {mac for line in believed() for mac in re.findall(r"lladdr (\S+)", line)} == {MAC4, MAC6}
    assert "not_sent" not in lb2.log()


def spoken(frames: list[bytes]) -> set[bytes]:
    """Advertisements and announcements from a virtual MAC, without what counts: IPv4's number, IPv6's flow label."""
    found = set()
    for frame in frames:
        kind = frame[12:14]
        if frame[6:11] not in (b"\0\0\x5e\0\1", b"\0\0\x5e\0\2"):
            continue
        if kind == b"\x08\x00" and frame[23] == 112:
            found.add(frame[:18] + bytes(2) + frame[20:24] + bytes(2) + frame[26:46])
        elif kind == b"\x86\xdd" and frame[20] == 112:
            found.add(frame[:15] + bytes(3) + frame[18:])
        elif kind == b"\x08\x06" and frame[28:32] == frame[38:42]:
            found.add(frame[:42])
        elif kind == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136 and frame[:6] == b"33\0\0\0\1":
            found.add(frame)
    return found


def test_our_frames_are_keepaliveds(scene: Scene) -> None:
    """All that becoming active and leaving puts on the wire from a virtual MAC."""
    lb1 = scene.world["lb1"]
    frames = capture(scene.client, "not ether src 02:00:00:00:00:02")
    keepalived = start_keepalived(lb1, KEEPALIVED.format(priority=200))
    becomes(lambda: holds(lb1), "keepalived is active")
    keepalived.terminate()
    keepalived.wait(10)
    theirs = spoken(frames())
    frames = capture(scene.client, "not ether src 02:00:00:00:00:02")
    ours = scene.balancer("lb1", 200)
    serves(ours)
    ours.end()
    assert spoken(frames()) == theirs
    assert len(theirs) == 6  # advertisement, farewell and announcement of either family


@pytest.mark.parametrize("we_lead", [True, False], ids=["lvsd leads", "keepalived leads"])
def test_beside_keepalived_with_use_vmac(scene: Scene, we_lead: bool) -> None:
    ours = scene.balancer("lb1", 200 if we_lead else 100)
    theirs, conf = scene.world["lb2"], KEEPALIVED.format(priority=100 if we_lead else 200)
    keepalived = start_keepalived(theirs, conf)
    if we_lead:
        serves(ours)
        becomes(lambda: not holds(theirs), "one leads")
        scene.sees_virtual()
        ours.end()
        becomes(lambda: holds(theirs), "keepalived takes over")
        scene.neighbours()
        ours.start()
        serves(ours)
        becomes(lambda: not holds(theirs), "keepalived lets go")
    else:
        becomes(lambda: holds(theirs), "keepalived leads")
        stands_by(ours)
        keepalived.terminate()
        keepalived.wait(10)
        serves(ours)
        scene.sees_virtual()
        keepalived = start_keepalived(theirs, conf)
        becomes(lambda: holds(theirs) and not holds(ours.host), "keepalived is back")
        stands_by(ours)
        scene.neighbours()
    keepalived.terminate()
    keepalived.wait(10)
    serves(ours)
    scene.sees_virtual()
    assert ours.status("four").dropped == ours.status("six").dropped == {}


def test_two_active_routers_hear_each_other_and_one_gives_way(scene: Scene) -> None:
    """Both speak from the same MAC: a macvlan in private mode would keep it from each other."""
    lb1, lb2 = scene.pair()
    scene.world.partition("public", ["lb1"], ["lb2"])
    serves(lb2)
    scene.world.heal()
    stands_by(lb2)
    serves(lb1)
    scene.sees_virtual()


def test_a_backup_is_not_heard_with_the_virtual_mac(scene: Scene) -> None:
    """Nor one that just left: a switch would send everything there."""
    lb1, lb2 = scene.pair()
    frames = capture(lb2.host, f"outbound and (ether src {MAC4} or ether src {MAC6})")
    lb1.end()
    serves(lb2)
    scene.sees_virtual()
    lb1.start()
    serves(lb1)
    stands_by(lb2)
    lb2.host.run(["ping", "-c", "12", "-i", "0.2", "-q", "1.1.1.50"])  # the time of a host that leaves its groups
    seen = frames()
    for mac in (MAC4, MAC6):
        said = [frame for frame in seen if frame[6:12].hex(":") == mac]
        assert len(said) > 10
        assert 112 in (said[-1][20], said[-1][23]), said[-1].hex(" ")  # an advertisement was its last word


def test_a_killed_process_resumes_and_the_address_never_goes(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    index = lb1.host.read("/sys/class/net/vrrpf/ifindex")
    for _ in range(2):
        lb1.end(signal.SIGKILL)
        assert holds(lb1.host)
        lb1.start("--restarted")
        for name in ("four", "six"):
            lb1.wait(Role.ACTIVE, Cause.RESUMED, name=name)
        scene.sees_virtual()
    assert lb1.host.read("/sys/class/net/vrrpf/ifindex") == index
    assert lb2.status("four").transitions == lb2.status("six").transitions == 1


def test_nothing_is_left_after_the_end(scene: Scene) -> None:
    host = scene.world["lb1"]
    before = settings(host, "eth0")
    lb1 = scene.balancer("lb1", 200)
    serves(lb1)
    assert settings(host, "eth0") == ["1", "2"]
    lb1.end()
    assert "vrrp" not in host.run(["ip", "-o", "link"]).stdout
    assert settings(host, "eth0") == before == ["0", "0"]


@pytest.mark.parametrize("how", ["a fresh start", "--release"])
def test_what_a_killed_process_left_is_removed(scene: Scene, how: str) -> None:
    lb1 = scene.balancer("lb1", 200)
    serves(lb1)
    lb1.end(signal.SIGKILL)
    if how == "--release":
        lb1.host.run([PYTHON, "-I", "-m", "lvsd.runtime.vrrp_process", "--release", "--held-file", HELD])
    else:
        lb1.director.close()
        lb1.start()
        becomes(lambda: "vrrp" not in lb1.host.run(["ip", "-o", "link"]).stdout, "removed without any director")
    assert "vrrp" not in lb1.host.run(["ip", "-o", "link"]).stdout
    assert settings(lb1.host, "eth0") == ["0", "0"]


def test_an_interface_of_somebody_elses_is_left_alone(scene: Scene) -> None:
    host = scene.world["lb1"]
    host.run(["ip", "-batch", "-"], input="link add vrrpf type dummy\nlink set vrrpf up\n")
    lb1 = scene.balancer("lb1", 200)
    lb1.wait(Role.ACTIVE, name="six")
    assert "interface vrrpf exists and is no macvlan" in lb1.status("four").fault
    host.run(["ip", "link", "del", "vrrpf"])
    lb1.wait(Role.ACTIVE, name="four")
    scene.sees_virtual()


def test_one_that_is_removed_or_lowered_by_hand_comes_back(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    for command in (["ip", "link", "del", "vrrpf"], ["ip", "link", "set", "vrrps", "down"]):
        lb1.host.run(command)
        becomes(lambda: holds(lb1.host), f"after {command}")
        scene.sees_virtual()
    assert lb2.status("four").transitions == lb2.status("six").transitions == 1


def test_a_reload_takes_the_addresses_to_the_macvlan_and_back(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    moved = tuple(msgspec.structs.replace(one, virtual_mac="") for one in instances(200))
    lb1.director.configure(*moved)
    becomes(lambda: {VIP4, VIP6} <= addresses_of(lb1.host, "eth0"), "on eth0")
    becomes(lambda: "vrrpf" not in lb1.host.run(["ip", "-o", "link"]).stdout, "no macvlan")
    assert scene.neighbours()[VIP4] == "02:00:00:00:00:02"
    lb1.director.configure(*instances(200))
    becomes(lambda: VIP4 in addresses_of(lb1.host, "vrrpf") and VIP6 in addresses_of(lb1.host, "vrrps"), "on macvlans")
    becomes(lambda: VIP4 not in addresses_of(lb1.host, "eth0"), "not on eth0")
    scene.sees_virtual()
    assert lb1.status("four").transitions == 2
    assert lb2.status("four").transitions == lb2.status("six").transitions == 1


SERVER = """
import socket, threading
def serve(listener):
    while True:
        listener.accept()[0].close()
for family in (socket.AF_INET, socket.AF_INET6):
    listener = socket.create_server(("", 80), family=family, backlog=64)
    threading.Thread(target=serve, args=(listener,)).start()
"""


def test_virtual_services_are_reached_through_it(scene: Scene) -> None:
    """Direct routing: the client's packets go to the virtual MAC, the real server's answers come from its own."""
    lb1, lb2 = scene.pair()
    rs1 = scene.world["rs1"]
    server = rs1.popen([PYTHON, "-c", SERVER])
    becomes(lambda: ":80 " in rs1.run(["ss", "-ltn"]).stdout, "the server listens")
    for host in (lb1.host, lb2.host):
        for service, real in ((f"{VIP4}:80", "1.1.1.15:80"), (f"[{VIP6}]:80", "[2001:db8:1::15]:80")):
            host.run(["ipvsadm", "-A", "-t", service, "-s", "rr"])
            host.run(["ipvsadm", "-a", "-t", service, "-r", real, "-g"])
    scene.sees_virtual()
    for _ in range(2):
        frames = capture(scene.client, "tcp port 80 or (ip6 and tcp port 80)")
        for address in (VIP4, VIP6):
            scene.client.run([PYTHON, "-c", f"import socket; socket.create_connection(('{address}', 80), 3)"])
        seen = frames()
        assert {frame[:6].hex(":") for frame in seen if frame[6:12].hex(":") == "02:00:00:00:00:01"} == {MAC4, MAC6}
        assert {frame[6:12].hex(":") for frame in seen if frame[:6].hex(":") == "02:00:00:00:00:01"} == {
            "02:00:00:00:00:04"
        }
        if lb1.process is not None:
            lb1.end()
        serves(lb2)
    server.kill()
