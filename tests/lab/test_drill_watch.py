"""A client on a third machine watches a drill by `lvsctl drill watch`; what it saw is laid beside the report."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab import farm
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR, VIP
from tests.lab.test_connection_sync import echo
from tests.lab.test_failover import LVSCTL, drilled, lvsctl, up
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

HELD = 6
SEEN = "/run/client.json"
APART_MS = 1000.0
"""Two processes measure, each of which may wait for the one processor; what belongs to another time than the drill's
would differ by the 8 s that it holds."""
CUT_SECONDS = 4.0
"""How long nothing of the client's leaves it, while the drill holds. The hand-overs take a hundredth of that."""
SYNC = "ipvs: {sync: {interface: eth0, id: 7}}"


def observed(world: World, client: subprocess.Popen[str]) -> dict[str, Any]:
    """What the client saw until now, as the merged report of lb1 has it; an own file lies beside the report."""
    client.send_signal(signal.SIGINT)
    assert client.wait(60) == 0, world["client"].read("/var/log/watch.log")
    print(world["client"].read("/var/log/watch.log"))
    world["lb1"].write("/run/from-client.json", world["client"].read(SEEN))
    merged = lvsctl(world["lb1"], "drill", "--json", "--merge", "/run/from-client.json")
    assert merged.returncode == 0, merged.stderr
    (row,) = json.loads(merged.stdout)["observed"]
    print(row)
    assert row["node"] == "client"
    found: dict[str, Any] = row
    return found


def watching(host: LiveHost) -> subprocess.Popen[str]:
    words = [LVSCTL, "drill", "watch", f"{VIP}:80", "--seconds", "600s", "--connections", str(HELD), "-o", SEEN]
    return host.popen(words, log="/var/log/watch.log")


def cut(host: LiveHost, seconds: float) -> tuple[float, float]:
    """Let nothing of the host's leave it for so long; for how many ms that was so at least, and at most."""
    before = time.monotonic()
    host.run(["tc", "qdisc", "add", "dev", "eth0", "root", "netem", "loss", "100%"])
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since >= seconds, seconds + 60, "the cut has lasted")
    until = time.monotonic()
    host.run(["tc", "qdisc", "del", "dev", "eth0", "root"])
    return (until - since) * 1000, (time.monotonic() - before) * 1000


@pytest.mark.parametrize("synchronised", [True, False])
def test_a_client_holds_connections_over_a_drill(make_world: MakeWorld, synchronised: bool) -> None:
    world = make_world(PAIR)
    with ExitStack() as stack:
        for name in ("rs1", "rs2"):
            stack.enter_context(farm.Server(world[name], 80, echo))
        up(world, check="type: tcp", extra=SYNC if synchronised else "")
        client = watching(world["client"])
        knowing = world["lb2" if synchronised else "lb1"]
        wait_until(lambda: knowing.run(["ipvsadm", "-Lnc"]).stdout.count("ESTABLISHED") >= HELD, 20, "they are held")
        status, report = drilled(world["lb1"], "--hold", "8s")
        assert (status, report["result"]) == (0, "rehearsed"), report
        row = observed(world, client)
    own = max(one["milliseconds"] for one in report["there"] + report["back"])
    assert abs(row["milliseconds"] - own) < APART_MS
    held = row["held"]
    assert held["opened"] == HELD
    assert (held["kept"], held["reset"]) == ((HELD, 0) if synchronised else (0, HELD))
    assert "seen by client, a client:" in lvsctl(world["lb1"], "drill", "--merge", "/run/from-client.json").stdout


def test_a_client_measures_what_it_misses(make_world: MakeWorld) -> None:
    """An outage of known length on its own way, which the balancer cannot see: one that measures nothing is found."""
    world = make_world(PAIR)
    with ExitStack() as stack:
        for name in ("rs1", "rs2"):
            stack.enter_context(farm.Server(world[name], 80, echo))
        first, _ = up(world, check="type: tcp", extra=SYNC)
        client = watching(world["client"])
        wait_until(lambda: world["lb2"].run(["ipvsadm", "-Lnc"]).stdout.count("ESTABLISHED") >= HELD, 20, "held")
        drills: list[tuple[int, dict[str, Any]]] = []
        drill = threading.Thread(target=lambda: drills.append(drilled(world["lb1"], "--hold", "8s")))
        drill.start()
        wait_until(lambda: first.vrrp().instances[0].role == "backup", 20, "it is handed over")
        least, most = cut(world["client"], CUT_SECONDS)
        drill.join(60)
        ((status, report),) = drills
        assert (status, report["result"]) == (0, "rehearsed"), report
        row = observed(world, client)
    own = max(one["milliseconds"] for one in report["there"] + report["back"])
    assert least - APART_MS < row["milliseconds"] < most + APART_MS
    assert own < least - APART_MS < CUT_SECONDS * 1000  # what the balancer saw is not what was measured
    assert row["unanswered"] > row["probes"] / 100
    held = row["held"]
    assert (held["opened"], held["kept"]) == (HELD, HELD)  # they waited
