"""VRRP between machines: two balancers with the vrrp process each, or one of them with Debian's keepalived."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import msgspec
import pytest

from config.model import GratuitousArp, VirtualAddress, VrrpInstance
from config.secret import Secret
from lvsd.vrrp.messages import Cause, Role
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.vrrp_scene import (
    HELD,
    LOG,
    PYTHON,
    SOCKET,
    Balancer,
    addresses_of,
    becomes,
    capture,
    start_keepalived,
)
from tests.lab.world import LiveHost, World
from tests.unit.vrrp.fake_director import FakeDirector

VIP = "1.1.1.12"
PATIENT_SECONDS = 10.0
PASSWORD = "mySuperSecretPassw0rd"  # the guide's; eight bytes of it travel

BALANCERS = Topology(
    "vrrp",
    (Network("public", "1.1.1.0/24"),),
    tuple(
        Host(name, (Attachment("public", (f"1.1.1.{last}/24",)),))
        for name, last in (("client", 50), ("lb1", 13), ("lb2", 14))
    ),
)

GUIDE = """\
vrrp_instance VI_1 {{
    state MASTER
    interface eth0
    virtual_router_id 1
    priority {priority}
    authentication {{
        auth_type PASS
        auth_pass mySuperSecretPassw0rd
    }}
    virtual_ipaddress {{
        1.1.1.12/24
    }}
}}
"""


def instance(priority: int, *, password: str = PASSWORD, preempt: bool = True, last: int = 12) -> VrrpInstance:
    return VrrpInstance(
        name="lb0",
        interface="eth0",
        virtual_router_id=1,
        priority=priority,
        version=2,
        addresses=(VirtualAddress(f"1.1.1.{last}", 24, "eth0"),),
        password=Secret(password),
        preempt=preempt,
        gratuitous_arp=GratuitousArp(),
    )


class Scene:
    """A world of two balancers and a client; whatever was opened is closed."""

    def __init__(self, world: World, stack: ExitStack) -> None:
        self.world, self.stack = world, stack
        self.client = world["client"]

    def balancer(self, name: str, config: VrrpInstance, *, start: bool = True) -> Balancer:
        made = Balancer(self.world[name], config)
        self.stack.callback(made.director.close)
        if start:
            made.start()
        return made

    def pair(self) -> tuple[Balancer, Balancer]:
        """The guide's: lb1 serves, lb2 waits."""
        lb1, lb2 = self.balancer("lb1", instance(200)), self.balancer("lb2", instance(100))
        lb1.wait(Role.ACTIVE)
        lb2.wait(Role.BACKUP)
        return lb1, lb2

    @staticmethod
    def slow_down(lb1: Balancer, lb2: Balancer) -> None:
        """From now on lb2 waits half a minute for lb1, as long as a new process may take on a slow machine."""
        for balancer, priority in ((lb2, 100), (lb1, 200)):
            balancer.configure(msgspec.structs.replace(instance(priority), advertisement_interval=PATIENT_SECONDS))

    def keepalived(self, name: str, priority: int) -> subprocess.Popen[str]:
        return start_keepalived(self.world[name], GUIDE.format(priority=priority))

    def capture(self, expression: str) -> Callable[[], list[bytes]]:
        return capture(self.client, expression)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with World(BALANCERS) as world, ExitStack() as stack:
        yield Scene(world, stack)


def holds(host: LiveHost, address: str = VIP) -> bool:
    return address in addresses_of(host, "eth0")


UNTIL_MONITORED = """
until grep -q 192.0.2.77 /var/log/monitor.log; do
    ip address add 192.0.2.77/32 dev lo
    sleep 0.05
    ip address del 192.0.2.77/32 dev lo
done
"""


def watch_addresses(host: LiveHost) -> Callable[[], str]:
    """What `ip monitor` hears of the host's addresses until the call."""
    host.popen(["ip", "monitor", "address"], log="/var/log/monitor.log")
    host.run(["sh", "-c", UNTIL_MONITORED])
    return lambda: "\n".join(
        line for line in host.read("/var/log/monitor.log").splitlines() if "192.0.2.77" not in line
    )


