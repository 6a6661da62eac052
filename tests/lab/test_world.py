"""The lab's own machinery: hosts, networks, death and revival, and that a world leaves the lab as it found it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.lab.conftest import MakeWorld
from tests.lab.pair import NETWORK, PAIR, VIP
from tests.lab.topology import Attachment, File, Host, Network, Topology
from tests.lab.waiting import WaitError, wait_until
from tests.lab.world import CommandFailed, LiveHost, World


def reaches(host: LiveHost, address: str) -> bool:
    return host.run(["ping", "-c1", "-W1", "-n", address], check=False).returncode == 0


def listens(host: LiveHost) -> bool:
    return ":80 " in host.run(["ss", "-ltn"]).stdout


def test_hosts_are_machines_of_their_own(make_world: MakeWorld) -> None:
    world = make_world(PAIR)
    lb1, rs1 = world["lb1"], world["rs1"]
    assert lb1.run(["hostname"]).stdout == "lb1\n"
    assert "rs1.test" in lb1.read("/etc/hosts")
    lb1.write("/etc/only-here", "x", 0o600)
    assert lb1.run(["stat", "-c%a", "/etc/only-here"]).stdout == "600\n"
    assert rs1.run(["test", "-e", "/etc/only-here"], check=False).returncode == 1
    assert not Path("/etc/only-here").exists()
    wait_until(lambda: lb1.run(["ps", "-e", "-o", "comm="]).stdout.split() == ["sleep", "ps"], 5, "no other process")
    assert rs1.run(["cat", "/proc/sys/net/ipv4/conf/all/arp_ignore"]).stdout == "1\n"
    assert lb1.run(["cat", "/proc/sys/net/ipv4/conf/all/arp_ignore"]).stdout == "0\n"
    assert lb1.address() == "192.0.2.1"


def test_commands_speak_input_status_and_environment(make_world: MakeWorld) -> None:
    lb1 = make_world(PAIR)["lb1"]
    assert (
        lb1.run(["sh", "-c", "cat; echo $WORD; pwd"], input="in\n", env={"WORD": "w"}).stdout
        == f"in\nw\n{Path.cwd()}\n"
    )
    with pytest.raises(CommandFailed, match="exit 3\nout\nerr"):
        lb1.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    with pytest.raises(subprocess.TimeoutExpired):
        lb1.run(["sleep", "1000"], timeout=0.2)
    assert "sleep 1000" not in lb1.run(["ps", "-e", "-o", "args"]).stdout
    with pytest.raises(FileNotFoundError):
        lb1.run(["no-such-program"])


def test_python_runs_on_a_host_and_may_start_threads(make_world: MakeWorld) -> None:
    lb1 = make_world(PAIR)["lb1"]
    said: list[str] = []

    def there() -> str:
        thread = threading.Thread(target=lambda: said.append("thread"))
        thread.start()
        thread.join()
        return os.uname().nodename

    assert lb1.call(there) == "lb1"
    assert said == ["thread"]


def test_orphans_are_reaped_and_a_log_is_kept(make_world: MakeWorld) -> None:
    lb1 = make_world(PAIR)["lb1"]
    process = lb1.popen(["sh", "-c", "(exec true) & echo logged; exec sleep 1000"], log="/var/log/x.log")
    wait_until(lambda: lb1.read("/var/log/x.log") == "logged\n", 5, "the log")
    lb1.run(["sh", "-c", "setsid sh -c 'sleep 0.05 & exec true'"])

    def left() -> list[str]:
        """Children of process 1, running or not: that `sleep`, once who began it has ended."""
        processes = lb1.run(["ps", "-e", "-o", "ppid=,stat=,args="]).stdout.splitlines()
        return [line for line in processes if line.split()[0] == "1"]

    wait_until(lambda: not left(), 5, "no orphan, and no zombie of one", every_seconds=0.1)
    assert process.poll() is None


def test_death_is_silent_and_revival_keeps_addresses_and_files(make_world: MakeWorld) -> None:
    world = make_world(PAIR)
    client, rs1 = world["client"], world["rs1"]
    rs1.write("/var/lib/kept", "kept")
    rs1.write("/run/lost", "lost")
    daemon = rs1.popen(["sleep", "1000"])
    assert reaches(client, "192.0.2.11")
    rs1.kill()
    assert daemon.returncode is not None
    assert not reaches(client, "192.0.2.11")
    with pytest.raises(RuntimeError, match="rs1 is dead"):
        rs1.run(["true"])
    rs1.revive()
    wait_until(lambda: reaches(client, "192.0.2.11"), 5, "rs1 answers again")
    assert rs1.read("/var/lib/kept") == "kept"
    assert rs1.run(["test", "-e", "/run/lost"], check=False).returncode == 1
    assert VIP in rs1.run(["ip", "addr", "show", "lo"]).stdout


def test_cables_and_partitions(make_world: MakeWorld) -> None:
    world = make_world(PAIR)
    client, rs1 = world["client"], world["rs1"]
    rs1.link_down(NETWORK)
    wait_until(lambda: "NO-CARRIER" in rs1.run(["ip", "link", "show", "eth0"]).stdout, 5, "it sees its carrier go")
    assert not reaches(client, "192.0.2.11")
    rs1.link_up(NETWORK)
    wait_until(lambda: reaches(client, "192.0.2.11"), 5, "the cable is in again")
    world.partition(NETWORK, ["client"], ["rs1"])
    assert not reaches(client, "192.0.2.11")
    assert reaches(client, "192.0.2.12")
    world.heal()
    assert reaches(client, "192.0.2.11")


def test_a_topology_of_ones_own(make_world: MakeWorld) -> None:
    networks = (Network("near", "10.0.0.0/24", delay_seconds=0.02), Network("far", "2001:db8::/64"))
    hosts = (
        Host("a", (Attachment("near", ("10.0.0.1/24",)), Attachment("far", ("2001:db8::1/64",)))),
        Host(
            "b",
            (Attachment("near", ("10.0.0.2/24",)), Attachment("far", ("2001:db8::2/64",))),
            files=(File("/etc/told", "yes"),),
        ),
    )
    world = make_world(Topology("own", networks, hosts))
    assert reaches(world["a"], "2001:db8::2")
    assert world["b"].read("/etc/told") == "yes"
    answer = world["a"].run(["ping", "-c1", "-n", "10.0.0.2"]).stdout
    assert float(answer.split("time=")[1].split()[0]) >= 40.0


def test_the_kernel_balances_by_direct_routing(make_world: MakeWorld) -> None:
    """The reason for all this: one real IPVS table per host."""
    world = make_world(PAIR)
    lb1, client = world["lb1"], world["client"]
    lb1.run(["ip", "addr", "add", f"{VIP}/32", "dev", "eth0"])
    rules = f"-A -t {VIP}:80 -s rr\n-a -t {VIP}:80 -r 192.0.2.11:80 -g\n-a -t {VIP}:80 -r 192.0.2.12:80 -g\n"
    lb1.run(["ipvsadm", "-R"], input=rules)
    assert world["lb2"].run(["ipvsadm", "-Sn"]).stdout == ""
    for name in ("rs1", "rs2"):
        world[name].popen(["socat", "TCP-LISTEN:80,fork,reuseaddr", f"SYSTEM:echo {name}"])
    for host in (world["rs1"], world["rs2"]):
        wait_until(partial(listens, host), 5, f"{host.name} listens")
    # one way: with its own input at an end socat waits half a second for an answer, and not for ever
    seen = {client.run(["socat", "-u", f"TCP:{VIP}:80", "-"]).stdout for _ in range(4)}
    assert seen == {"rs1\n", "rs2\n"}


def test_a_world_leaves_the_lab_as_it_was() -> None:
    def state() -> tuple[str, str]:
        links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        return Path("/proc/self/mounts").read_text(), links

    def running() -> Counter[str]:
        # Without the numbers that only grow.
        processes = subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True, check=True).stdout
        return Counter(line for line in processes.splitlines() if not line.startswith("["))

    with World(PAIR):  # the first one creates directories that stay
        pass
    before, processes, files = state(), running(), open_files()
    with World(PAIR) as world:
        world["rs1"].popen(["sleep", "1000"])
        world["rs2"].kill()
    assert state() == before
    # What others left, tests before this one, may end at any time: a thread with its connection, a process.
    assert running() - processes == Counter()
    assert open_files() - files == set()


def open_files() -> set[tuple[str, str]]:
    """Our descriptors, and what each is of: a number may be used again, a pipe or a socket has a name of its own."""
    found = set()
    for one in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(FileNotFoundError):  # the directory's own
            found.add((one.name, str(one.readlink())))
    return found


def test_a_world_that_cannot_be_built_leaves_nothing() -> None:
    before = Path("/proc/self/mounts").read_text()
    broken = replace(
        PAIR, hosts=(*PAIR.hosts, Host("x", (Attachment(NETWORK, ("192.0.2.77/24",)),), routes=("nonsense",)))
    )
    with pytest.raises(CommandFailed, match="nonsense"), World(broken):
        pass
    assert Path("/proc/self/mounts").read_text() == before


def test_waiting_says_what_for() -> None:
    with pytest.raises(WaitError, match=r"the moon: not within 0\.06 s; last seen: 0"):
        wait_until(lambda: 0, 0.02, "the moon")
