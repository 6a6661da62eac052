"""The supervisor's children: what is known of each, and how one is started. Standard library alone, no asyncio."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field

from lvsd.core.respawn import Record
from lvsd.runtime.process import NOTIFY_ENV, PARENT_ENV

ADOPTED_POLL_SECONDS = 0.02


class Adopted:
    """A child that was forked before we became what we are: what subprocess.Popen is for one that we start."""

    def __init__(self, pid: int) -> None:
        """Of a child of this very process."""
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status (negative: the signal that ended it), None while it runs."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else has taken its status
                pid, status = self.pid, 0
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it ends. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            time.sleep(ADOPTED_POLL_SECONDS)
        return status

    def send_signal(self, number: int) -> None:
        """A signal, unless it is known to have ended: its process id may be another's by now."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


@dataclass
class Child:
    """One process: how it is started, how it fares."""

    name: str
    command: tuple[str, ...]
    told_of_restart: bool = False  # whether it takes --restarted: its predecessor died, the service never stopped
    vital: bool = True  # the service is not ready without it, and ends when it can never work
    process: subprocess.Popen[bytes] | Adopted | None = None
    notify: int = -1  # our end of its notify pipe
    record: Record = field(default_factory=Record)
    start_at: float | None = 0.0  # when to start it; None: it runs or must not
    ready: bool = False
    ever_ready: bool = False
    reload_owed: bool = False  # a SIGHUP came before it could take one
    heard_at: float = 0.0
    end_by: float | None = None  # it is surplus, and has until then to end

    @property
    def running(self) -> bool:
        """Whether it was started and has not been seen to end."""
        return self.process is not None


def is_checker(child: Child) -> bool:
    """Whether it is one of the workers."""
    return child.name.startswith("checker")


def spawn(command: list[str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start a child: the process, and our end of its notify pipe. Raises OSError.

    It gets a process group of its own: Ctrl-C at a terminal reaches us alone, and the end keeps its order.
    """
    ours, theirs = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    environment = {**os.environ, NOTIFY_ENV: str(theirs), PARENT_ENV: str(os.getpid())}
    environment.pop("NOTIFY_SOCKET", None)  # systemd is ours to speak to
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, env=environment, pass_fds=(theirs,), process_group=0
        )
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return process, ours
