"""Hooks' commands: one at a time in a lane, each with a time limit. Light to import."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from lvsd.control.hooks import RunCommand
from lvsd.runtime.child_group import ChildGroup, Output, account_of, start
from lvsd.runtime.journal import tell
from lvsd.runtime.lanes import Lanes
from lvsd.runtime.poll import Poll
from lvsd.runtime.sparingly import Sparingly

LIMIT_SECONDS = 60.0
OUTPUTS_LIMIT = 64
"""Outputs read at once. What a command has left running may hold its pipe for long, and must not die of SIGPIPE."""

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}


@dataclass
class _Run:
    command: RunCommand
    group: ChildGroup
    output: Output
    began_at: float
    exited: bool = False


class Commands:
    """Runs what it is given; tells what came of it."""

    def __init__(self, poll: Poll) -> None:
        """Nothing runs."""
        self._poll = poll
        self._lanes: Lanes[RunCommand] = Lanes()
        self._running: list[_Run] = []
        self._outputs: deque[Output] = deque()
        self._drops = Sparingly()

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self._running and self._lanes.empty

    @property
    def wake_at(self) -> float:
        """When to call `wake`."""
        return min((run.group.wake_at for run in self._running), default=math.inf)

    def add(self, command: RunCommand, now: float) -> None:
        """Run it in its turn."""
        dropped = self._lanes.add(command.lane, command)
        if dropped is not None:
            fields = {"lane": dropped.lane, "command": _name(dropped), "because": "too many wait"}
            self._drops.tell(dropped.lane, now, "error", "command_dropped", **fields)

    def wake(self, now: float) -> None:
        """End what takes too long, reap what has ended, begin what may."""
        for run in tuple(self._running):
            run.group.wake(now)
            if run.exited and run.group.settled:
                self._ended(run, now)
        while (begun := self._lanes.begin()) is not None:
            self._begin(begun[1], now)

    def give_up(self, now: float) -> None:
        """Drop what waits and tell what runs to end."""
        if dropped := self._lanes.clear():
            tell("error", "commands_dropped", commands=dropped, because="lvsd ends")
        for run in self._running:
            run.group.wake_at = min(run.group.wake_at, now)

    def _begin(self, command: RunCommand, now: float) -> None:
        try:
            process = start(command.argv, {**ENVIRONMENT, **command.environment}, account_of(command.user))
        except (OSError, ValueError, IndexError) as error:
            self._not_run(command, str(error))
        except KeyError:
            self._not_run(command, f"there is no user {command.user}")
        else:
            assert process.stdout is not None  # noqa: S101  a pipe was asked for
            output = Output(process.stdout)
            run = _Run(command, ChildGroup(process, now + LIMIT_SECONDS), output, now)
            self._running.append(run)
            self._poll.watch(run.group.descriptor, lambda: self._exited(run))
            self._listen(output)

    def _not_run(self, command: RunCommand, error: str) -> None:
        tell("error", "command_not_run", lane=command.lane, command=_name(command), error=error)
        self._lanes.end(command.lane)

    def _exited(self, run: _Run) -> None:
        self._poll.forget(run.group.descriptor)  # it would stay readable
        run.exited = True

    def _ended(self, run: _Run, now: float) -> None:
        self._running.remove(run)
        self._lanes.end(run.command.lane)
        if run.output in self._outputs:
            self._read(run.output)
        status = run.group.reap()
        fields = {"lane": run.command.lane, "command": _name(run.command), "seconds": now - run.began_at}
        if run.group.timed_out:
            tell("error", "command_timed_out", **fields, output=run.output.text)
        elif status != 0:
            tell("error", "command_failed", status=status, **fields, output=run.output.text)
        else:
            tell("info", "command_done", **fields)

    def _listen(self, output: Output) -> None:
        self._outputs.append(output)
        self._poll.watch(output.descriptor, lambda: self._read(output))
        if len(self._outputs) > OUTPUTS_LIMIT:
            self._close(self._outputs[0])

    def _read(self, output: Output) -> None:
        if not output.read():
            self._close(output)

    def _close(self, output: Output) -> None:
        self._outputs.remove(output)
        self._poll.forget(output.descriptor)
        output.close()


def _name(command: RunCommand) -> str:
    """The program alone: a password may stand among its arguments."""
    return command.argv[0] if command.argv else ""
