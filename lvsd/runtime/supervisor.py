"""The supervisor: starts the other processes, watches them, restarts them, ends them in good order.

It does nothing else, so that it has no reason to fail: one poll loop over a signal pipe and the notify pipes of its
children, no thread, no asyncio. What else is loaded is there for the children, who are forked from it.

Order of an end (SIGTERM): vrrp first, so that the peer takes the virtual addresses over while this balancer
still forwards; then the director, which leaves the IPVS table or clears it; then the checker workers; last notify,
which does what the end has given it to do.

How many checker workers there are, the director says; the first is there from the beginning.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from math import inf
from pathlib import Path

from lvsd.core.crew import name_of, read_orders
from lvsd.core.respawn import ended, started
from lvsd.runtime.children import PYTHON, Child, Forked, Process, is_checker, spawn
from lvsd.runtime.forking import Code, share
from lvsd.runtime.journal import tell
from lvsd.runtime.process import PERMANENT_EXIT, name_process

DIRECTOR_ALONE_SECONDS = 1.0  # at the start, until the others are started though it is not ready
START_LIMIT_SECONDS = 60.0  # without READY that long, a process is taken for hung
HANG_LIMIT_SECONDS = 20.0  # without ALIVE that long, too
WORKER_HANG_LIMIT_SECONDS = 10.0  # of a checker: nobody notices its restart
LATE_SECONDS = 3.0  # the loop turns at least once a second; a longer gap means that we did not run
VRRP_STOP_SECONDS = 2.0
STOP_SECONDS = 5.0
NOTIFY_STOP_SECONDS = 7.0  # more than it takes to finish: it has limits of its own
NOTICE_LIMIT_BYTES = 4096
SHARED = ("lvsd.runtime.vrrp_process", "lvsd.runtime.notify_process")
"""What is loaded here, so that those who are to be back at once are. Not what the checkers alone need: it reads
strangers' bytes, and has no place in a process with rights."""


