"""A client on a third machine watches a drill by `lvsctl drill watch`; what it saw is laid beside the report."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest

from tests.lab import farm
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR, VIP
from tests.lab.test_connection_sync import echo
from tests.lab.test_failover import LVSCTL, drilled, lvsctl, up
from tests.lab.waiting import wait_until

HELD = 6
SEEN = "/run/client.json"
APART_MS = 1000.0
"""Two processes measure, each of which may wait for the one processor; what belongs to another time than the drill's
would differ by the 8 s that it holds."""
SYNC = "ipvs: {sync: {interface: eth0, id: 7}}"


@pytest.mark.parametrize("synchronised", [True, False])
def test_a_client_holds_connections_over_a_drill(make_world: MakeWorld, synchronised: bool) -> None:
    world = make_world(PAIR)
    with ExitStack() as stack:
        for name in ("rs1", "rs2"):
            stack.enter_context(farm.Server(world[name], 80, echo))
        up(world, check="type: tcp", extra=SYNC if synchronised else "")
        words = [LVSCTL, "drill", "watch", f"{VIP}:80", "--seconds", "40s", "--connections", str(HELD), "-o", SEEN]
        client = world["client"].popen(words, log="/var/log/watch.log")
        knowing = world["lb2" if synchronised else "lb1"]
        wait_until(lambda: knowing.run(["ipvsadm", "-Lnc"]).stdout.count("ESTABLISHED") >= HELD, 20, "they are held")
        status, report = drilled(world["lb1"], "--hold", "8s")
        assert (status, report["result"]) == (0, "rehearsed"), report
        assert client.wait(60) == 0, world["client"].read("/var/log/watch.log")
    print(world["client"].read("/var/log/watch.log"))
    world["lb1"].write("/run/from-client.json", world["client"].read(SEEN))
    merged = lvsctl(world["lb1"], "drill", "--json", "--merge", "/run/from-client.json")
    assert merged.returncode == 0, merged.stderr
    (row,) = json.loads(merged.stdout)["observed"]
    print(row)
    own = max(one["milliseconds"] for one in report["there"] + report["back"])
    assert row["node"] == "client"
    assert abs(row["milliseconds"] - own) < APART_MS
    held = row["held"]
    assert held["opened"] == HELD
    assert (held["kept"], held["reset"]) == ((HELD, 0) if synchronised else (0, HELD))
    assert "seen by client, a client:" in lvsctl(world["lb1"], "drill", "--merge", "/run/from-client.json").stdout
