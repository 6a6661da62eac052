"""Tracked scripts: run again and again, never twice at once, ended as a group at the time limit. Light to import."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lvsd.control.hooks import Script, ScriptEnded
from lvsd.runtime.child_group import ChildGroup, Output, account_of, start
from lvsd.runtime.commands import ENVIRONMENT
from lvsd.runtime.journal import tell
from lvsd.runtime.poll import Poll

RUNNING_LIMIT = 64
NOT_RUN = 127  # as a shell says of what it cannot run


@dataclass
class _Run:
    group: ChildGroup
    output: Output
    told: bool = False  # its result, or that there will be none
    exited: bool = False
    silent: bool = False  # the output has ended


@dataclass
class _Slot:
    script: Script
    next_at: float
    run: _Run | None = None
    last: ScriptEnded | None = None
    wanted: bool = True


class Scripts:
    """Runs what it is told to; each result goes to `report`."""

    def __init__(self, poll: Poll, report: Callable[[ScriptEnded], None]) -> None:
        """Nothing runs."""
        self._poll = poll
        self._report = report
        self._slots: dict[str, _Slot] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return all(slot.run is None for slot in self._slots.values())

    @property
    def wake_at(self) -> float:
        """When to call `wake`. Where too many run, the others wait for one of these."""
        slots = self._slots.values() if self._running < RUNNING_LIMIT else self._runs()
        return min((_wake_at(slot) for slot in slots), default=math.inf)

    @property
    def _running(self) -> int:
        return len(self._runs())

    def _runs(self) -> list[_Slot]:
        return [slot for slot in self._slots.values() if slot.run is not None]

    def arrange(self, scripts: Iterable[Script], now: float) -> None:
        """Run these from now on. One that stays keeps its turn; what has run of the others is ended."""
        wanted = {one.id: one for one in scripts}
        for name, slot in self._slots.items():
            slot.wanted = name in wanted
            if not slot.wanted and slot.run is not None:
                slot.run.told = True
                slot.run.group.wake_at = min(slot.run.group.wake_at, now)
        self._forget()
        for name, script in wanted.items():
            self._slots.setdefault(name, _Slot(script, now)).script = script

    def repeat(self) -> None:
        """Say the last result of each again, for somebody who has not heard them."""
        for slot in self._slots.values():
            if slot.last is not None and slot.wanted:
                self._report(slot.last)

    def wake(self, now: float) -> None:
        """End what takes too long, reap what has ended, begin what is due."""
        for slot in self._runs():
            if slot.run is not None:
                self._look(slot, slot.run, now)
        due = [slot for slot in self._slots.values() if slot.run is None and slot.wanted and now >= slot.next_at]
        due.sort(key=lambda slot: slot.next_at)
        for slot in due[: max(0, RUNNING_LIMIT - self._running)]:
            self._begin(slot, now)
        self._forget()

    def _look(self, slot: _Slot, run: _Run, now: float) -> None:
        run.group.wake(now)
        if run.group.timed_out and not run.told:
            run.told = True
            self._ended(slot, ScriptEnded(slot.script.id, 0, timed_out=True, at=now), "")
        if run.exited and run.group.settled:
            slot.run = None
            if not run.silent:
                self._read(run)
            self._deafen(run)
            run.output.close()
            status = run.group.reap()
            if not run.told:
                self._ended(slot, ScriptEnded(slot.script.id, status, timed_out=False, at=now), run.output.text)

    def _begin(self, slot: _Slot, now: float) -> None:
        script = slot.script
        slot.next_at = now + script.interval
        try:
            process = start(script.argv, ENVIRONMENT, account_of(script.user))
        except (OSError, ValueError, IndexError) as error:
            self._ended(slot, ScriptEnded(script.id, NOT_RUN, timed_out=False, at=now), str(error))
            return
        except KeyError:
            self._ended(slot, ScriptEnded(script.id, NOT_RUN, timed_out=False, at=now), f"no user {script.user}")
            return
        assert process.stdout is not None  # noqa: S101  a pipe was asked for
        run = slot.run = _Run(ChildGroup(process, now + script.timeout), Output(process.stdout))
        self._poll.watch(run.group.descriptor, lambda: self._exited(run))
        self._poll.watch(run.output.descriptor, lambda: self._read(run))

    def _exited(self, run: _Run) -> None:
        self._poll.forget(run.group.descriptor)  # it would stay readable
        run.exited = True

    def _read(self, run: _Run) -> None:
        if not run.output.read():
            self._deafen(run)

    def _deafen(self, run: _Run) -> None:
        if not run.silent:
            run.silent = True
            self._poll.forget(run.output.descriptor)

    def _ended(self, slot: _Slot, result: ScriptEnded, output: str) -> None:
        """The director decides what a result means. Here it is told what the script said, when the result is new."""
        before, slot.last = slot.last, result
        self._report(result)
        failed = result.timed_out or result.status != 0
        if failed and (before is None or (before.status, before.timed_out) != (result.status, result.timed_out)):
            fields = {"script": slot.script.name, "status": result.status, "timed_out": result.timed_out}
            tell("warning", "tracked_script_failed", **fields, output=output)

    def _forget(self) -> None:
        for name in [name for name, slot in self._slots.items() if not slot.wanted and slot.run is None]:
            del self._slots[name]


def _wake_at(slot: _Slot) -> float:
    if slot.run is None:
        return slot.next_at if slot.wanted else math.inf
    return -math.inf if slot.run.exited and slot.run.group.settled else slot.run.group.wake_at
