"""IPVS's timeouts and its connection sync daemons on a real kernel: set, mended, in the role VRRP has, lossless."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import Self

from lvsd.core.kernel_settings import LINGER_SECONDS
from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.ipvs_cases import CASES
from tests.lab.pair import PAIR, VIP
from tests.lab.test_ipvs_whole import BOTH, config, hold
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

PLAIN = CASES["scheduler rr"].yaml
VRRP = "vrrp: {lb0: {interface: eth0, virtual_router_id: 51, version: 2, priority: %d, addresses: [192.0.2.100/24]}}\n"
SYNC = "ipvs: {timeouts: {tcp: 10m}, sync: {interface: eth0, id: 7}}\n"


def said(host: LiveHost, option: str) -> list[str]:
    return host.run(["ipvsadm", "-L", option]).stdout.split("\n")[:-1]


def roles(host: LiveHost) -> list[str]:
    return [line.split()[0] for line in said(host, "--daemon") if line]


def follower(host: LiveHost, priority: int, services: Sequence[str] = (PLAIN,)) -> Balancer:
    return Balancer(host, config(*services, more=VRRP % priority + SYNC)).start()


def test_timeouts_are_set_and_mended_and_those_not_said_are_left(make_world: MakeWorld) -> None:
    lb1 = make_world(BOTH)["lb1"]
    lb1.run(["ipvsadm", "--set", "900", "77", "300"])
    balancer = Balancer(lb1, config(PLAIN, more="ipvs: {timeouts: {tcp: 10m, udp: 30s}}")).start()
    assert said(lb1, "--timeout") == ["Timeout (tcp tcpfin udp): 600 77 30"]
    lb1.run(["ipvsadm", "--set", "500", "55", "50"])
    wait_until(lambda: said(lb1, "--timeout") == ["Timeout (tcp tcpfin udp): 600 55 30"], 15, "mended")
    assert "setting_changed_by_stranger" in balancer.log()
    assert balancer.stop() == 0
    assert said(lb1, "--timeout") == ["Timeout (tcp tcpfin udp): 600 55 30"]


def test_a_said_daemon_is_started_mended_changed_and_ended_and_a_strangers_is_left(make_world: MakeWorld) -> None:
    lb1 = make_world(BOTH)["lb1"]
    lb1.run(["ipvsadm", "--start-daemon", "backup", "--mcast-interface", "eth0", "--syncid", "99"])
    more = (
        "ipvs: {sync: {interface: eth0, role: master, id: 7, group: 239.1.2.3, port: 9000, ttl: 2, max_length: 1000}}"
    )
    balancer = Balancer(lb1, config(PLAIN, more=more)).start()
    strangers = "backup sync daemon (mcast=eth0, syncid=99, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)"
    ours = "master sync daemon (mcast=eth0, syncid=7, maxlen=1000, group=239.1.2.3, port=9000, ttl=2)"
    assert said(lb1, "--daemon") == [ours, strangers]
    lb1.run(["ipvsadm", "--stop-daemon", "master"])
    wait_until(lambda: said(lb1, "--daemon") == [ours, strangers], 15, "mended")
    hold(balancer, config(PLAIN, more="ipvs: {sync: {interface: eth0, role: master}}"))
    plain = "master sync daemon (mcast=eth0, syncid=0, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)"
    assert said(lb1, "--daemon") == [plain, strangers]
    balancer.kill("director")
    wait_until(balancer._up, 20, "the director is back")
    assert said(lb1, "--daemon") == [plain, strangers]
    hold(balancer, config(PLAIN))
    assert said(lb1, "--daemon") == [strangers]
    assert balancer.stop() == 0


def test_roles_follow_vrrp_through_stop_and_return(make_world: MakeWorld) -> None:
    world = make_world(BOTH)
    lb1, lb2 = world["lb1"], world["lb2"]
    first, second = follower(lb1, 200), follower(lb2, 100)
    wait_until(lambda: (roles(lb1), roles(lb2)) == (["master"], ["backup"]), 20, "lb1 sends, lb2 hears")
    assert first.stop() == 0
    assert roles(lb1) == ["master", "backup"], "the stopped one goes on hearing"
    wait_until(lambda: roles(lb2) == ["master"], 20, "lb2 sends")
    first.start()
    wait_until(lambda: (roles(lb1), roles(lb2)) == (["master"], ["backup"]), 20 + LINGER_SECONDS, "lb1 sends again")
    second.kill("vrrp")
    first.kill("director")
    wait_until(lambda: first._up() and second._up(), 20, "all are back")
    assert (roles(lb1), roles(lb2)) == (["master"], ["backup"])
    for one_of_both in (first, second):
        assert "setting_changed_by_stranger" not in one_of_both.log()
        assert one_of_both.stop() == 0


def test_a_daemon_without_its_interface_is_told_and_comes_with_it(make_world: MakeWorld) -> None:
    lb1 = make_world(BOTH)["lb1"]
    balancer = Balancer(lb1, config(PLAIN, more="ipvs: {sync: {interface: eth7, role: master}}")).start()
    assert "no such interface" in balancer.log()
    lb1.run(["ip", "link", "add", "eth7", "type", "dummy"])
    lb1.run(["ip", "link", "set", "eth7", "up"])
    lb1.run(["ip", "address", "add", "198.51.100.1/24", "dev", "eth7"])
    wait_until(lambda: roles(lb1) == ["master"], 35, "started")
    assert balancer.stop() == 0


# ---- connections that outlive a balancer ----------------------------------------------------------------------------

EXCHANGES = 6  # a connection is told to the other after its third packet (net.ipv4.vs.sync_threshold)


def echo(connection: socket.socket, ended: threading.Event) -> None:
    """Says back what it hears, as long as it hears something."""
    connection.settimeout(None)
    while not ended.is_set() and (heard := connection.recv(100)):
        connection.sendall(heard)


class Conversation:
    """A connection of the client's that stays open."""

    def __init__(self, world: World) -> None:
        self._socket = world["client"].call(lambda: socket.create_connection((VIP, 80), 5))
        self._socket.settimeout(10)
        self.port = self._socket.getsockname()[1]
        for _ in range(EXCHANGES):
            assert self.goes_on()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def goes_on(self) -> bool:
        """Whether a word comes back."""
        self._socket.sendall(b"word")
        return self._socket.recv(100) == b"word"

    def known_to(self, host: LiveHost) -> bool:
        """Whether the kernel of a balancer knows the connection."""
        entries = host.run(["ipvsadm", "-Lnc"]).stdout.splitlines()
        return any(f":{self.port} " in entry and "ESTABLISHED" in entry for entry in entries)


