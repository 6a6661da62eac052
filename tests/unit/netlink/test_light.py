"""The process that moves virtual addresses imports this package: it has to stay small."""

from __future__ import annotations

import subprocess
import sys

FORBIDDEN = ("asyncio", "pyroute2", "yaml", "ssl", "logging", "ipaddress", "subprocess", "msgspec")


def test_what_route_socket_does_not_load() -> None:
    program = "import sys; had = {*sys.modules}; import netlink.route_socket; print(*{*sys.modules} - had)"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert "netlink.route_socket" in run.stdout.split()
    assert set(run.stdout.split()).isdisjoint(FORBIDDEN)
