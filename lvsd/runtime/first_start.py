"""From `lvsd run` to a supervisor whose director is at work already.

The first director is forked from `lvsd run`, not started anew: what has been imported is there, the configuration is
read once, and only when the kernel's table is written does the rest start. What this process was then becomes the
supervisor (execve(2)), whose child the director stays. Every later director is started by the supervisor alone.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lvsd.runtime.process import NOTIFY_ENV, PARENT_ENV, collector_paused, die_with_parent

if TYPE_CHECKING:
    from config.load import Loaded

LOCK_FILE = "lvsd.pid"
TABLE_SECONDS = 1.0  # the director has the processor for itself that long at most
STANDARD_INPUT = 0
STANDARD_ERROR = 2
USER_LIMIT_BYTES = 4096


def lock(run_directory: Path) -> int:
    """One lvsd a run directory: a descriptor that holds it while it is open. Raises OSError when another does."""
    descriptor = os.open(run_directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def start(held: int, files: tuple[str, ...], run_directory: Path, state_directory: Path) -> NoReturn:
    """Fork the first director, and become its supervisor, `held` being the lock. Raises OSError.

    Ends with status 1 when the configuration is wrong.
    """
    heard, notify = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    told, telling = os.pipe()
    parent = os.getpid()
    director = os.fork()
    if director == 0:
        _part_from(parent, notify, telling)
        sys.exit(_direct(files, run_directory, state_directory, telling))
    os.close(notify)
    os.close(telling)
    user = os.read(told, USER_LIMIT_BYTES).decode()
    if not user:
        sys.exit(1)  # it has said why
    _until_said(heard)
    for descriptor in (held, heard):
        os.set_inheritable(descriptor, True)
    # The supervisor stays small: this process, with all it has imported, becomes it.
    command = [sys.executable, "-I", "-m", "lvsd.runtime.supervisor", f"--lock={held}", f"--director={director}"]
    command += [f"--director-notify={heard}", f"--run-dir={run_directory}", f"--state-dir={state_directory}"]
    command += [f"--checker-user={user}", *(f"--config={path}" for path in files)]
    os.execv(sys.executable, command)  # noqa: S606  our own interpreter, no shell


def _until_said(notify: int) -> None:
    """Until the director says that it is ready, or ends; not longer than it may keep the others waiting."""
    poll = select.poll()
    poll.register(notify, select.POLLIN)
    poll.poll(TABLE_SECONDS * 1000)


def _part_from(parent: int, notify: int, telling: int) -> None:
    """What a started process gets: a process group of its own, and nothing open but its pipes."""
    os.setpgid(0, 0)
    os.environ[NOTIFY_ENV], os.environ[PARENT_ENV] = str(notify), str(parent)
    os.environ.pop("NOTIFY_SOCKET", None)  # systemd is the supervisor's to speak to
    die_with_parent()
    low = STANDARD_ERROR + 1
    for kept in sorted((notify, telling)):
        os.closerange(low, kept)
        low = kept + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
    null = os.open(os.devnull, os.O_RDONLY)
    if null != STANDARD_INPUT:
        os.dup2(null, STANDARD_INPUT)
        os.close(null)


def _direct(files: tuple[str, ...], run_directory: Path, state_directory: Path, telling: int) -> int:
    """The director's life: its exit status. The user of the checkers is told once the configuration is right."""
    with collector_paused():
        from lvsd.runtime import director_process  # by the director alone: the supervisor has no use for it

    def loaded(found: Loaded) -> None:
        for problem in found.problems:
            sys.stderr.write(f"{problem}\n")
        if found.config is not None:
            director_process.tell_problems(found)
            os.write(telling, found.config.daemon.checker_user.encode())
        os.close(telling)

    return director_process.live(director_process.Options(run_directory, state_directory, files), loaded)
