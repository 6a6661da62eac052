"""A person's shell in a topology: hosts are commands, and `lab` does things to them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.lab_tests.runner import finish, lab

WORDS = """
lb1 hostname
cd /etc && lb1 pwd
echo typed | client cat
lab kill rs1
rs1 true || echo refused
client ping -c1 -W1 -q 192.0.2.11 >/dev/null || echo silent
lab revive rs1
rs1 cat /etc/hostname
lab part public client rs2
client ping -c1 -W1 -q 192.0.2.12 >/dev/null || echo parted
lab heal
client ping -c1 -W1 -q 192.0.2.12 >/dev/null && echo healed
lab unplug lb2 public
lb2 cat /sys/class/net/eth0/carrier
lab plug lb2 public
lb2 cat /sys/class/net/eth0/carrier
lab kill nobody
lab kill rs1 && lab kill rs1
lab | head -1
lb1 sh -c 'exit 9'
"""


def test_hosts_are_commands(tmp_path: Path) -> None:
    with subprocess.Popen(["printf", "%s", WORDS], stdout=subprocess.PIPE) as words:
        assert words.stdout is not None
        with lab("shell", "--topology", "pair", home=tmp_path, stdin=words.stdout.fileno()) as process:
            status, output, _ = finish(process)
    first, *lines = output.splitlines()
    assert first.endswith("5 hosts")
    assert lines == [
        "lb1",
        "/etc",
        "typed",
        "rs1 is dead: lab revive rs1",
        "refused",
        "silent",
        "rs1",
        "parted",
        "healed",
        "0",
        "1",
        "lab: there is no 'nobody'",
        "lab: rs1 is dead",
        "lab kill HOST               power loss: not a frame more, then no process",
    ]
    assert status == 9


def test_an_unknown_topology_is_named(tmp_path: Path) -> None:
    with lab("shell", "--topology", "ring", home=tmp_path) as process:
        status, output, _ = finish(process)
    assert (status, output) == (2, "no topology ring: there are cluster, pair and none\n")
