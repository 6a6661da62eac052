"""From `lvsd run` to a supervisor whose director is at work already.

`lvsd run` loads what the processes have in common, reads nothing, and forks the first director, which reads the
configuration. Only when that has written the kernel's table does the rest start: `lvsd run` is the supervisor from
then on, and forks the others.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lvsd.runtime.children import Forked
from lvsd.runtime.forking import fork, share
from lvsd.runtime.process import collector_paused

if TYPE_CHECKING:
    from config.load import Loaded

LOCK_FILE = "lvsd.pid"
COMMON = ("asyncio", "checkers.core.messages")
"""What the director needs, and others as well. What it alone needs would be there twice, as it writes to all of it."""
TABLE_SECONDS = 1.0  # the director has the processor for itself that long at most
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
    share(COMMON)
    heard, notify = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    told, telling = os.pipe()
    director = fork(
        partial(direct, files, run_directory, state_directory, telling), "lvsd-director", notify, (telling,)
    )
    for descriptor in (notify, telling):
        os.close(descriptor)
    user = os.read(told, USER_LIMIT_BYTES).decode()
    os.close(told)
    if not user:
        sys.exit(1)  # it has said why
    _until_said(heard)
    from lvsd.runtime import supervisor  # not before: nobody else has anything to do without the table

    command = supervisor.Command(run_directory, state_directory, files, user)
    sys.exit(supervisor.supervise(command, held, Forked(director), heard))


def _until_said(notify: int) -> None:
    """Until the director says that it is ready, or ends; not longer than it may keep the others waiting."""
    poll = select.poll()
    poll.register(notify, select.POLLIN)
    poll.poll(TABLE_SECONDS * 1000)


def direct(files: tuple[str, ...], run_directory: Path, state_directory: Path, telling: int) -> int:
    """The director's life: its exit status. The user of the checkers is told once the configuration is right."""
    with collector_paused():
        from lvsd.runtime import director_process  # by the director alone

    def loaded(found: Loaded) -> None:
        for problem in found.problems:
            sys.stderr.write(f"{problem}\n")
        if found.config is not None:
            director_process.tell_problems(found)
            os.write(telling, found.config.daemon.checker_user.encode())
        os.close(telling)

    return director_process.live(director_process.Options(run_directory, state_directory, files), loaded)
