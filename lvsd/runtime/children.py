"""The supervisor's children: what is known of each, and how one is started."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from lvsd.core.respawn import Record
from lvsd.runtime.forking import Code, fork
from lvsd.runtime.process import NOTIFY_ENV, PARENT_ENV, collector_paused

FORKED_POLL_SECONDS = 0.02
PYTHON = (sys.executable, "-I", "-m")
"""What stands before a module of ours that is started anew."""


class Forked:
    """A child that was forked: what subprocess.Popen is for one that was started anew."""

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
            time.sleep(FORKED_POLL_SECONDS)
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


Process = subprocess.Popen[bytes] | Forked


@dataclass
class Child:
    """One process: how it is started, how it fares."""

    name: str
    command: tuple[str, ...]
    told_of_restart: bool = False  # whether it takes --restarted: its predecessor died, the service never stopped
    vital: bool = True  # the service is not ready without it, and ends when it can never work
    process: Process | None = None
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


def spawn(name: str, command: Sequence[str], code: Code | None = None) -> tuple[Process, int]:
    """Start a child: the process, and our end of its notify pipe. Raises OSError.

    A module of ours is forked where `code` is what we have loaded and is still what the disk holds; else, and always
    without `code`, the command is executed. Either way it gets a process group of its own: Ctrl-C at a terminal
    reaches us alone, and the end keeps its order.
    """
    ours, theirs = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    forks = code is not None and tuple(command[: len(PYTHON)]) == PYTHON and code.is_current()
    try:
        process = _forked(name, command[len(PYTHON) :], theirs) if forks else _executed(command, theirs)
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return process, ours


def _forked(name: str, words: Sequence[str], notify: int) -> Forked:
    module, *arguments = words

    def work() -> int:
        with collector_paused():  # what only this child has a use for is loaded now
            main = importlib.import_module(module).main
        return int(main(arguments))

    return Forked(fork(work, f"lvsd-{name}", notify))


def _executed(command: Sequence[str], notify: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, NOTIFY_ENV: str(notify), PARENT_ENV: str(os.getpid())}
    environment.pop("NOTIFY_SOCKET", None)  # systemd is ours to speak to
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, pass_fds=(notify,), process_group=0)
