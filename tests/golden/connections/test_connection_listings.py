"""Connection listings that ipvsadm 1.31 printed on a 6.1 kernel, and the kernel's file they were printed from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvsd.ctl.connections import render_connections
from lvsd.ctl.names import NUMERIC, Names
from netlink.proc_ip_vs_conn import Connections
from tests.lab.lab_names import HOSTS, SERVICES

FOLDER = Path(__file__).parent
FILE = FOLDER / "proc_ip_vs_conn.txt"
NAMED_HOSTS = {line.split()[0]: line.split()[1] for line in HOSTS.split("\n") if line}
NAMED_PORTS = {line.split()[1]: line.split()[0] for line in SERVICES.split("\n") if line} | {
    "80/tcp": "http",
    "443/tcp": "https",
    "8080/tcp": "http-alt",
    "5060/udp": "sip",
}
PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}
NAMES = Names(
    host=NAMED_HOSTS.get, service=lambda port, protocol: NAMED_PORTS.get(f"{port}/{PROTOCOLS.get(protocol, 'none')}")
)


@pytest.mark.parametrize(
    ("name", "names", "engines"),
    [
        ("numeric", NUMERIC, False),
        ("engines", NUMERIC, True),
        ("names", NAMES, False),
        ("names-engines", NAMES, True),
    ],
)
def test_connections(name: str, names: Names, engines: bool) -> None:
    connections = Connections(FILE.read_bytes().splitlines(keepends=True))
    shown = b"".join(render_connections(connections, names, engines=engines))
    assert shown == (FOLDER / f"{name}.txt").read_bytes()
    assert connections.unreadable == 0


def test_what_would_steer_a_terminal_is_not_shown() -> None:
    line = b"UDP C000020B 0000 C0000201 13C4 C0000202 13C4 NONE             59 sip a\x1b[2J\x7f\x9b\xe9z\n"
    *_, shown = render_connections(Connections([b"Pro\n", line]), NUMERIC, engines=True)
    assert shown.endswith(b"sip                a?[2J??\xe9z\n")
