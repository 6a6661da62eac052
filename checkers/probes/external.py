"""A command of the administrator's: healthy when it exits 0. No shell, no input, no privileges, no time to spare.

The command runs in a session and process group of its own; at the timeout the whole group is killed. What it
says on standard output and error is read to the end but only its first bytes are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess

from checkers.core.messages import Target
from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy, escaped
from checkers.probes.failures import Stage, Stuck
from checkers.probes.session import Session
from config.checks import ExternalCheck

FAILED_STATUS = 1  # of a dynamic command; what lies above it is a weight
WEIGHT_OFFSET = 2

KEPT_BYTES = 1024
READ_BYTES = 65536
READS_A_WAKE = 16
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def probe(session: Session, check: ExternalCheck) -> Outcome:
    """Healthy when the command exits 0 in time; its output's beginning is the detail.

    With `dynamic` a status above 1 is healthy too, and names the weight.
    """
    run = _Run(_started(session.target, check), session)
    session.at_end(run.close)
    session.stage = Stage.RUNNING
    status = await run.ended()
    if status == 0:
        return Healthy(escaped(session.heard))
    if check.dynamic and status > FAILED_STATUS:
        return Healthy(escaped(session.heard), weight=status - WEIGHT_OFFSET)
    return Unhealthy(Reason.COMMAND_FAILED, escaped(_status_words(status) + session.heard))


def environment(target: Target) -> dict[str, str]:
    """What the command finds in its environment: nothing of ours but PATH."""
    return {
        "PATH": os.environ.get("PATH", DEFAULT_PATH),
        "LVSD_SERVICE": target.service,
        "LVSD_VIRTUAL_ADDRESS": target.virtual_address,
        "LVSD_VIRTUAL_PORT": str(target.virtual_port),
        "LVSD_REAL_ADDRESS": target.address,
        "LVSD_REAL_PORT": str(target.port),
    }


def arguments(target: Target, command: tuple[str, ...]) -> list[str]:
    """The command with its placeholders filled in, each within its own argument."""
    fill = {
        "{virtual_address}": target.virtual_address,
        "{virtual_port}": str(target.virtual_port),
        "{address}": target.address,
        "{port}": str(target.port),
    }
    filled = []
    for word in command:
        text = word
        for placeholder, value in fill.items():
            text = text.replace(placeholder, value)
        filled.append(text)
    return filled


def _started(target: Target, check: ExternalCheck) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments(target, check.command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(target),
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        text = f"cannot start the command: {error}"
        raise Stuck(text) from error


class _Run:
    """A started command in the loop: its end by a pidfd, its output by a pipe."""

    def __init__(self, process: subprocess.Popen[bytes], session: Session) -> None:
        self._process = process
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._watched: int | None = None
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._pipe = process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._loop.add_reader(self._pipe.fileno(), self._read)

    async def ended(self) -> int:
        """The exit status; a negative one is a signal. Waits for the process, not for whoever holds its pipe."""
        await self._exited()
        self._read()
        self._kill_group()
        return self._process.wait()

    async def close(self) -> None:
        """Kill whatever is left of the group, and reap."""
        try:
            if self._process.returncode is None:
                self._kill_group()
                await self._exited()
        finally:
            self._let_go()

    async def _exited(self) -> None:
        if self._watched is None:
            self._watched = os.pidfd_open(self._process.pid)
            self._loop.add_reader(self._watched, self._ended.set)
        await self._ended.wait()

    def _kill_group(self) -> None:
        """Only before the leader is reaped: until then its number names this group and no other."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> None:
        for _ in range(READS_A_WAKE):
            try:
                data = os.read(self._pipe.fileno(), READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self._loop.remove_reader(self._pipe.fileno())
                return
            self._session.heard += data[: KEPT_BYTES - len(self._session.heard)]

    def _let_go(self) -> None:
        self._loop.remove_reader(self._pipe.fileno())
        self._pipe.close()
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            os.close(self._watched)
        self._process.poll()


def _status_words(status: int) -> bytes:
    if status < 0:
        return f"killed by signal {-status}: ".encode()
    return f"exit status {status}: ".encode()
