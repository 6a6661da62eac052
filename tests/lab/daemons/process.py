"""Starting a program in the foreground on a host, waiting until it is ready, stopping it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost

READY_SECONDS = 30.0
STOP_SECONDS = 30.0
LOG_TAIL_LINES = 20
_LISTEN = "0A"  # the state's number in /proc/net/tcp, include/net/tcp_states.h


class DaemonFailed(RuntimeError):
    """It ended, or did not become ready; its last words are in the message."""


def start(
    host: LiveHost,
    name: str,
    command: Sequence[str],
    ready: Callable[[], object],
    *,
    timeout_seconds: float = READY_SECONDS,
    env: Mapping[str, str] | None = None,
    log: str = "",
) -> None:
    """Start `command` and wait for `ready`. Its output goes to /var/log/NAME.log. Raises `DaemonFailed`."""
    path = log or f"/var/log/{name}.log"
    process = host.popen(command, log=path, env=env)
    host.processes[name] = process

    def settled() -> object:
        return process.poll() is not None or ready()

    try:
        wait_until(settled, timeout_seconds, f"{name} on {host.name} is ready", every_seconds=0.1)
    except AssertionError as error:
        raise DaemonFailed(f"{error}\n{log_tail(host, path)}") from error
    if process.poll() is not None:
        raise DaemonFailed(f"{name} on {host.name} ended with {process.returncode}\n{log_tail(host, path)}")


def stop(host: LiveHost, name: str, number: signal.Signals = signal.SIGTERM) -> int:
    """Send `number`, wait for the end and return the exit status. Raises `DaemonFailed` where it does not end."""
    host.processes[name].send_signal(number)
    return await_end(host, name)


def await_end(host: LiveHost, name: str) -> int:
    """Wait for a daemon that was told to end; its exit status. Raises `DaemonFailed` where it does not."""
    process = host.processes.pop(name)
    try:
        status = process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise DaemonFailed(f"{name} on {host.name} did not stop") from error
    host.place.forget(process)
    return status


def listening(host: LiveHost, *ports: int) -> bool:
    """Whether something accepts connections on all these TCP ports; asked of the kernel, so nobody sees a probe."""
    return set(ports) <= set(host.call(_listening_ports))


def _listening_ports() -> list[int]:
    """Process 1's view: this thread has no entry of its own in the host's /proc."""
    found: list[int] = []
    for table in ("/proc/1/net/tcp", "/proc/1/net/tcp6"):
        with open(table, encoding="ascii") as lines:  # noqa: PTH123 - line by line
            next(lines)
            fields = (line.split() for line in lines)
            found += [int(field[1].rpartition(":")[2], 16) for field in fields if field[3] == _LISTEN]
    return found


def log_tail(host: LiveHost, path: str) -> str:
    """The end of a host's log, empty where there is none."""
    try:
        return "\n".join(host.read(path).splitlines()[-LOG_TAIL_LINES:])
    except FileNotFoundError:
        return ""
