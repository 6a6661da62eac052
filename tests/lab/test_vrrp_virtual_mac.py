"""A virtual router's own MAC, between two lvsd and beside Debian's keepalived, as clients and the wire see it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from config.model import VirtualAddress, VrrpInstance
from lvsd.vrrp.messages import Role
from tests.lab.virtual_mac_scene import (
    CALM_SECONDS,
    KEEPALIVED,
    MAC4,
    MAC6,
    VIP4,
    VIP6,
    Scene,
    holds,
    instances,
    scene,
    serve_tcp,
    serves,
    stands_by,
)
from tests.lab.vrrp_scene import PYTHON, addresses_of, becomes, capture, start_keepalived
from tests.lab.world import LiveHost

__all__ = ["scene"]  # the fixture

CHANGE_TO_INCLUDE = 3


def watch_neighbours(host: LiveHost) -> Callable[[], list[str]]:
    """Every MAC that the host believes of a virtual address, until the call."""
    log = "/var/log/neighbours.log"
    host.popen(["ip", "monitor", "neigh"], log=log)

    def heard_of(address: str) -> bool:
        host.run(["ip", "neigh", "replace", address, "lladdr", "02:00:00:00:00:77", "dev", "eth0"])
        host.run(["ip", "neigh", "del", address, "dev", "eth0"])
        return address in host.read(log)

    becomes(lambda: heard_of("1.1.1.77"), "it listens")

    def believed() -> list[str]:
        becomes(lambda: heard_of("1.1.1.78"), "it has told all until now")
        lines = host.read(log).splitlines()
        return [line for line in lines if line.split(" ")[0] in (VIP4, VIP6) and "lladdr" in line]

    return believed


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


def leaves_a_group(frame: bytes) -> bool:
    """Whether it is a membership report with a change to "nobody" (RFC 3376 section 4.2.12, RFC 3810 section 5.2.12).

    No group here is of chosen sources alone, so that a record is as long as its head.
    """
    if frame[12:14] == b"\x08\x00" and frame[23] == 2:
        body, head = frame[14 + 4 * (frame[14] & 15) :], 8
        report, done = 0x22, 0x17
    elif frame[12:14] == b"\x86\xdd" and frame[20] == 0 and frame[54] == 58:
        body, head = frame[62:], 20
        report, done = 143, 132
    else:
        return False
    records = [body[at] for at in range(8, len(body) - head + 1, head)]
    return body[0] == done or (body[0] == report and CHANGE_TO_INCLUDE in records)


def test_a_backup_is_not_heard_with_the_virtual_mac(scene: Scene) -> None:
    """Nor one that just left: a switch would send everything there.

    What it says of its groups while it is active, also between its last advertisement and its end, is as it should be.
    """
    lb1, lb2 = scene.pair(CALM_SECONDS)
    from_virtual = f"outbound and (ether src {MAC4} or ether src {MAC6})"
    frames = capture(lb2.host, from_virtual)
    lb1.end()
    serves(lb2)
    scene.sees_virtual()
    lb1.start()
    serves(lb1)
    stands_by(lb2)
    frames_since = capture(lb2.host, from_virtual)
    lb2.host.run(["ping", "-c", "12", "-i", "0.2", "-q", "1.1.1.50"])  # the time of a host that leaves its groups
    assert [frame.hex(" ") for frame in frames_since()] == []
    seen = frames()
    assert [frame.hex(" ") for frame in seen if leaves_a_group(frame)] == []
    for mac in (MAC4, MAC6):
        said = [frame for frame in seen if frame[6:12].hex(":") == mac]
        assert any(112 in (frame[20], frame[23]) for frame in said), mac  # it was active, and this capture shows it


def test_virtual_services_are_reached_through_it(scene: Scene) -> None:
    """Direct routing: the client's packets go to the virtual MAC, the real server's answers come from its own.

    With a strict rp_filter on all interfaces, by which nothing would come in where answers do not go out.
    """
    for name in ("lb1", "lb2"):
        scene.world[name].run(["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.eth0.rp_filter=1"])
    lb1, lb2 = scene.pair(CALM_SECONDS)
    server = serve_tcp(scene.world["rs1"])
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


@pytest.fixture
def tagged(scene: Scene) -> Scene:
    """The client, too, on a VLAN."""
    for name, last in (("lb1", 13), ("lb2", 14), ("client", 50)):
        scene.world[name].run(["ip", "-batch", "-"], input=VLAN.format(last=last))
    return scene


VLAN = """\
link add link eth0 name eth0.10 type vlan id 10
addr add 10.10.0.{last}/24 dev eth0.10
link set eth0.10 up
"""


ON_VLAN = """\
vrrp_instance vlan {
    interface eth0.10
    virtual_router_id 10
    version 3
    priority 100
    advert_int 0.2
    use_vmac vrrp.10
    virtual_ipaddress {
        10.10.0.112/24
    }
}
"""


def test_on_a_vlan_beside_keepalived_and_an_instance_on_another_interface(tagged: Scene) -> None:
    config = VrrpInstance(
        name="vlan",
        interface="eth0.10",
        virtual_router_id=10,
        priority=200,
        version=3,
        addresses=(VirtualAddress("10.10.0.112", 24, "eth0.10"),),
        advertisement_interval=0.2,
        virtual_mac="vrrp.10",
    )
    keepalived = start_keepalived(tagged.world["lb2"], ON_VLAN)
    becomes(lambda: "10.10.0.112" in addresses_of(tagged.world["lb2"]), "keepalived leads alone")
    lb1 = tagged.balancer("lb1", 200)
    lb1.director.configure(*instances(200), config)
    lb1.wait(Role.ACTIVE, name="vlan")
    serves(lb1)
    becomes(lambda: "10.10.0.112" not in addresses_of(tagged.world["lb2"]), "keepalived has let go")
    tagged.client.run(["ip", "neigh", "flush", "all"])
    tagged.client.run(["ping", "-c1", "-w10", "-n", "10.10.0.112"])
    shown = tagged.client.run(["ip", "neigh", "show", "10.10.0.112"]).stdout
    assert "dev eth0.10 lladdr 00:00:5e:00:01:0a" in shown
    tagged.sees_virtual()
    lb1.end()
    becomes(lambda: "10.10.0.112" in addresses_of(tagged.world["lb2"]), "keepalived takes over")
    keepalived.terminate()
    keepalived.wait(10)
