"""A child in a process group of its own, ended as a whole at its time limit. Linux only; light to import."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

GRACE_SECONDS = 2.0  # between SIGTERM and SIGKILL
OUTPUT_KEPT_BYTES = 4096
READ_BYTES = 16384
READS_A_WAKE = 16
SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True)
class Account:
    """A user to become, with its groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def account_of(name: str) -> Account | None:
    """The user's account; None when it is who we are, or when we may become nobody else. Raises KeyError."""
    if not name or os.geteuid() != 0:
        return None
    found = pwd.getpwnam(name)
    if found.pw_uid == os.geteuid():
        return None
    return Account(found.pw_uid, found.pw_gid, tuple(os.getgrouplist(name, found.pw_gid)))


def start(argv: Sequence[str], environment: Mapping[str, str], account: Account | None) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, its output in a pipe. Raises OSError and ValueError.

    A script without `#!` goes to the shell, as execvp(3) has it.
    """
    try:
        return _start(argv, environment, account)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        return _start((SHELL, *argv), environment, account)


def _start(argv: Sequence[str], environment: Mapping[str, str], account: Account | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=environment,
        start_new_session=True,
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else account.groups,
    )


class ChildGroup:
    """A started child. Its leader is not reaped before the group has been dealt with: the number stays its own."""

    def __init__(self, process: subprocess.Popen[bytes], limit_at: float) -> None:
        """`limit_at`: when the group is told to end (seconds of CLOCK_MONOTONIC)."""
        self._process = process
        self._killed = False
        self.descriptor = os.pidfd_open(process.pid)  # readable once the leader has ended
        self.wake_at = limit_at
        self.timed_out = False

    @property
    def pid(self) -> int:
        """The leader's process id, and the group's number."""
        return self._process.pid

    def wake(self, now: float) -> None:
        """At the limit SIGTERM goes to the group, a little later SIGKILL."""
        if now < self.wake_at:
            return
        if self.timed_out:
            self._signal(signal.SIGKILL)
            self._killed, self.wake_at = True, math.inf
        else:
            self._signal(signal.SIGTERM)
            self.timed_out, self.wake_at = True, now + GRACE_SECONDS

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    @property
    def settled(self) -> bool:
        """Whether a leader that has ended may be reaped: nothing of the group is left to be killed."""
        return self._killed or not self.timed_out

    def reap(self) -> int:
        """The status of a leader that has ended; a negative one is a signal."""
        os.close(self.descriptor)
        return self._process.wait()


class Output:
    """What a child says: the first bytes are kept, the rest is read and forgotten while anybody holds the pipe."""

    def __init__(self, pipe: IO[bytes]) -> None:
        """Take over the read end of a pipe."""
        self._pipe = pipe
        self.descriptor = pipe.fileno()
        self._kept = bytearray()
        os.set_blocking(self.descriptor, False)

    def read(self) -> bool:
        """Take what is there. False at the end."""
        for _ in range(READS_A_WAKE):
            try:
                data = os.read(self.descriptor, READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._kept += data[: OUTPUT_KEPT_BYTES - len(self._kept)]
        return True

    def close(self) -> None:
        """Read no more: who still writes gets SIGPIPE."""
        self._pipe.close()

    @property
    def text(self) -> str:
        """What was kept, in one line."""
        return " | ".join(self._kept.decode(errors="replace").split("\n")).strip(" |")
