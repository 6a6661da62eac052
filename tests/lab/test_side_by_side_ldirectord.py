"""One ldirectord.cf, one sequence of failures: real ldirectord on lb2, lvsd on lb1, their tables compared over time."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from tests.lab.balancer import Balancer
from tests.lab.daemons import web
from tests.lab.daemons.balancers import Ldirectord
from tests.lab.daemons.web import Nginx
from tests.lab.timeline import (
    REALS,
    SORRY,
    STEP_SECONDS,
    VIP,
    Difference,
    Explanation,
    SideBySide,
    Spot,
    Until,
    Weight,
    both,
    by_hand,
    farm,
    nothing_unexplained,
    served,
    settings,
    web_is,
)
from tests.lab.world import LiveHost, World

FILE = "/etc/ha.d/ldirectord.cf"
SCRIPT = "/usr/local/bin/check-real"
ALLOWED = "/srv/allowed"

HEAD = """\
checktimeout=2
negotiatetimeout=2
checkinterval=1
checkcount=1
autoreload=no
logfile="local0"
quiescent=no
fallback=192.0.2.50:80
"""
WEB = """\
virtual=192.0.2.100:80
        real=192.0.2.11:80 gate 10
        real=192.0.2.12:80 gate 20
        real=192.0.2.13:80 gate
        service=http
        request="ldirectord.txt"
        receive="ldirectord"
        scheduler=wlc
        protocol=tcp
"""
REST = """\
virtual=192.0.2.100:8080
        real=192.0.2.11:80 masq 3
        real=192.0.2.12:80 masq 4
        service=http
        checktype=negotiate
        request="/ldirectord.txt"
        receive="l[a-z]+ord"
        quiescent=yes
        scheduler=wrr
        persistent=600
        netmask=255.255.255.0
virtual=192.0.2.100:81
        real=192.0.2.11->192.0.2.13:81 gate 5
        checktype=connect
        checkport=80
        scheduler=rr
virtual=7
        real=192.0.2.11 gate 2
        real=192.0.2.12 ipip 2
        service=http
        checkport=80
        request="ldirectord.txt"
        receive="ldirectord"
        persistent=30
        scheduler=lblc
virtual=192.0.2.100:82
        real=192.0.2.11:82 gate 1
        real=192.0.2.12:82 gate 1
        checktype=external
        checkcommand=/usr/local/bin/check-real
        scheduler=wlc
virtual=192.0.2.100:83
        real=192.0.2.11:83 gate 1
        real=192.0.2.12:83 gate 1
        service=http
        checkport=80
        request="ldirectord.txt"
        receive="ldirectord"
        scheduler=sh
virtual=192.0.2.100:84
        real=192.0.2.11:84 gate 6
        checktype=on
virtual=192.0.2.100:85
        real=192.0.2.11:85 gate 6 l:5 u:50
        checktype=off
        fallback=192.0.2.51 gate
