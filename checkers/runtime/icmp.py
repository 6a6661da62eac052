"""The ping sockets, opened while the worker still is root; it keeps no right to open any.

Whose group is not within net.ipv4.ping_group_range may open none, root neither, and the kernel's own default is that
nobody is. So root borrows a group that is; where there is none, the range is opened for root's group alone and set
back at once. A raw socket would need none of this, but whoever holds one can send packets of any kind and source.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

from checkers.probes.echo import ping_socket

FAMILIES = (socket.AF_INET, socket.AF_INET6)
RANGE = Path("/proc/sys/net/ipv4/ping_group_range")  # of this network namespace; IPv6 goes by it too
TRIES = 3  # another worker that starts at this moment may set the range back before we have used it
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def open_ping_sockets() -> dict[int, socket.socket]:
    """One a family, without those that this machine does not give: the probes that miss them say so."""
    sockets: dict[int, socket.socket] = {}
    for _ in range(TRIES):
        if len(sockets) == len(FAMILIES):
            break
        with contextlib.suppress(OSError, ValueError), _permitted():
            for family in FAMILIES:
                if family not in sockets:
                    with contextlib.suppress(OSError):
                        sockets[family] = ping_socket(family)
    return sockets


@contextlib.contextmanager
def _permitted() -> Iterator[None]:
    """Be in a group that may; for root only."""
    if os.geteuid() != 0:
        yield
        return
    before = RANGE.read_text()
    least, most = map(int, before.split())
    with _in_group(least) if least <= most else _opened_for_us(before):
        yield


@contextlib.contextmanager
def _opened_for_us(before: str) -> Iterator[None]:
    """The range is empty. Nobody ends us in between."""
    group = os.getegid()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        RANGE.write_text(f"{group} {group}")
        try:
            yield
        finally:
            RANGE.write_text(before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextlib.contextmanager
def _in_group(group: int) -> Iterator[None]:
    own = os.getegid()
    os.setegid(group)
    try:
        yield
    finally:
        os.setegid(own)
