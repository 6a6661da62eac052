"""From the signal to stop to the first gratuitous ARP of the successor: pairs of keepalived and of lvsd's vrrp process.

Runs on this machine itself, in network namespaces of its own: in the lab all balancers share one emulated core, and the
one that leaves keeps the one that comes waiting. The moments are the kernel's, of the frames on the bridge.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.takeovers import BRIDGE, CHECKOUT, PRIORITIES, PYTHON, network
from config.model import VirtualAddress, VrrpInstance
from tests.unit.vrrp.fake_director import FakeDirector

SETTINGS: Final = ((2, 1.0), (3, 0.1), (3, 0.01))
RUNS: Final = 5
WATCH_SECONDS: Final = 2.0
SO_TIMESTAMPNS: Final = 35
TIMESPEC: Final = struct.Struct("@ll")
KEEPALIVED: Final = """
vrrp_instance lb0 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    version {version}
    advert_int {interval:g}
    virtual_ipaddress {{
        192.0.2.100/24
    }}
}}
"""


Pair = list[tuple[subprocess.Popen[bytes], FakeDirector | None]]
Make = Callable[[Path, int, float, ExitStack], Pair]


class Sniffer:
    """Gratuitous ARP of the virtual address on the bridge, with the kernel's moments."""

    def __init__(self, stack: ExitStack) -> None:
        """Listen until the stack ends."""
        # A child in the namespace hands its socket out: this process stays where it is.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        command = ["ip", "netns", "exec", BRIDGE, PYTHON, "-c", _OPENER, str(theirs.fileno())]
        subprocess.run(command, check=True, pass_fds=[theirs.fileno()])
        _, (descriptor,), _, _ = socket.recv_fds(ours, 1, 1)
        self._socket = stack.enter_context(socket.socket(fileno=descriptor))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.settimeout(0.2)
        ours.close()
        theirs.close()

    def drain(self) -> None:
        """Forget what came so far."""
        self._socket.setblocking(False)
        try:
            while True:
                self._socket.recv(200)
        except BlockingIOError:
            self._socket.settimeout(0.2)

    def first(self, source_mac: bytes, began: float) -> float:
        """Seconds from `began` (CLOCK_REALTIME) to the first gratuitous ARP of that router."""
        until = time.time() + WATCH_SECONDS
        while time.time() < until:
            try:
                frame, ancillary, _, _ = self._socket.recvmsg(200, 64)
            except TimeoutError:
                continue
            if frame[6:12] == source_mac and frame[28:32] == frame[38:42] == b"\xc0\x00\x02\x64":
                seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
                return float(seconds + nanoseconds / 1e9 - began)
        return float("inf")


_OPENER: Final = """
import socket, sys
sniffing = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
socket.send_fds(socket.socket(fileno=int(sys.argv[1])), [b"x"], [sniffing.fileno()])
"""


def ours(folder: Path, version: int, interval: float, stack: ExitStack) -> Pair:
    """Both vrrp processes of lvsd."""
    found: Pair = []
    for name, priority in PRIORITIES.items():
        address = VirtualAddress("192.0.2.100", 24, "eth0")
        instance = VrrpInstance("lb0", "eth0", 51, priority, version, (address,), advertisement_interval=interval)
        path = folder / f"{name}.sock"
        director = stack.enter_context(FakeDirector(os.fspath(path), (instance,)))
        command = [PYTHON, "-I", "-m", "lvsd.runtime.vrrp_process", "--socket", os.fspath(path)]
        found.append((_spawn(stack, name, command), director))
    return found


def theirs(folder: Path, version: int, interval: float, stack: ExitStack) -> Pair:
    """Both keepalived."""
    found: Pair = []
    for name, priority in PRIORITIES.items():
        path = folder / f"{name}.conf"
        path.write_text(KEEPALIVED.format(priority=priority, version=version, interval=interval))
        pids = [f"--pid={folder}/{name}.pid", f"--vrrp_pid={folder}/{name}.vrrp.pid"]
        command = ["keepalived", "--dont-fork", "--log-console", "--vrrp", f"--use-file={path}", *pids]
        found.append((_spawn(stack, name, command), None))
    return found


def _spawn(stack: ExitStack, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(["ip", "netns", "exec", name, *command], cwd=CHECKOUT, stdout=quiet, stderr=quiet)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


def measure(make: Make, version: int, interval: float) -> float:
    """One stop of the active router, in seconds."""
    with network(), tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        sniffer = Sniffer(stack)
        pair = make(Path(name), version, interval, stack)
        until = time.monotonic() + 4 * interval + 5.0
        while time.monotonic() < until:
            for _, director in pair:
                if director is not None:
                    director.turn()
            time.sleep(0.1)
        last = list(PRIORITIES)[-1]
        command = ["ip", "-n", last, "-o", "link", "show", "eth0"]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        mac = bytes.fromhex(told.stdout.split("link/ether ")[1].split()[0].replace(":", ""))
        sniffer.drain()
        began = time.time()
        pair[0][0].send_signal(signal.SIGTERM)
        return sniffer.first(mac, began)


def main() -> None:
    """Print a line for each setting and program."""
    print("from SIGTERM to the successor's first gratuitous ARP, ms: median (of each run)", flush=True)
    for version, interval in SETTINGS:
        for name, make in (("keepalived", theirs), ("lvsd", ours)):
            found = [measure(make, version, interval) * 1000 for _ in range(RUNS)]
            figures = " ".join(f"{one:.1f}" for one in found)
            print(f"v{version} {interval:g} s  {name:11} {statistics.median(found):7.1f} ({figures})", flush=True)


if __name__ == "__main__":
    main()
