"""Starts the lab's command line as a process of its own, and sees what of it is on the machine."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.machine import CHECKOUT

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Person:
    """A process, safe against reuse of its number."""

    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class Traces:
    """What a lab could leave on the machine beside processes."""

    mounts: str
    shared_memory: frozenset[str]
    files: frozenset[str]


def traces(home: Path) -> Traces:
    """Now. `home` is the HOME and TMPDIR the lab was given: it must stay empty."""
    return Traces(
        Path("/proc/self/mounts").read_text(),
        frozenset(path.name for path in Path("/dev/shm").iterdir()),
        frozenset(str(path) for path in (*home.rglob("*"), *Path("/media").iterdir(), *Path("/mnt").iterdir())),
    )


@contextlib.contextmanager
def lab(
    *arguments: str, home: Path, backend: str = "uml", stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m tests.lab ARGUMENTS` in the background; killed at the end if it still runs."""
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(home), "LVSD_LAB": backend}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.lab", *arguments],
        cwd=CHECKOUT,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Exit status, output and errors of a lab that ends by itself."""
    output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output.decode(), errors.decode()


def await_output(process: subprocess.Popen[bytes], wanted: bytes) -> bytes:
    """Read until `wanted` was written."""
    assert process.stdout is not None
    return read_until(process.stdout.fileno(), wanted)


def read_until(fd: int, wanted: bytes) -> bytes:
    """Read `fd` until `wanted` came."""
    seen = b""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while wanted not in seen:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{wanted!r} never came, only {seen!r}"
        data = os.read(fd, 65536)
        assert data, f"ended before {wanted!r}: {seen!r}"
        seen += data
    return seen


def family(pid: int) -> frozenset[Person]:
    """All descendants of `pid`: what was orphaned inside the box still descends from the box."""
    children: dict[int, list[int]] = {}
    for stat in _stats():
        children.setdefault(int(stat[3]), []).append(int(stat[0]))
    found: list[int] = []
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return frozenset(Person(int(stat[0]), stat[21]) for stat in _stats() if int(stat[0]) in found)


def alive(people: frozenset[Person]) -> frozenset[Person]:
    """Those of them that still exist."""
    return people & frozenset(Person(int(stat[0]), stat[21]) for stat in _stats())


def await_end(people: frozenset[Person]) -> None:
    """Wait until the last of them is gone."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while alive(people):
        assert time.monotonic() < deadline, f"still there: {alive(people)}"
        time.sleep(0.02)


def _stats() -> Iterator[list[str]]:
    """Fields of proc(5) stat, the name made one word."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                before, _, after = (entry / "stat").read_text().rpartition(")")
                yield [before.split()[0], "name", *after.split()]
