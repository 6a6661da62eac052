"""One keepalived.conf, one sequence of failures: keepalived on lb2, lvsd on lb1, their tables compared over time."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping

import pytest

from tests.lab.balancer import Balancer
from tests.lab.daemons import web
from tests.lab.daemons.balancers import Keepalived
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
    of,
    settings,
    web_is,
)
from tests.lab.world import World

FILE = "/etc/keepalived/keepalived.conf"
SCRIPT = "/usr/local/bin/check-real"
STATUS = "/srv/status"


def http(extra: str = "") -> str:
    return f"""HTTP_GET {{
            url {{
                path /ldirectord.txt
                status_code 200
            }}
            connect_timeout 2
            retry 1
            delay_before_retry 1
            {extra}
        }}"""


CONFIGURATION = f"""\
! a farm of three
global_defs {{
    router_id SIDE
    script_user root
    enable_script_security
}}
$WEIGHT=7
virtual_server {VIP} 80 {{
    delay_loop 2
    lb_algo wlc
    lb_kind DR
    protocol TCP
    sorry_server {SORRY} 80
    quorum 11
    hysteresis 2
    real_server {REALS["rs1"]} 80 {{
        weight 10
        {http()}
    }}
    real_server {REALS["rs2"]} 80 {{
        weight 5
        {http()}
    }}
    real_server {REALS["rs3"]} 80 {{
        weight 5
        {http()}
    }}
}}
virtual_server {VIP} 81 {{
    delay_loop 2
    lvs_sched wrr
    lvs_method NAT
    persistence_timeout 600
    persistence_granularity 255.255.255.0
    protocol TCP
    alpha
    real_server {REALS["rs1"]} 80 {{
        weight $WEIGHT
        inhibit_on_failure
        TCP_CHECK {{
            connect_timeout 2
            retry 2
            delay_before_retry 1
        }}
    }}
    real_server {REALS["rs2"]} 80 {{
        weight 3
        uthreshold 100
        lthreshold 50
        TCP_CHECK {{
            connect_timeout 2
        }}
    }}
}}
virtual_server fwmark 7 {{
    delay_loop 2
    lb_algo rr
    lb_kind TUN
    protocol TCP
    real_server {REALS["rs1"]} 80 {{
        MISC_CHECK {{
            misc_path "{SCRIPT} {REALS["rs1"]}"
            misc_timeout 2
            misc_dynamic
        }}
    }}
    real_server {REALS["rs2"]} 80 {{
        weight 4
        TCP_CHECK {{
            connect_port 80
            connect_timeout 2
        }}
        MISC_CHECK {{
            misc_path "{SCRIPT} {REALS["rs2"]}"
            misc_timeout 2
        }}
    }}
}}
virtual_server {VIP} 82 {{
    delay_loop 2
    lb_algo sh
    lb_kind DR
    protocol TCP
    real_server {REALS["rs1"]} 82 {{
        weight 1
        TCP_CHECK {{
            connect_port 80
            connect_timeout 2
        }}
    }}
    real_server {REALS["rs3"]} 82 {{
        weight 1
        TCP_CHECK {{
            connect_port 80
            connect_timeout 2
        }}
    }}
}}
"""
CHANGED = CONFIGURATION.replace("weight 10\n", "weight 12\n").replace("lvs_sched wrr", "lvs_sched rr")


def unasked(difference: Difference) -> bool:
    """A dead server serves with them until it was found dead; with us it never did."""
    ours, theirs = difference.ours, difference.theirs
    return difference.step == "start" and ours[-1] == theirs[-1] and not any(ours[:-1])


def weightless(difference: Difference) -> bool:
    """The one whose weight a command gives."""
    return difference == Difference("reload", ("fwm 7", f"{REALS['rs1']}:0"), (1,), (1, 0))


EXPLANATIONS = (
    Explanation("After a reload keepalived puts a real server with `misc_dynamic` at weight 0", weightless),
    Explanation("keepalived serves from a server nobody has probed yet", unasked),
    Explanation("A table edited by hand is noticed and repaired.", by_hand),
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with farm() as running:
        for name in ("lb1", "lb2"):
            running[name].write(SCRIPT, f"#!/bin/sh\nexit $(cat {STATUS}/$1)\n", 0o755)
        say(running, 0)
        yield running


def say(world: World, status: int, *names: str) -> None:
    """What the command answers for these real servers, for all where none is named."""
    for balancer in ("lb1", "lb2"):
        for name in names or tuple(REALS):
            world[balancer].write(f"{STATUS}/{REALS[name]}", f"{status}\n")


@pytest.fixture(scope="module")
def pair(world: World) -> Iterator[SideBySide]:
    """Both running with the same file."""
    world["lb1"].write(FILE, CONFIGURATION, 0o600)
    ours = Balancer(world["lb1"], "daemon: {clear_table_on_stop: true}\n", FILE)
    with both(world, ours, Keepalived(CONFIGURATION), EXPLANATIONS) as running:
        yield running


def test_start_with_a_dead_server(pair: SideBySide) -> None:
    nothing_unexplained(pair.step("start", STEP_SECONDS, web_is("rs1", "rs2")))
    ours, theirs = settings(pair.ours.table), settings(pair.theirs.table)
    for name in theirs:
        assert ours.get(name) == theirs[name], name


def test_the_dead_server_comes(world: World, pair: SideBySide) -> None:
    world["rs3"].start(Nginx())
    nothing_unexplained(pair.step("it comes", STEP_SECONDS, web_is("rs1", "rs2", "rs3")))


def test_the_quorum_is_lost_and_gained(world: World, pair: SideBySide) -> None:
    """10 of 20 is below 11; 15 is above 11 less 2, and above 11 and 2."""
    world["rs1"].stop(Nginx())
    nothing_unexplained(pair.step("10 left of 20: within the hysteresis", STEP_SECONDS, web_is("rs2", "rs3")))
    world["rs2"].stop(Nginx())
    nothing_unexplained(pair.step("5 left: the quorum is lost", STEP_SECONDS, web_is(SORRY)))
    world["rs2"].start(Nginx())
    nothing_unexplained(pair.step("10 again: not yet gained", STEP_SECONDS, of("fwm 7", "rs1", "rs2")))
    world["rs1"].start(Nginx())
    nothing_unexplained(pair.step("20: gained", STEP_SECONDS, web_is("rs1", "rs2", "rs3")))


def test_a_page_that_is_gone(world: World, pair: SideBySide) -> None:
    world["rs3"].run(["rm", web.CHECK_PAGE])
    nothing_unexplained(pair.step("404", STEP_SECONDS, web_is("rs1", "rs2")))
    world["rs3"].write(web.CHECK_PAGE, "ldirectord\n")
    nothing_unexplained(pair.step("200", STEP_SECONDS, web_is("rs1", "rs2", "rs3")))


def test_a_command_gives_the_weight(world: World, pair: SideBySide) -> None:
    def weighs(weight: Weight) -> Until:
        return lambda now: now.get(("fwm 7", f"{REALS['rs1']}:0"), now.get(("fwm 7", f"{REALS['rs1']}:80"))) == weight

    say(world, 50, "rs1")
    nothing_unexplained(pair.step("status 50 is weight 48", STEP_SECONDS, weighs(48)))
    say(world, 1, "rs1")
    nothing_unexplained(pair.step("status 1 is down", STEP_SECONDS, weighs(None)))
    say(world, 0)
    nothing_unexplained(pair.step("status 0 is the configured weight", STEP_SECONDS, weighs(1)))


def test_one_of_two_checks_fails(world: World, pair: SideBySide) -> None:
    say(world, 3, "rs2")
    nothing_unexplained(pair.step("the command says no", STEP_SECONDS, of("fwm 7", "rs1")))
    say(world, 0, "rs2")
    nothing_unexplained(pair.step("the command says yes", STEP_SECONDS, of("fwm 7", "rs1", "rs2")))


def test_a_weight_set_by_hand(world: World, pair: SideBySide) -> None:
    command = ["ipvsadm", "-e", "-t", f"{VIP}:80", "-r", f"{REALS['rs1']}:80", "-g", "-w", "77"]
    for name in ("lb1", "lb2"):
        world[name].run(command)
    nothing_unexplained(pair.step("a weight set by hand", STEP_SECONDS, web_is("rs1", "rs2", "rs3")))
    world["lb2"].run([*command[:-1], "10"])
    pair.step("mended for them", STEP_SECONDS, web_is("rs1", "rs2", "rs3"))


def test_reload(world: World, pair: SideBySide) -> None:
    for name in ("lb1", "lb2"):
        world[name].write(FILE, CHANGED)
    world["lb1"].run(["/bin/sh", "-c", "kill -HUP $(cat /run/lvsd/lvsd.pid)"])
    world["lb2"].processes["keepalived"].send_signal(signal.SIGHUP)

    def changed(now: Mapping[Spot, Weight]) -> bool:
        return now.get((f"tcp {VIP}:80", f"{REALS['rs1']}:80")) == 12

    nothing_unexplained(pair.step("reload", STEP_SECONDS, changed))
    for port in (80, 81):
        assert settings(pair.ours.table)[f"tcp {VIP}:{port}"] == settings(pair.theirs.table)[f"tcp {VIP}:{port}"]


def test_every_explanation_was_needed(pair: SideBySide) -> None:
    assert pair.used == {one.sentence for one in EXPLANATIONS}
