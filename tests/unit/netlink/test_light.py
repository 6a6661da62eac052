"""The process that moves virtual addresses imports this package: it has to stay small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = str(Path(__file__).parents[3])
FORBIDDEN = ("asyncio", "pyroute2", "yaml", "ssl", "logging", "ipaddress", "subprocess", "msgspec")


def test_what_route_socket_does_not_load() -> None:
    ours = "netlink.route_socket, netlink.route_watch"
    program = f"import sys; sys.path.append({CHECKOUT!r}); import {ours}; print(*sys.modules)"
    bare = [sys.executable, "-I", "-S", "-c", program]  # without what site and the editable installation load
    run = subprocess.run(bare, check=True, capture_output=True, text=True, timeout=60)
    assert {"netlink.route_socket", "netlink.route_watch"} <= set(run.stdout.split())
    assert set(run.stdout.split()).isdisjoint(FORBIDDEN)
