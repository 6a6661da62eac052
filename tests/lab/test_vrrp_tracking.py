"""Two lvsd whose addresses depend on scripts, files, processes and services; who is told of their roles, and how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lvsd.control.messages import VrrpRow
from tests.lab import farm
from tests.lab.balancer import Balancer
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

RS1, RS2 = "192.0.2.11", "192.0.2.12"
CHECK, BAD = "/etc/lvsd/check", "/run/bad"
HOOK, HEARD = "/etc/lvsd/role", "/var/log/roles"
WORKER = "the-worker-of-lb1"  # longer than the 15 bytes the kernel keeps
FIFO, LINES = "/run/roles", "/var/log/lines"
SCRIPT = f"#!/bin/sh\ntest ! -e {BAD}\n"
TELLER = f'#!/bin/sh\necho "$*" >> {HEARD}\n'
WEIGHED = f"script: [{CHECK}], name: chk, interval: 200ms, timeout: 10s"


def config(host: str, track: str = "", *, more: str = "", daemon: str = "", preempt: bool = True) -> str:
    return f"""
daemon: {{{daemon}}}
vrrp:
  lb0:
    interface: eth0
    virtual_router_id: 51
    priority: {110 if host == "lb1" else 100}
    advertisement_interval: 1s
    preempt: {str(preempt).lower()}
    addresses: [192.0.2.100/24]
    track: [{track}]
    {more}
defaults: {{check: {{interval: 500ms, timeout: 500ms, fall: 2}}}}
services:
  web:
    virtual: 192.0.2.100:80
    scheduler: rr
    check: {{type: http, path: /ldirectord.txt, receive: ldirectord}}
    real_servers: [{RS1}, {RS2}]