class Supervisor:
    """Children and a loop."""

    def __init__(self, children: list[Child], release: tuple[str, ...], code: Code | None = None) -> None:
        """`release`: the command that takes the virtual addresses off when vrrp keeps failing. `code`: see `spawn`.

        Further checkers are started as the child of that name is, with `--number` behind it.
        """
        self._children = {child.name: child for child in children}
        self._checker = self._children["checker"].command
        self._release = release
        self._code = code
        self._stopping = False
        self._status = 0
        self._told_ready = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._wake_read, select.POLLIN)
        interval = float(os.environ.get("WATCHDOG_USEC", "0")) / 2e6
        self._watchdog_interval = interval if interval > 0 else None
        self._watchdog_at = 0.0

    def run(self) -> int:
        """Until a signal says to end, or a child says that it never can work. The exit status."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        looked_at = time.monotonic()
        self._director_first(looked_at + DIRECTOR_ALONE_SECONDS)
        while not self._stopping:
            now = time.monotonic()
            if now - looked_at > LATE_SECONDS:
                self._forgive(now)
            looked_at = now
            self._start_due(now)
            self._kill_hung(now)
            self._kill_surplus(now)
            self._watchdog(now)
            self._wait(self._pause(now))
            self._reap()
        self._stop()
        return self._status

    def _director_first(self, others_at: float) -> None:
        """The kernel's table waits for nobody else; without it the others have nothing to do."""
        for child in self._children.values():
            if child.name != "director":
                child.start_at = others_at

    def _director_is_ready(self) -> None:
        for child in self._children.values():
            if child.start_at is not None and child.record.started_at == 0:
                child.start_at = 0.0

    def _start_due(self, now: float) -> None:
        for child in self._children.values():
            if child.start_at is not None and child.start_at <= now:
                self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        resumes = child.told_of_restart and child.record.started_at > 0 and not child.record.keeps_failing
        command = [*child.command, "--restarted"] if resumes else [*child.command]
        child.record = started(child.record, now)
        try:
            process, notify = spawn(child.name, command, self._code)
        except OSError as error:  # no memory, no process to be had, a half-done upgrade: the others live on
            tell("error", "process_not_started", process=child.name, error=str(error))
            self._start_again(child, now)
            return
        self._watch(child, process, notify, now)

    def _watch(self, child: Child, process: Process, notify: int, now: float) -> None:
        child.process, child.notify = process, notify
        child.ready, child.heard_at, child.start_at = False, now, None
        self._poll.register(notify, select.POLLIN)
        tell("info", "process_started", process=child.name, pid=process.pid)

    def adopt(self, process: Forked, notify: int) -> None:
        """Take over the director that was there before us, with our end of its notify pipe."""
        director = self._children["director"]
        director.record = started(director.record, now := time.monotonic())
        self._watch(director, process, notify, now)

    def _start_again(self, child: Child, now: float) -> float:
        """Have it started after its back-off: the seconds of it."""
        child.record, delay = ended(child.record, now)
        child.start_at = now + delay
        if child.name == "vrrp" and child.record.keeps_failing:
            self._release_addresses()
        return delay

    def _forgive(self, now: float) -> None:
        """We were stopped ourselves (a paused machine): the children's silence may be ours."""
        for child in self._children.values():
            child.heard_at = now

    def _kill_hung(self, now: float) -> None:
        for child in self._children.values():
            limit = self._patience(child)
            if child.process is not None and now - child.heard_at > limit:
                tell("error", "process_hung", process=child.name, pid=child.process.pid, silent_seconds=limit)
                child.process.kill()
                child.heard_at = now

    def _patience(self, child: Child) -> float:
        """Seconds that it may be silent."""
        if not child.ready:
            return START_LIMIT_SECONDS
        return WORKER_HANG_LIMIT_SECONDS if is_checker(child) else HANG_LIMIT_SECONDS

    def _order(self, words: bytes) -> None:
        """What the director wants of checkers."""
        asked = read_orders(words)
        for name in map(name_of, asked.restarts):
            child = self._children.get(name)
            if child is not None and child.process is not None:
                tell("error", "process_replaced", process=name, pid=child.process.pid)
                child.process.kill()
        if asked.workers is None:
            return
        for number in asked.workers:
            child = self._children.get(name_of(number))
            if child is None:
                command = (*self._checker, "--number", str(number))
                self._children[name_of(number)] = Child(name_of(number), command, vital=False)
            elif child.end_by is not None and child.process is None:
                child.end_by, child.start_at = None, 0.0
        wanted = frozenset(map(name_of, asked.workers))
        for child in self._checkers():
            if child.name not in wanted and child.end_by is None:
                self._dismiss(child)

    def _dismiss(self, child: Child) -> None:
        """It is not needed any more. One that waits for its start only never gets one."""
        child.end_by, child.start_at = time.monotonic() + STOP_SECONDS, None
        if child.process is not None:
            tell("info", "process_dismissed", process=child.name, pid=child.process.pid)
            child.process.terminate()

    def _kill_surplus(self, now: float) -> None:
        for child in self._checkers():
            if child.end_by is not None and child.end_by <= now and child.process is not None:
                tell("error", "process_killed", process=child.name, pid=child.process.pid)
                child.process.kill()
                child.end_by = inf

    def _checkers(self) -> list[Child]:
        return [child for child in self._children.values() if is_checker(child)]

    def _pause(self, now: float) -> float:
        moments = [child.start_at for child in self._children.values() if child.start_at is not None]
        if self._watchdog_interval is not None:
            moments.append(self._watchdog_at)
        return max(0.0, min([1.0, *(moment - now for moment in moments)]))

    def _wait(self, seconds: float) -> None:
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == self._wake_read:
                self._signals(os.read(descriptor, NOTICE_LIMIT_BYTES))
            else:
                self._notice(descriptor)

    def _signals(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._stopping = True
        if signal.SIGHUP in numbers:
            self._children["director"].reload_owed = True
            self._reload()

    def _reload(self) -> None:
        """Pass a reload on to a director that can take it: SIGHUP would end one that is still starting."""
        director = self._children["director"]
        if director.reload_owed and director.ready and director.process is not None:
            director.reload_owed = False
            director.process.send_signal(signal.SIGHUP)

    def _notice(self, descriptor: int) -> None:
        child = next(child for child in self._children.values() if child.notify == descriptor)
        try:
            words = os.read(descriptor, NOTICE_LIMIT_BYTES)
        except BlockingIOError:
            return
        if not words:
            self._close_notify(child)
            return
        child.heard_at = time.monotonic()
        if child.name == "director":
            self._order(words)
        if b"READY" in words and not child.ready:
            child.ready = child.ever_ready = True
            tell("info", "process_ready", process=child.name)
            if child.name == "director":
                self._director_is_ready()
            self._tell_ready()
            self._reload()

    def _close_notify(self, child: Child) -> None:
        if child.notify >= 0:
            self._poll.unregister(child.notify)
            os.close(child.notify)
            child.notify = -1

    def _tell_ready(self) -> None:
        if not self._told_ready and all(child.ready or not child.vital for child in self._children.values()):
            self._told_ready = True
            tell("info", "ready")
            sd_notify("READY=1")

    def _watchdog(self, now: float) -> None:
        director = self._children["director"]
        if self._watchdog_interval is None or now < self._watchdog_at or not director.ready:
            return
        if now - director.heard_at < HANG_LIMIT_SECONDS:
            sd_notify("WATCHDOG=1")
        self._watchdog_at = now + self._watchdog_interval

    def _reap(self) -> None:
        for child in self._children.values():
            status = child.process.poll() if child.process is not None else None
            if status is not None:
                self._ended(child, status)

    def _ended(self, child: Child, status: int) -> None:
        self._close_notify(child)
        child.process, child.ready = None, False
        if child.end_by is not None:
            return
        if status == PERMANENT_EXIT and child.vital and not child.ever_ready:
            self._stopping, self._status = True, 1
            return
        delay = self._start_again(child, time.monotonic())
        tell("error", "process_ended", process=child.name, status=status, restart_in_seconds=delay)

    def _release_addresses(self) -> None:
        """A balancer that cannot advertise must not hold addresses: the peer has long taken them."""
        tell("error", "virtual_addresses_released", cause="the vrrp process keeps failing")
        try:
            subprocess.run(self._release, stdin=subprocess.DEVNULL, timeout=START_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            tell("error", "release_timed_out")
        except OSError as error:
            tell("error", "process_not_started", process="release", error=str(error))

    def _stop(self) -> None:
        tell("info", "stopping")
        sd_notify("STOPPING=1")
        vrrp = self._children["vrrp"]
        if vrrp.running and not self._end([vrrp], VRRP_STOP_SECONDS):
            self._release_addresses()
        self._end([self._children["director"]], STOP_SECONDS)
        self._end(self._checkers(), STOP_SECONDS)
        self._end([self._children["notify"]], NOTIFY_STOP_SECONDS)

    def _end(self, children: list[Child], limit_seconds: float) -> bool:
        """SIGTERM, then SIGKILL at the limit. Whether all ended by themselves, with status 0."""
        deadline = time.monotonic() + limit_seconds
        good = True
        for child in children:
            if child.process is not None:
                child.process.terminate()
        for child in children:
            if child.process is None:
                continue
            try:
                good = child.process.wait(max(0.0, deadline - time.monotonic())) == 0 and good
            except subprocess.TimeoutExpired:
                tell("error", "process_killed", process=child.name, pid=child.process.pid)
                child.process.kill()
                child.process.wait()
                good = False
            self._close_notify(child)
            child.process = None
        return good


def sd_notify(message: str) -> None:
    """Tell systemd (sd_notify(3)), when it is there."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as system:
        try:
            system.connect(address)
            system.send(message.encode())
        except OSError as error:
            tell("warning", "sd_notify_failed", error=str(error))


@dataclass(frozen=True, slots=True)
class Command:
    """What `lvsd run` was told, and whose rights the checkers get."""

    run_dir: Path
    state_dir: Path
    files: tuple[str, ...]
    checker_user: str


def children_of(said: Command) -> list[Child]:
    """The processes and their command lines."""
    run = said.run_dir
    director = ("lvsd.runtime.director_process", "--run-dir", str(run), "--state-dir", str(said.state_dir))
    files = tuple(f"--config={path}" for path in said.files)
    user = ("--checker-user", said.checker_user)
    vrrp = ("lvsd.runtime.vrrp_process", "--socket", str(run / "vrrp.sock"), "--held-file", str(run / "vrrp.held"))
    worker = ("checkers.runtime.worker", "--socket", str(run / "checkers.sock"), "--user", said.checker_user)
    notify = ("lvsd.runtime.notify_process", "--socket", str(run / "notify.sock"))
    return [
        Child("director", (*PYTHON, *director, *user, *files), told_of_restart=True),
        Child("vrrp", (*PYTHON, *vrrp), told_of_restart=True),
        Child("checker", (*PYTHON, *worker)),
        Child("notify", (*PYTHON, *notify), vital=False),
    ]


def supervise(said: Command, held: int, director: Forked, notify: int) -> int:
    """What `lvsd run` does once it has forked the first director, whose pipe's end is `notify`: the exit status.

    `held`: the descriptor that holds the run directory.
    """
    name_process("lvsd")
    children = children_of(said)
    share(SHARED)
    supervisor = Supervisor(children, (*children[1].command, "--release"), Code.loaded())
    supervisor.adopt(director, notify)
    status = supervisor.run()
    os.close(held)
    tell("info", "ended", status=status)
    return status
