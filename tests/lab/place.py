"""A place: a thread that lives in namespaces of its own, so that whatever starts from it is born there.

Entering a host with nsenter costs two forks and two execs (60 ms in User-Mode Linux). A thread that has entered
already starts a program with one vfork, and opens files and sockets of the host with no process at all.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import IO, TypeVar

from tests.lab import syscalls

Result = TypeVar("Result")
Stream = int | IO[str] | IO[bytes] | None

# /proc shows the namespace of the process that mounts it, so the first process has to. Children of a process that
# ignores SIGCHLD leave no zombies, and the orphans of the place become its children. (A shell's own `trap '' CHLD` does
# not reach what it executes: dash catches that signal, whatever it is told.)
_FIRST = "mount -t proc proc /proc && echo up && exec env --ignore-signal=CHLD sleep infinity >/dev/null"


class Place:
    """A thread in new namespaces; with a process namespace it also has a process 1, and `close` kills all in it."""

    def __init__(self, name: str, flags: int) -> None:
        self.name = name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._started: list[subprocess.Popen[str]] = []
        self._inside = -1
        self._outside = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self.first: subprocess.Popen[str] | None = None
        # CLONE_FS: root and working directory of its own, without which a thread may not change either.
        self.call(lambda: syscalls.unshare(flags | syscalls.CLONE_FS))

    def call(self, function: Callable[[], Result]) -> Result:
        """Run `function` in the place: its files and sockets are the place's own."""
        return self._thread.submit(function).result()

    def start_first(self) -> int:
        """Start process 1 and return its number out here; its /proc is mounted, it sleeps and lets no zombie be."""
        return self.call(self._start_first)

    def _start_first(self) -> int:
        self.first = subprocess.Popen(
            ["sh", "-c", _FIRST],
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._inside = os.pidfd_open(self.first.pid)
        syscalls.setns(self._outside, syscalls.CLONE_NEWPID)
        with self.first.stdout or nullcontext() as told:
            if told is None or not told.readline():
                raise RuntimeError(f"{self.name}: process 1 did not start")
        return self.first.pid

    def start(
        self,
        command: Sequence[str],
        *,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = None,
        stderr: Stream = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        log: str | None = None,
    ) -> subprocess.Popen[str]:
        """Start a program here. With `log`, a file of the place, its output and errors are appended to it."""

        def begin() -> subprocess.Popen[str]:
            out, err = stdout, stderr
            target = None if log is None else open(log, "a", encoding="utf-8")  # noqa: PTH123, SIM115 - closed below
            if target is not None:
                out, err = target, subprocess.STDOUT
            if self._inside >= 0:
                syscalls.setns(self._inside, syscalls.CLONE_NEWPID)
            try:
                return subprocess.Popen(
                    command, stdin=stdin, stdout=out, stderr=err, env=env, cwd=cwd, text=True, errors="replace"
                )
            finally:
                if self._inside >= 0:
                    # Back at once: a thread whose children live elsewhere may not start threads.
                    syscalls.setns(self._outside, syscalls.CLONE_NEWPID)
                if target is not None:
                    target.close()

        process = self.call(begin)
        self._started.append(process)
        return process

    def forget(self, process: subprocess.Popen[str]) -> None:
        """A process that has been waited for needs no end at the place's end."""
        process.wait()
        _close_streams(process)
        self._started.remove(process)

    def kill(self) -> None:
        """SIGKILL process 1, which takes every process of the place along, and wait until all are gone."""
        if self.first is not None:
            self.first.kill()
        # Those first: process 1 ends only when all of its namespace have been waited for, by us too.
        for process in self._started:
            if self.first is None:
                process.kill()
            process.wait()
            _close_streams(process)
        if self.first is not None:
            self.first.wait()
        self._started.clear()
        if self.first is not None:  # last: process 1 cannot end before all in its namespace have been waited for
            self.first.wait()

    def close(self) -> None:
        """Kill, and give the namespaces back."""
        self.kill()
        self._thread.shutdown(wait=True)
        for fd in (self._inside, self._outside):
            if fd >= 0:
                os.close(fd)
        self._inside = self._outside = -1


def _close_streams(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
