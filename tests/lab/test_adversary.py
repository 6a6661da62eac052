"""An unlucky night: reloads while the director dies, a run directory that somebody cleans up, a closed terminal."""

from __future__ import annotations

import signal
import time

from tests.lab.balancer import RUN, Balancer
from tests.lab.pair import VIP
from tests.lab.prober import PATIENT_SECONDS, Prober, http
from tests.lab.test_lvsd import RS1, RS2, up, world
from tests.lab.waiting import wait_until
from tests.lab.world import CHECKOUT, World

__all__ = ["world"]  # the fixture

LVSCTL = f"{CHECKOUT}/.venv/bin/lvsctl"


def born(balancer: Balancer) -> int:
    """How often the director was started."""
    return balancer.log().count("process_started process=director")


def test_reloads_while_the_director_is_being_born_do_not_kill_it(world: World) -> None:
    balancer = up(world)
    assert balancer.process is not None
    with Prober(world["client"], http(VIP, seconds=PATIENT_SECONDS)) as prober:
        wait_until(lambda: len(prober.polls) > 5, 10, "polls")
        balancer.kill("director")
        began = time.monotonic()
        while time.monotonic() < began + 2 or not balancer._up():
            balancer.process.send_signal(signal.SIGHUP)
            assert time.monotonic() < began + 60, balancer.log()
        wait_until(lambda: "config_reloaded" in balancer.log(), 10, "reloaded")
    assert born(balancer) == 2, balancer.log()
    assert prober.failures() == 0
    assert balancer.weights() == {RS1: 1, RS2: 1}


def test_a_run_directory_that_is_removed_comes_back(world: World) -> None:
    balancer = up(world)
    with Prober(world["client"], http(VIP, seconds=PATIENT_SECONDS)) as prober:
        balancer.host.run(["rm", "-r", str(RUN)])
        wait_until(lambda: "run_directory_lost" in balancer.log(), 10, "noticed")
        wait_until(balancer._up, 20, "and everybody has found it")
        balancer.kill("vrrp")
        wait_until(balancer._up, 20, "a new vrrp process has been told")
        wait_until(lambda: balancer.vrrp().instances[0].role == "active", 10, "active")
    assert prober.failures() == 0


def test_lvsctl_ends_in_order_whoever_takes_its_output(world: World) -> None:
    balancer = up(world)
    for words in ("status | head -1", "vrrp >&-", "show -n | true", "status --json > /dev/full", "reload <&- >&-"):
        done = balancer.host.run(["sh", "-c", f"{LVSCTL} {words}"], check=False)
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr
    watching = balancer.host.popen([LVSCTL, "status", "--watch"], log="/var/log/watch.log")
    wait_until(lambda: balancer.host.read("/var/log/watch.log").count("SERVICE") > 1, 20, "shown twice")
    watching.send_signal(signal.SIGINT)
    assert watching.wait(10) == 0
    assert "Traceback" not in balancer.host.read("/var/log/watch.log")
