"""A network of our own, in a thread of our own: loopback, a cable with nobody at its other end, and root's rights."""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import subprocess
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from tests.lab import syscalls

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
CAP_NET_RAW = 13
SETUP = (
    "ip link set lo up",
    "ip address add 10.77.0.1/32 dev lo",
    "ip address add fd77::1/128 dev lo nodad",
    "ip link add silent0 type veth peer name silent1",
    "ip link set silent0 up",
    "ip link set silent1 up",
    "ip address add 10.78.0.1/16 dev silent0",
    "ip route add 10.79.0.0/16 via 10.78.0.2",
    "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0",
)
_VERSION_3 = 0x20080522

Result = TypeVar("Result")


def apart(work: Callable[[], Coroutine[None, None, Result]], *further: str, without: int | None = None) -> Result:
    """Run `work` in a network namespace of its own, after these commands; `without` a capability."""

    def run() -> Result:
        syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_FS)
        for command in (*SETUP, *further):
            do(command)
        if without is not None:
            _give_up(without)
        return asyncio.run(work())

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def do(command: str) -> str:
    """One command, without a shell: what it says."""
    return subprocess.run(command.split(), check=True, capture_output=True, text=True, timeout=20).stdout


def filtered(*rules: str) -> tuple[str, ...]:
    """Commands that have packets on their way in meet these rules of nftables."""
    chain = "nft add chain inet t in { type filter hook input priority 0 ; }"
    return ("nft add table inet t", chain, *(f"nft add rule inet t in {rule}" for rule in rules))


def _give_up(capability: int) -> None:
    """Of this thread alone (capset(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("Ii", _VERSION_3, 0)
    held = bytearray(24)
    buffer = (ctypes.c_char * 24).from_buffer(held)
    libc.capget(header, buffer)
    sets = list(struct.unpack("6I", held))
    struct.pack_into("6I", held, 0, *(one & ~(1 << capability) if at < 3 else one for at, one in enumerate(sets)))
    if libc.capset(header, buffer) != 0:
        raise OSError(ctypes.get_errno(), "capset")
