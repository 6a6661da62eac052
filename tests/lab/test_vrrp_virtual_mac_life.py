"""The interface with the virtual MAC through crashes, leftovers, strangers, hands and reloads; and accept mode."""

from __future__ import annotations

import signal

import msgspec
import pytest

from lvsd.vrrp.messages import Cause, Role
from tests.lab.virtual_mac_scene import (
    CALM_SECONDS,
    VIP4,
    VIP6,
    Scene,
    holds,
    instances,
    scene,
    serve_tcp,
    serves,
    settings,
)
from tests.lab.vrrp_scene import HELD, PYTHON, addresses_of, becomes
from tests.lab.world import LiveHost

__all__ = ["scene"]  # the fixture

PATIENT_SECONDS = 10.0


def test_a_killed_process_resumes_and_the_address_never_goes(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    for balancer, priority in ((lb1, 200), (lb2, 100)):  # a process takes a while to start on a slow machine
        balancer.configure(*instances(priority, PATIENT_SECONDS))
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


def is_clean(host: LiveHost) -> bool:
    return "vrrp" not in host.run(["ip", "-o", "link"]).stdout and settings(host, "eth0") == ["0", "0"]


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
        becomes(lambda: is_clean(lb1.host), "removed without any director")
    assert is_clean(lb1.host)


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
    lb1, lb2 = scene.pair(CALM_SECONDS)
    for command in (["ip", "link", "del", "vrrpf"], ["ip", "link", "set", "vrrps", "down"]):
        lb1.host.run(command)
        becomes(lambda: holds(lb1.host), f"after {command}")
        scene.sees_virtual()
    assert lb2.status("four").transitions == lb2.status("six").transitions == 1


def test_a_reload_takes_the_addresses_to_the_macvlan_and_back(scene: Scene) -> None:
    lb1, lb2 = scene.pair(CALM_SECONDS)
    moved = tuple(msgspec.structs.replace(one, virtual_mac="") for one in instances(200, CALM_SECONDS))
    lb1.director.configure(*moved)
    becomes(lambda: {VIP4, VIP6} <= addresses_of(lb1.host, "eth0"), "on eth0")
    becomes(lambda: "vrrpf" not in lb1.host.run(["ip", "-o", "link"]).stdout, "no macvlan")
    assert scene.neighbours()[VIP4] == "02:00:00:00:00:02"
    lb1.director.configure(*instances(200, CALM_SECONDS))
    becomes(lambda: VIP4 in addresses_of(lb1.host, "vrrpf") and VIP6 in addresses_of(lb1.host, "vrrps"), "on macvlans")
    becomes(lambda: VIP4 not in addresses_of(lb1.host, "eth0"), "not on eth0")
    scene.sees_virtual()
    assert lb1.status("four").transitions == 2
    assert lb2.status("four").transitions == lb2.status("six").transitions == 1


def test_without_accept_mode_the_addresses_are_for_virtual_services_alone(scene: Scene) -> None:
    """Where the kernel has nf_tables for IP; elsewhere it is told, and all is accepted."""
    host = scene.world["lb1"]
    has_it = host.run(["nft", "add table ip probe { flags owner; }"], check=False).returncode == 0
    server = serve_tcp(scene.world["rs1"])
    host.run(["ipvsadm", "-A", "-t", f"{VIP4}:80", "-s", "rr"])
    host.run(["ipvsadm", "-a", "-t", f"{VIP4}:80", "-r", "1.1.1.15:80", "-g"])
    lb1 = scene.balancer("lb1", 200)
    serves(lb1)
    scene.neighbours()
    lb1.director.configure(*(msgspec.structs.replace(one, accept=False) for one in instances(200)))
    if has_it:
        becomes(lambda: "daddr" in host.run(["nft", "list", "ruleset"]).stdout, "rules")
        for address in (VIP4, VIP6):
            assert scene.client.run(["ping", "-c1", "-W1", "-n", address], check=False).returncode == 1
    else:
        becomes(lambda: lb1.log().count("virtual_addresses_accepted") == 2, "it is told")
        scene.sees_virtual()
    scene.client.run([PYTHON, "-c", f"import socket; socket.create_connection(('{VIP4}', 80), 3)"])
    neighbours = scene.client.run(["ip", "neigh"]).stdout
    assert "FAILED" not in neighbours
    server.kill()


def test_an_instance_whose_interface_is_not_tracked_serves_without_it(scene: Scene) -> None:
    lb1 = scene.balancer("lb1", 200)
    lb1.director.configure(*(msgspec.structs.replace(one, track_interface=False) for one in instances(200)))
    serves(lb1)
    lb1.host.link_down("public")
    becomes(lambda: "NO-CARRIER" in lb1.host.run(["ip", "link", "show", "eth0"]).stdout, "the cable is out")
    lb1.director.configure(*(msgspec.structs.replace(one, track_interface=False) for one in instances(150)))
    becomes(lambda: lb1.status("four").priority == 150, "the process has looked since")
    serves(lb1)
    lb1.director.configure(*instances(150))
    for name in ("four", "six"):
        lb1.wait(Role.INITIALIZE, Cause.LINK_DOWN, name=name)


def test_what_cannot_be_set_up_is_told_and_taken_away_again(scene: Scene) -> None:
    """As in a container with a read-only /proc/sys: unchanged, every interface would answer for the address."""
    host = scene.world["lb1"]
    host.run(["mount", "-o", "bind", "/proc/sys", "/proc/sys"])
    host.run(["mount", "-o", "remount,bind,ro", "/proc/sys"])
    lb1 = scene.balancer("lb1", 200)
    for name, interface in (("four", "vrrpf"), ("six", "vrrps")):
        lb1.wait(Role.INITIALIZE, name=name)
        assert lb1.status(name).fault == f"interface {interface} could not be made"
    assert lb1.log().count("virtual_mac_not_made") == 2
    becomes(lambda: "vrrp" not in host.run(["ip", "-o", "link"]).stdout, "none is left")  # it is tried again and again
    host.run(["umount", "/proc/sys"])
    serves(lb1)
    scene.sees_virtual()