def test_the_higher_priority_serves_and_comes_back(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    assert holds(lb1.host)
    assert not holds(lb2.host)
    assert lb1.host.read(HELD) == f"eth0 {VIP}/24\n"
    becomes(
        lambda: (now := lb1.director.status()) is not None and now.adverts_sent >= 3,
        "three advertisements",
    )
    status = lb1.director.status()
    assert status is not None
    assert (status.adverts_received, status.dropped) == (0, {})  # it does not hear itself
    scene.client.run(["ping", "-c1", "-W2", "-n", VIP])
    assert lb1.end() == 0
    assert [report.ending for report in lb1.director.reports()[-2:]] == [False, True]
    lb2.wait(Role.ACTIVE, Cause.HANDED_OVER, Cause.ACTIVE_ROUTER_LEFT)
    assert holds(lb2.host)
    assert not holds(lb1.host)
    assert lb1.host.read(HELD) == ""
    scene.client.run(["ping", "-c1", "-W2", "-n", VIP])
    lb1.start()
    lb1.wait(Role.ACTIVE, Cause.ACTIVE_ROUTER_SILENT)
    lb2.wait(Role.BACKUP, Cause.HIGHER_PRIORITY)
    becomes(lambda: not holds(lb2.host), "lb2 has let go")


def test_it_advertises_then_announces(scene: Scene) -> None:
    frames = scene.capture("proto 112 or arp")
    scene.pair()
    seen = frames()
    first_arp = next(number for number, frame in enumerate(seen) if _is_arp(frame))
    assert [frame[14:24].hex() for frame in seen[:first_arp]][-1:] == ["45c0002800010000ff70"]
    burst = [frame for frame in seen if _is_arp(frame) and _gratuitous(frame)]  # lb2 may ask for lb1 meanwhile
    assert seen[first_arp] == burst[0]
    assert len(burst) >= 5
    assert len(set(burst)) == 1


def test_a_crashed_process_resumes_and_the_address_never_goes(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    scene.slow_down(lb1, lb2)
    heard = watch_addresses(lb1.host)
    transitions = lb2.director.reports()[-1].instances[0].transitions
    for _ in range(3):
        lb1.end(signal.SIGKILL)
        lb1.start("--restarted")
        lb1.wait(Role.ACTIVE, Cause.RESUMED)
        scene.client.run(["ping", "-c1", "-W2", "-n", VIP])
    assert VIP not in heard()
    lb2.director.turn()
    assert lb2.director.reports()[-1].instances[0].transitions == transitions


def test_the_peer_of_a_dead_host_serves_and_gives_back(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    lb1.host.kill()
    lb2.wait(Role.ACTIVE, Cause.ACTIVE_ROUTER_SILENT)
    scene.client.run(["ping", "-c1", "-W2", "-n", VIP])
    lb1.host.revive()
    again = scene.balancer("lb1", instance(200))
    again.wait(Role.ACTIVE)
    lb2.wait(Role.BACKUP)
    scene.client.run(["ping", "-c1", "-W2", "-n", VIP])


def test_without_preemption_the_one_who_serves_goes_on(scene: Scene) -> None:
    lb2 = scene.balancer("lb2", instance(100, preempt=False))
    lb2.wait(Role.ACTIVE)
    lb1 = scene.balancer("lb1", instance(200, preempt=False))
    lb1.wait(Role.BACKUP)
    heard = lb1.director.status
    becomes(lambda: (status := heard()) is not None and status.adverts_received >= 5, "five advertisements")
    assert lb1.is_role(Role.BACKUP)
    assert lb2.is_role(Role.ACTIVE)


def test_a_wrong_password_is_dropped_and_counted(scene: Scene) -> None:
    lb1 = scene.balancer("lb1", instance(200))
    lb2 = scene.balancer("lb2", instance(100, password="another"))
    lb1.wait(Role.ACTIVE)
    lb2.wait(Role.ACTIVE)

    def counted() -> bool:
        status = lb2.director.status()
        return status is not None and status.dropped.get("authentication_failure", 0) >= 2

    becomes(counted, "the drops are counted")
    assert 1 <= lb2.log().count("advertisement_dropped") <= 2  # once in each role
    assert "Passw0rd" not in lb1.log() + lb2.log()


def test_an_address_deleted_by_hand_comes_back(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    lb1.host.run(["ip", "addr", "del", f"{VIP}/24", "dev", "eth0"])
    becomes(lambda: holds(lb1.host), "the address is back")
    assert lb1.is_role(Role.ACTIVE)
    becomes(lambda: "virtual_address_restored" in lb1.log(), "it is told")
    for _ in range(5):
        lb1.host.run(["ip", "addr", "del", f"{VIP}/24", "dev", "eth0"])
        becomes(lambda: holds(lb1.host) or not lb1.is_role(Role.ACTIVE), "it is back, or given up")
    lb2.wait(Role.ACTIVE, Cause.HANDED_OVER, Cause.ACTIVE_ROUTER_LEFT)
    assert "virtual_address_given_up" in lb1.log()


def test_a_pulled_cable_is_a_fault_and_a_plugged_one_a_return(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    lb1.host.link_down("public")
    lb1.wait(Role.INITIALIZE, Cause.LINK_DOWN)
    assert not holds(lb1.host)
    lb2.wait(Role.ACTIVE, Cause.ACTIVE_ROUTER_SILENT)
    lb1.host.link_up("public")
    becomes(lambda: lb1.became(Role.BACKUP, Cause.LINK_UP), "it begins as a backup")
    lb1.wait(Role.ACTIVE)
    lb2.wait(Role.BACKUP)


DUMMY = "link add dummy7 type dummy\naddr add 10.7.7.1/24 dev dummy7\nlink set dummy7 up multicast on\n"


def test_an_interface_that_goes_and_comes_is_taken_up_again(scene: Scene) -> None:
    host = scene.world["lb1"]
    config = msgspec.structs.replace(
        instance(200), interface="dummy7", addresses=(VirtualAddress("10.7.7.100", 24, "dummy7"),)
    )
    lb1 = scene.balancer("lb1", config)
    lb1.wait(Role.INITIALIZE)
    for _ in range(2):
        host.run(["ip", "-batch", "-"], input=DUMMY)
        lb1.wait(Role.ACTIVE)
        assert "10.7.7.100/24" in host.run(["ip", "-4", "-o", "addr"]).stdout
        host.run(["ip", "link", "del", "dummy7"])
        lb1.wait(Role.INITIALIZE, Cause.LINK_DOWN)


def test_an_interface_that_was_exchanged_unseen_is_another_one(scene: Scene) -> None:
    host = scene.world["lb1"]
    host.run(["ip", "-batch", "-"], input=DUMMY)
    config = msgspec.structs.replace(
        instance(200), interface="dummy7", addresses=(VirtualAddress("10.7.7.100", 24, "dummy7"),)
    )
    lb1 = scene.balancer("lb1", config)
    lb1.wait(Role.ACTIVE)
    assert lb1.process is not None
    lb1.process.send_signal(signal.SIGSTOP)
    host.run(["ip", "-batch", "-"], input="link del dummy7\n" + DUMMY)
    lb1.process.send_signal(signal.SIGCONT)
    becomes(lambda: "10.7.7.100/24" in host.run(["ip", "-4", "-o", "addr"]).stdout, "the address is on the new one")
    before = lb1.director.status()
    assert before is not None
    becomes(
        lambda: (now := lb1.director.status()) is not None and now.adverts_sent >= before.adverts_sent + 3,
        "advertisements go out by the new one",
    )


def test_it_goes_on_without_a_director_and_finds_the_next(scene: Scene) -> None:
    lb1, lb2 = scene.pair()
    lb1.director.close()
    heard = lb2.director.status
    before = heard()
    assert before is not None
    becomes(
        lambda: (now := heard()) is not None and now.adverts_received >= before.adverts_received + 3, "adverts go on"
    )
    lb1.director = lb1.host.call(lambda: FakeDirector(SOCKET, (instance(200),)))
    scene.stack.callback(lb1.director.close)
    lb1.wait(Role.ACTIVE, Cause.ACTIVE_ROUTER_SILENT)
    assert lb1.log().count("role_changed") == 2


def test_a_reload_in_place(scene: Scene) -> None:
    lb1, _ = scene.pair()
    heard = watch_addresses(lb1.host)
    both = instance(200).addresses + instance(200, last=33).addresses
    lb1.director.configure(msgspec.structs.replace(instance(200), addresses=both))
    becomes(lambda: holds(lb1.host, "1.1.1.33"), "the new address")
    lb1.director.configure(instance(200))
    becomes(lambda: not holds(lb1.host, "1.1.1.33"), "the new address is gone")
    assert f" {VIP}/" not in heard()
    lb1.director.configure()
    becomes(lambda: not holds(lb1.host), "a removed instance lets go")


def test_release_takes_off_what_a_crash_left(scene: Scene) -> None:
    lb1, _ = scene.pair()
    lb1.end(signal.SIGKILL)
    assert holds(lb1.host)
    lb1.host.run([PYTHON, "-I", "-m", "lvsd.runtime.vrrp_process", "--release", "--held-file", HELD])
    assert not holds(lb1.host)
    assert lb1.host.read(HELD) == ""


def test_a_fresh_start_takes_off_what_a_crash_left(scene: Scene) -> None:
    lb1, _ = scene.pair()
    lb1.end(signal.SIGKILL)
    lb1.director.close()
    lb1.start()
    becomes(lambda: not holds(lb1.host), "the leftover is gone, without any director")


def test_it_ends_in_good_order_when_its_parent_dies(scene: Scene) -> None:
    lb1 = scene.balancer("lb1", instance(200), start=False)
    command = f"{PYTHON} -I -m lvsd.runtime.vrrp_process --socket {SOCKET} --held-file {HELD} & wait"
    parent = lb1.host.popen(["sh", "-c", command], log=LOG)
    lb1.wait(Role.ACTIVE)
    parent.kill()
    becomes(lambda: "vrrp_process_ended" in lb1.log(), "the end")
    assert not holds(lb1.host)


def test_it_holds_two_capabilities_and_little_memory(scene: Scene) -> None:
    lb1 = scene.balancer("lb1", instance(200))
    lb1.wait(Role.BACKUP)
    pid = lb1.host.run(["pgrep", "-x", "lvsd-vrrp"]).stdout.strip()
    fields = dict(line.split(":", 1) for line in lb1.host.read(f"/proc/{pid}/status").splitlines() if ":" in line)
    assert {fields[name].strip() for name in ("CapPrm", "CapEff", "CapBnd")} == {"0000000000003000"}
    assert int(fields["VmRSS"].split()[0]) < 24_000


# beside Debian's keepalived


@pytest.mark.parametrize(("ours", "theirs"), [("lb1", "lb2"), ("lb2", "lb1")])
def test_beside_keepalived_either_may_lead(scene: Scene, ours: str, theirs: str) -> None:
    """`lb1` has priority 200: once it is lvsd, once keepalived. Each is stopped and comes back."""
    priorities = {"lb1": 200, "lb2": 100}
    balancer = scene.balancer(ours, instance(priorities[ours]))
    other = scene.keepalived(theirs, priorities[theirs])
    we_lead = ours == "lb1"
    mine, its = scene.world[ours], scene.world[theirs]
    balancer.wait(Role.ACTIVE if we_lead else Role.BACKUP)
    becomes(lambda: holds(mine) == we_lead and holds(its) != we_lead, "one leads")
    if we_lead:
        balancer.end()
        becomes(lambda: holds(its) and not holds(mine), "keepalived takes over")
        balancer.start()
        balancer.wait(Role.ACTIVE)
        becomes(lambda: holds(mine) and not holds(its), "lvsd is back")
    else:
        other.terminate()
        balancer.wait(Role.ACTIVE, Cause.ACTIVE_ROUTER_LEFT)
        other.wait(10)
        other = scene.keepalived(theirs, priorities[theirs])
        balancer.wait(Role.BACKUP, Cause.HIGHER_PRIORITY)
        becomes(lambda: holds(its) and not holds(mine), "keepalived is back")
    status = balancer.director.status()
    assert status is not None
    assert status.dropped == {}
    assert "invalid" not in its.read("/var/log/keepalived.log").lower()
    other.terminate()
    other.wait(10)


def test_our_frames_are_keepaliveds(scene: Scene) -> None:
    """The same router, once keepalived and once ours: all frames of becoming active and of leaving."""
    recorded: dict[str, list[bytes]] = {}
    for who in ("keepalived", "lvsd"):
        frames = scene.capture("ether src host " + _mac(scene.world["lb1"]) + " and (proto 112 or arp)")
        if who == "keepalived":
            process = scene.keepalived("lb1", 200)
            becomes(lambda: holds(scene.world["lb1"]), "keepalived is active")
            process.terminate()
            process.wait(10)
        else:
            lb1 = scene.balancer("lb1", instance(200))
            lb1.wait(Role.ACTIVE)
            lb1.end()
        recorded[who] = [_without_number(frame) for frame in frames() if _gratuitous(frame)]
    assert set(recorded["lvsd"]) == set(recorded["keepalived"])
    for who, seen in recorded.items():
        assert [frame[36] for frame in (seen[0], seen[-1])] == [200, 0], who
        assert [frame[12:14] for frame in seen[1:6]] == [b"\x08\x06"] * 5, who


def _mac(host: LiveHost) -> str:
    return host.run(["cat", "/sys/class/net/eth0/address"]).stdout.strip()


def _is_arp(frame: bytes) -> bool:
    return frame[12:14] == b"\x08\x06"


def _gratuitous(frame: bytes) -> bool:
    return frame[12:14] == b"\x08\x00" or (_is_arp(frame) and frame[28:32] == frame[38:42])


def _without_number(frame: bytes) -> bytes:
    """Without IP's identification and the header checksum that follows from it."""
    if frame[12:14] == b"\x08\x06":
        return frame[:42]
    return frame[:18] + b"\0\0" + frame[20:24] + b"\0\0" + frame[26:]