def serve(world: World, stack: contextlib.ExitStack) -> None:
    """Both real servers echo until the stack ends."""
    for name in ("rs1", "rs2"):
        stack.enter_context(farm.Server(world[name], 80, echo))


def holds(host: LiveHost) -> bool:
    return f"{VIP}/" in host.run(["ip", "-brief", "address", "show", "dev", "eth0"]).stdout


def test_a_connection_survives_the_death_of_its_balancer(make_world: MakeWorld) -> None:
    world = make_world(PAIR)
    lb1, lb2 = world["lb1"], world["lb2"]
    follower(lb1, 200)
    second = follower(lb2, 100)
    with contextlib.ExitStack() as stack:
        serve(world, stack)
        wait_until(lambda: holds(lb1) and roles(lb1) == ["master"] and roles(lb2) == ["backup"], 20, "lb1 serves")
        conversation = stack.enter_context(Conversation(world))
        wait_until(lambda: conversation.known_to(lb2), 10, "lb2 was told")
        lb1.kill()
        wait_until(lambda: holds(lb2), 10, "lb2 serves")
        assert conversation.goes_on(), second.log()
        wait_until(lambda: roles(lb2) == ["master"], 15, "lb2 tells from now on")


def test_what_began_while_lvsd_was_stopped_survives_its_return(make_world: MakeWorld) -> None:
    world = make_world(PAIR)
    lb1, lb2 = world["lb1"], world["lb2"]
    first = follower(lb1, 200)
    follower(lb2, 100)
    with contextlib.ExitStack() as stack:
        serve(world, stack)
        wait_until(lambda: holds(lb1) and roles(lb2) == ["backup"], 20, "lb1 serves")
        before = stack.enter_context(Conversation(world))
        wait_until(lambda: before.known_to(lb2), 10, "lb2 was told: the kernel takes up to 2 s for that")
        assert first.stop() == 0
        wait_until(lambda: holds(lb2) and roles(lb2) == ["master"], 10, "lb2 serves")
        assert before.goes_on()
        meanwhile = stack.enter_context(Conversation(world))
        wait_until(lambda: meanwhile.known_to(lb1), 10, "lb1's kernel is told, with no lvsd there")
        first.start()
        wait_until(lambda: holds(lb1) and not holds(lb2), 20, "lb1 serves again")
        assert before.goes_on()
        assert meanwhile.goes_on()