"""
CONFIGURATION = HEAD + WEB + REST
CHANGED = (
    CONFIGURATION.replace("192.0.2.12:80 gate 20", "192.0.2.12:80 gate 25")
    .replace("        real=192.0.2.13:80 gate\n", "")
    .replace("scheduler=wlc\n        protocol", "scheduler=lc\n        protocol")
)


def blips(difference: Difference) -> bool:
    """Ours goes straight where theirs arrives by way of servers put in unasked and taken out again at once."""
    ours, theirs = difference.ours, difference.theirs
    return difference.step in ("start", "reload") and ours[-1] == theirs[-1] and not any(ours[:-1])


def hashed(difference: Difference) -> bool:
    """Under sh: weight 0 for us where it is gone for them."""
    return difference.spot[0].endswith(":83") and difference.theirs == tuple(
        None if weight == 0 else weight for weight in difference.ours
    )


EXPLANATIONS = (
    Explanation("Start and reload put no server into the table that has not answered yet", blips),
    Explanation("under `sh` and `mh` a server that is down stays at weight 0", hashed),
    Explanation("A change of the table made by hand is noticed and repaired.", by_hand),
    Explanation(
        "a global one serves firewall marks too",
        lambda one: one.spot[0] == "fwm 7" and one.spot[1].startswith(SORRY),
    ),
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with farm() as running:
        for name in ("lb1", "lb2"):
            running[name].write(SCRIPT, f'#!/bin/sh\n[ -e {ALLOWED}/"$3" ]\n', 0o755)
            for address in REALS.values():
                running[name].write(f"{ALLOWED}/{address}", "")
        yield running


@pytest.fixture(scope="module")
def pair(world: World) -> Iterator[SideBySide]:
    """Both running with the same file."""
    world["lb1"].write(FILE, CONFIGURATION, 0o600)
    ours = Balancer(world["lb1"], "daemon: {clear_table_on_stop: true}\n", FILE)
    with both(world, ours, Ldirectord(CONFIGURATION), EXPLANATIONS) as running:
        yield running


def test_start_with_a_dead_server(pair: SideBySide) -> None:
    nothing_unexplained(pair.step("start", STEP_SECONDS * 2, web_is("rs1", "rs2")))
    ours, theirs = settings(pair.ours.table), settings(pair.theirs.table)
    for name in theirs:
        if not name.startswith(f"tcp {VIP}:83"):  # the fallback flag of sh
            assert ours.get(name) == theirs[name], name


def test_the_dead_server_comes(world: World, pair: SideBySide) -> None:
    world["rs3"].start(Nginx())
    nothing_unexplained(pair.step("it comes", STEP_SECONDS, web_is("rs1", "rs2", "rs3")))


def test_a_page_without_its_word(world: World, pair: SideBySide) -> None:
    world["rs1"].write(web.CHECK_PAGE, "under construction\n")
    nothing_unexplained(pair.step("no word", STEP_SECONDS, web_is("rs2", "rs3")))
    world["rs1"].write(web.CHECK_PAGE, "ldirectord\n")
    nothing_unexplained(pair.step("the word is back", STEP_SECONDS, web_is("rs1", "rs2", "rs3")))


def test_a_command_says_no(world: World, pair: SideBySide) -> None:
    def command_takes(*names: str) -> Until:
        return lambda now: served(now, f"tcp {VIP}:82") == {REALS[name] for name in names}

    for name in ("lb1", "lb2"):
        world[name].run(["rm", f"{ALLOWED}/{REALS['rs2']}"])
    nothing_unexplained(pair.step("the command says no", STEP_SECONDS, command_takes("rs1")))
    for name in ("lb1", "lb2"):
        world[name].write(f"{ALLOWED}/{REALS['rs2']}", "")
    nothing_unexplained(pair.step("the command says yes", STEP_SECONDS, command_takes("rs1", "rs2")))


def test_all_of_them_die_and_return(world: World, pair: SideBySide) -> None:
    for name in REALS:
        world[name].stop(Nginx())
    nothing_unexplained(pair.step("all are dead", STEP_SECONDS, web_is(SORRY)))
    world["rs2"].start(Nginx())
    nothing_unexplained(pair.step("one returns", STEP_SECONDS, web_is("rs2")))
    for name in ("rs1", "rs3"):
        world[name].start(Nginx())
    nothing_unexplained(pair.step("all return", STEP_SECONDS, web_is("rs1", "rs2", "rs3")))


def test_a_machine_loses_its_power(world: World, pair: SideBySide) -> None:
    world["rs3"].kill()
    nothing_unexplained(pair.step("no power", STEP_SECONDS, web_is("rs1", "rs2")))
    world["rs3"].revive()
    world["rs3"].start(Nginx())
    nothing_unexplained(pair.step("power", STEP_SECONDS, web_is("rs1", "rs2", "rs3")))


def test_a_weight_set_by_hand(world: World, pair: SideBySide) -> None:
    command = ["ipvsadm", "-e", "-t", f"{VIP}:80", "-r", "192.0.2.11:80", "-g", "-w", "77"]
    for name in ("lb1", "lb2"):
        world[name].run(command)
    nothing_unexplained(pair.step("a weight set by hand", STEP_SECONDS, web_is("rs1", "rs2", "rs3")))
    world["lb2"].run([*command[:-1], "10"])
    pair.step("mended for them", STEP_SECONDS, web_is("rs1", "rs2", "rs3"))


def test_reload(world: World, pair: SideBySide) -> None:
    world["lb1"].write(FILE, CHANGED, 0o600)
    world["lb2"].write("/etc/ldirectord.cf", CHANGED)
    lb1, lb2 = world["lb1"], world["lb2"]
    lb1.run(["/bin/sh", "-c", "kill -HUP $(cat /run/lvsd/lvsd.pid)"])
    _process(lb2).send_signal(signal.SIGHUP)

    def changed(now: Mapping[Spot, Weight]) -> bool:
        return now.get((f"tcp {VIP}:80", "192.0.2.12:80")) == 25 and served(now, f"tcp {VIP}:80") == {
            REALS["rs1"],
            REALS["rs2"],
        }

    nothing_unexplained(pair.step("reload", STEP_SECONDS * 2, changed))
    assert settings(pair.ours.table)[f"tcp {VIP}:80"] == settings(pair.theirs.table)[f"tcp {VIP}:80"]


def _process(host: LiveHost) -> subprocess.Popen[str]:
    return host.processes["ldirectord"]


def test_every_explanation_was_needed(pair: SideBySide) -> None:
    assert pair.used == {one.sentence for one in EXPLANATIONS}
