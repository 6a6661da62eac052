"""False takeovers at an advertisement every 10 ms, with 1,000 checks a second beside: keepalived, then lvsd.

Runs on this machine itself, in network namespaces of its own: two routers on one bridge, priorities 150 and 100, and a
checker worker that connects to a server on the loopback address. The router of priority 100 should never take over.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from checkers.core.messages import PACKET_LIMIT_BYTES, AssignedCheck, Target, assignment
from config.checks import TcpCheck, Timing
from config.model import VirtualAddress, VrrpInstance
from tests.unit.vrrp.fake_director import FakeDirector

CHECKOUT: Final = Path(__file__).resolve().parents[1]
PYTHON: Final = str(CHECKOUT / ".venv/bin/python")
CHECKS: Final = 1000
PRIORITIES: Final = {"lvsd-bench-1": 150, "lvsd-bench-2": 100}
BRIDGE: Final = "lvsd-bench-0"
SETTLE_SECONDS: Final = 5.0
DEFAULT_SECONDS: Final = 120
LIMIT_SECONDS: Final = 900
KEEPALIVED: Final = """
vrrp_instance lb0 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    version 3
    advert_int 0.01
    virtual_ipaddress {{
        192.0.2.100/24
    }}
}}
"""


def run(*command: str) -> None:
    """A command that must succeed."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def network() -> Iterator[None]:
    """Two namespaces, joined by a bridge in a third."""
    names = (BRIDGE, *PRIORITIES)
    with ExitStack() as stack:
        for name in names:
            run("ip", "netns", "add", name)
            stack.callback(run, "ip", "netns", "del", name)
        run("ip", "-n", BRIDGE, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        run("ip", "-n", BRIDGE, "link", "set", "br0", "up")
        for last, name in enumerate(PRIORITIES, 12):
            run("ip", "-n", BRIDGE, "link", "add", f"p{last}", "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "-n", BRIDGE, "link", "set", f"p{last}", "master", "br0", "up")
            run("ip", "-n", name, "address", "add", f"192.0.2.{last}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
        yield


@contextmanager
def checks(folder: Path) -> Iterator[None]:
    """A checker worker with its thousand checks a second."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        path = folder / "checkers.sock"
        listener.bind(os.fspath(path))
        path.chmod(0o666)
        listener.listen()
        command = [PYTHON, "-I", "-m", "checkers.runtime.worker", "--socket", os.fspath(path), "--user", "nobody"]
        worker = subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.DEVNULL)
        stack.callback(worker.wait)
        stack.callback(worker.terminate)
        peer = stack.enter_context(listener.accept()[0])
        target, timing = Target("127.0.0.1", server.getsockname()[1]), Timing(interval=1.0, timeout=1.0)
        wanted = [AssignedCheck(f"check {number}", target, TcpCheck(), timing) for number in range(CHECKS)]
        for packet in assignment(1, wanted):
            peer.sendall(packet)
        threading.Thread(target=_drain, args=(peer,), daemon=True).start()
        yield


def _serve(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


def _drain(peer: socket.socket) -> None:
    while True:
        try:
            if not peer.recv(PACKET_LIMIT_BYTES):
                return
        except OSError:
            return


def ours(folder: Path, seconds: float) -> tuple[int, int]:
    """Transitions of the two routers beyond those of the start."""
    with ExitStack() as stack:
        directors = {}
        for name, priority in PRIORITIES.items():
            address = VirtualAddress("192.0.2.100", 24, "eth0")
            instance = VrrpInstance("lb0", "eth0", 51, priority, 3, (address,), advertisement_interval=0.01)
            path = folder / f"{name}.sock"
            directors[name] = stack.enter_context(FakeDirector(os.fspath(path), (instance,)))
            command = [PYTHON, "-I", "-m", "lvsd.runtime.vrrp_process", "--socket", os.fspath(path)]
            _spawn(stack, name, command, folder / f"{name}.log")
        _turn(directors, SETTLE_SECONDS)
        before = {name: _transitions(director) for name, director in directors.items()}
        _turn(directors, seconds)
        first, second = (_transitions(director) - before[name] for name, director in directors.items())
        return first, second


def _turn(directors: dict[str, FakeDirector], seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        for director in directors.values():
            director.turn()
        time.sleep(0.2)


def _transitions(director: FakeDirector) -> int:
    status = director.status()
    if status is None:
        raise SystemExit("a vrrp process does not report")
    return status.transitions


def theirs(folder: Path, seconds: float) -> tuple[int, int]:
    """The same for a pair of keepalived, from its log."""
    with ExitStack() as stack:
        logs = []
        for name, priority in PRIORITIES.items():
            path = folder / f"{name}.conf"
            path.write_text(KEEPALIVED.format(priority=priority))
            pids = [f"--pid={folder}/{name}.pid", f"--vrrp_pid={folder}/{name}.vrrp.pid"]
            command = ["keepalived", "--dont-fork", "--log-console", "--vrrp", f"--use-file={path}", *pids]
            logs.append(folder / f"{name}.keepalived.log")
            _spawn(stack, name, command, logs[-1])
        time.sleep(SETTLE_SECONDS)
        before = [log.read_text().count(" STATE") for log in logs]
        time.sleep(seconds)
        first, second = (log.read_text().count(" STATE") - was for log, was in zip(logs, before, strict=True))
        return first, second


def _spawn(stack: ExitStack, name: str, command: list[str], log: Path) -> None:
    output = stack.enter_context(log.open("w"))
    process = subprocess.Popen(["ip", "netns", "exec", name, *command], cwd=CHECKOUT, stdout=output, stderr=output)
    stack.callback(process.wait)
    stack.callback(process.send_signal, signal.SIGTERM)


def main() -> None:
    """Print a line for each program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=DEFAULT_SECONDS, help="how long each is watched")
    seconds = min(parser.parse_args().seconds, LIMIT_SECONDS)
    print(f"role changes in {seconds} s at 10 ms advertisements, {CHECKS} checks a second beside", flush=True)
    for name, watched in (("keepalived", theirs), ("lvsd", ours)):
        with network(), tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            with checks(Path(folder)):
                first, second = watched(Path(folder), seconds)
            print(f"{name:11} priority 150: {first}, priority 100: {second}", flush=True)


if __name__ == "__main__":
    main()