"""


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    world = make_world(PAIR)
    for name in ("lb1", "lb2"):
        world[name].write(CHECK, SCRIPT, 0o755)
        world[name].write(HOOK, TELLER, 0o755)
    with ExitStack() as servers:
        for name in ("rs1", "rs2"):
            servers.enter_context(farm.Server(world[name], 80, farm.good))
        yield world


def up(world: World, track: str = "", *, preempt: bool = True) -> tuple[Balancer, Balancer]:
    """Lvsd on both: lb1 active, the standby known."""
    text = {name: config(name, track, preempt=preempt) for name in ("lb1", "lb2")}
    first = Balancer(world["lb1"], text["lb1"]).start()
    becomes(first, "active")
    second = Balancer(world["lb2"], text["lb2"]).start()
    known(first, "192.0.2.2")
    return first, second


def known(balancer: Balancer, standby: str) -> None:
    wait_until(lambda: row(balancer).standbys == (standby,), 15, f"{standby} stands by")


def row(balancer: Balancer) -> VrrpRow:
    return balancer.vrrp().instances[0]


def becomes(balancer: Balancer, role: str, cause: str = "") -> VrrpRow:
    def so() -> bool:
        found = row(balancer)
        return found.role == role and cause in ("", found.cause)

    try:
        wait_until(so, 20, f"{balancer.host.name}: {role} {cause}")
    except AssertionError as error:
        raise AssertionError(f"{error}; {row(balancer)}\n{balancer.log()}") from error
    return row(balancer)


def weighs(balancer: Balancer, priority: int) -> None:
    wait_until(lambda: row(balancer).priority == priority, 20, f"{balancer.host.name}: {priority}, not {row(balancer)}")


def spoil(host: LiveHost) -> None:
    host.write(BAD, "")


def mend(host: LiveHost) -> None:
    host.run(["rm", BAD])


def cut(world: World, name: str) -> None:
    """Let this balancer alone reach no real server any more: they do not find back to it."""
    for real in ("rs1", "rs2"):
        world[real].run(["ip", "route", "add", "blackhole", world[name].address()])


def join(world: World, name: str) -> None:
    for real in ("rs1", "rs2"):
        world[real].run(["ip", "route", "del", "blackhole", world[name].address()])


def test_a_script_that_fails_is_a_fault_and_the_other_takes_over_at_once(world: World) -> None:
    first, second = up(world, f"{{{WEIGHED}}}")
    spoil(world["lb1"])
    assert becomes(first, "initialize").fault == "script chk: status 1"
    becomes(second, "active", "handed_over")
    assert "192.0.2.100" not in first.addresses()
    mend(world["lb1"])
    becomes(first, "active")
    becomes(second, "backup")


def test_a_script_that_weighs_lets_the_better_one_have_the_addresses(world: World) -> None:
    first, second = up(world, f"{{{WEIGHED}, weight: -50, fall: 2}}")
    spoil(world["lb1"])
    becomes(first, "backup", "priority_lowered")
    becomes(second, "active", "handed_over")
    (track,) = row(first).tracks
    assert (track.kind, track.name, track.state, track.weight) == ("script", "chk", "bad", -50)
    mend(world["lb1"])
    becomes(first, "active")


def test_files_and_processes(world: World) -> None:
    first, second = up(world, f"{{file: /run/number, weight: 2}}, {{process: {WORKER}, weight: 20}}")
    weighs(first, 110)
    world["lb1"].run(["cp", "/usr/bin/sleep", f"/run/{WORKER}"])
    sleeper = world["lb1"].popen([f"/run/{WORKER}", "600"])
    weighs(first, 130)
    world["lb1"].write("/run/number", "-10\n")
    weighs(first, 110)
    world["lb1"].write("/run/number", "-25\n")
    weighs(first, 80)
    becomes(second, "active")
    world["lb1"].run(["rm", "/run/number"])
    wait_until(lambda: "tracked_file_without_number" in first.log(), 10, "told")
    assert row(first).priority == 80
    world["lb1"].write("/run/number", "0\n")
    becomes(first, "active")
    sleeper.kill()
    sleeper.wait(10)
    weighs(first, 110)


@pytest.mark.parametrize("preempt", [True, False])
def test_who_alone_reaches_no_real_server_yields_and_a_dead_farm_moves_nothing(world: World, preempt: bool) -> None:
    first, second = up(world, "{service: web, delay: 2s}", preempt=preempt)
    cut(world, "lb1")
    becomes(first, "backup", "priority_lowered")
    becomes(second, "active", "handed_over")
    known(second, "192.0.2.1")
    cut(world, "lb2")
    weighs(second, 1)
    weighs(first, 1)
    settled = row(first).transitions, row(second).transitions
    wait_until(lambda: row(second).active_priority == 1, 10, "advertised")
    assert (row(first).role, row(second).role) == ("backup", "active")
    join(world, "lb1")
    becomes(first, "active")  # it alone reaches them now
    join(world, "lb2")
    weighs(second, 100)
    assert (row(first).transitions, row(second).transitions) == (settled[0] + 1, settled[1] + 1)


def test_a_farm_that_dies_and_comes_back_moves_nothing(world: World) -> None:
    first, second = up(world, "{service: web, delay: 3s}")
    before = row(first).transitions, row(second).transitions
    for name in ("lb1", "lb2"):
        cut(world, name)
    weighs(first, 1)
    weighs(second, 1)
    for name in ("lb1", "lb2"):
        join(world, name)
    weighs(first, 110)
    weighs(second, 100)
    assert (row(first).transitions, row(second).transitions) == before


def heard(host: LiveHost) -> list[str]:
    return host.run(["cat", HEARD], check=False).stdout.splitlines()


def test_roles_are_told_in_order_and_once(world: World) -> None:
    host = world["lb1"]
    words = (f"on_{role}: [{HOOK}, {role}]" for role in ("active", "fault", "stop"))
    hooks = "\n    ".join((*words, f"on_change: [{HOOK}]"))
    text = config("lb1", f"{{{WEIGHED}}}", more=hooks, daemon=f"notify_fifo: {FIFO}")
    balancer = Balancer(host, text).start()
    becomes(balancer, "active")
    reader = host.popen(["cat", FIFO], log=LINES)
    expected = ["INSTANCE lb0 BACKUP 110", "active", "INSTANCE lb0 MASTER 110"]
    wait_until(lambda: heard(host) == expected, 10, f"{expected}, not {heard(host)}")

    transitions = row(balancer).transitions
    balancer.kill("notify")
    balancer.kill("director")
    wait_until(balancer._up, 20, "the director is back")
    assert balancer.reload().accepted
    wait_until(lambda: row(balancer).tracks[0].state == "good", 20, "the script is heard again")
    assert (row(balancer).role, row(balancer).transitions) == ("active", transitions)
    assert heard(host) == expected
    reader.wait(10)  # the pipe's end was the death of who held it
    reader = host.popen(["cat", FIFO], log=LINES)

    spoil(host)
    becomes(balancer, "initialize")
    expected += ["fault", "INSTANCE lb0 FAULT 110"]
    wait_until(lambda: heard(host) == expected, 10, f"{expected}, not {heard(host)}")
    assert balancer.reload().accepted  # the reader goes on
    mend(host)
    becomes(balancer, "active")
    expected += ["INSTANCE lb0 BACKUP 110", "active", "INSTANCE lb0 MASTER 110"]
    wait_until(lambda: heard(host) == expected, 10, f"{expected}, not {heard(host)}")
    assert balancer.stop() == 0
    assert heard(host) == [*expected, "stop", "INSTANCE lb0 STOP 110"]
    reader.wait(10)
    told = [line.split()[2] for line in host.read(LINES).splitlines() if line.startswith('INSTANCE "lb0" ')]
    assert told[-5:] == ["MASTER", "FAULT", "BACKUP", "MASTER", "STOP"]
