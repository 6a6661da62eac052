"""The configuration of a running director: read at the start, read again on request, planned and not done."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from config.changes import changes
from config.load import Loaded, load
from config.model import Config
from lvsd.control.messages import ChangeReply
from lvsd.core import groundwork
from lvsd.core.director import step
from lvsd.core.effects import Apply, ApplySettings, RunCommand, Yield
from lvsd.core.events import ConfigChanged, Event, Resumed
from lvsd.core.state import Director
from lvsd.core.wording import change_texts, refusal_texts
from lvsd.runtime.config_watch import ConfigWatch
from lvsd.runtime.director_runtime import Runtime
from lvsd.runtime.files import SystemFiles
from lvsd.runtime.journal import tell
from lvsd.runtime.process import collector_paused
from lvsd.runtime.store import Recorder, Replay, Snapshot, Store

LANE = "config"
LET_GO_AT_ONCE = 1000  # checks and services


def first_configuration(store: Store, paths: tuple[str, ...], *, restarted: bool) -> tuple[Loaded, Snapshot]:
    """The files; after a crash, if the files have become wrong since, what they were when they were right."""
    recorder = Recorder(SystemFiles())
    with collector_paused():
        loaded = load(paths, recorder)
    if loaded.config is not None or not restarted:
        return loaded, recorder.snapshot(paths)
    try:
        snapshot = store.last_good()
    except (OSError, ValueError) as error:
        tell("error", "state_not_read", error=str(error))
        return loaded, recorder.snapshot(paths)
    if snapshot is None or snapshot.paths != paths:  # another lvsd keeps its state in the same directory
        return loaded, recorder.snapshot(paths)
    for problem in loaded.problems:
        tell("error", "config_refused", problem=str(problem))
    tell("warning", "last_good_configuration_used", because="the files are wrong")
    return load(snapshot.paths, Replay(snapshot)), snapshot


def warn_of_unreadable(snapshot: Snapshot) -> None:
    """Tell of files that could be read with all of root's rights, and cannot be with those that are left."""
    hint = "a reload will not get it: make root its owner, or let everybody read it"
    for path in snapshot.reads:
        if Path(path).exists() and not os.access(path, os.R_OK):
            tell("warning", "config_file_not_readable", file=path, hint=hint)


class Reloader:
    """Takes a changed configuration over, one reload at a time."""

    def __init__(self, runtime: Runtime, store: Store, paths: tuple[str, ...]) -> None:
        """`paths`: the files of the command line."""
        self._runtime = runtime
        self._store = store
        self._paths = paths
        self._reloading = asyncio.Lock()
        self._watch = ConfigWatch(SystemFiles())
        self._looking: asyncio.Task[None] | None = None

    @property
    def sources(self) -> tuple[tuple[str, ...], str]:
        """The files of the command line, and the directory that has what came of them last."""
        return self._paths, str(self._store.directory)

    def begin(self, snapshot: Snapshot) -> None:
        """Watch the files the director began with."""
        self._watch.remember(snapshot, (), accepted=True)

    def tick(self) -> None:
        """Once a second: look whether a file has changed on disk."""
        if (self._looking is None or self._looking.done()) and self._watch.look():
            self._looking = asyncio.get_running_loop().create_task(self._look_closer())

    async def settled(self) -> None:
        """Until the last look has come to its end."""
        if self._looking is not None:
            await self._looking

    async def _look_closer(self) -> None:
        async with self._reloading:
            changed = await asyncio.to_thread(self._watch.changed)
        if not changed:
            return
        self._announce(changed)
        if self._runtime.belief.config.daemon.autoreload:
            await self.reload()
        else:
            for path in changed:
                tell("warning", "config_file_changed", file=path, hint="`lvsctl reload` takes it over")

    def _announce(self, changed: tuple[str, ...]) -> None:
        """Run the command that is to run when a file has changed."""
        command = self._runtime.belief.config.daemon.on_config_change
        for path in changed if command else ():
            self._runtime.ask(RunCommand(LANE, (*command, path), {}))

    async def reload(self) -> ChangeReply:
        """Read the files again; take them over if they are right, else stay as we are."""
        async with self._reloading:
            recorder = Recorder(SystemFiles())
            with collector_paused():
                loaded = await asyncio.to_thread(load, self._paths, recorder)
            snapshot = recorder.snapshot(self._paths)
            accepted = loaded.config is not None
            self._announce(self._watch.remember(snapshot, recorder.missed, accepted=accepted))
            problems = tuple(str(problem) for problem in loaded.problems)
            if loaded.config is None:
                for problem in problems:
                    tell("error", "config_refused", problem=problem)
                return ChangeReply(accepted=False, changes=(), operations=(), problems=problems)
            belief = self._runtime.belief
            applied = await self._runtime.recorded(await _prepared(belief, loaded.config))
            # The kernel first: of thousands of services either of these takes its time.
            await self._remember(snapshot)
            told = await asyncio.to_thread(_changes, belief.config, loaded.config)
            operations = tuple(text for answer in applied for text in change_texts(answer))
            refusals = tuple(text for answer in applied for text in refusal_texts(answer))
            remains: list[object] = [*belief.checks.values(), *belief.config.services]
            del belief, applied
            await _let_go(remains)
            return ChangeReply(True, told, operations, problems, refusals)

    async def _remember(self, snapshot: Snapshot) -> None:
        try:
            await asyncio.to_thread(self._store.remember_good, snapshot)
        except OSError as error:
            tell("error", "state_not_written", error=str(error))

    async def plan(self, files: tuple[str, ...]) -> ChangeReply:
        """What a reload would do, undone: `step` is pure, so it is simply asked."""
        with collector_paused():
            loaded = await asyncio.to_thread(load, files or self._paths, SystemFiles())
        problems = tuple(str(problem) for problem in loaded.problems)
        if loaded.config is None:
            return ChangeReply(accepted=False, changes=(), operations=(), problems=problems)
        belief = self._runtime.belief
        wanted = await _consequences(belief, await _prepared(belief, loaded.config))
        operations = tuple(text for effect in wanted for text in change_texts(effect))
        told = await asyncio.to_thread(_changes, belief.config, loaded.config)
        return ChangeReply(True, told, operations, problems)


async def _let_go(remains: list[object]) -> None:
    """Give up what only an old configuration had, some at a time: to end thousands of things takes its time, too."""
    while remains:
        del remains[-LET_GO_AT_ONCE:]
        await asyncio.sleep(0)


def _changes(before: Config, after: Config) -> tuple[str, ...]:
    return tuple(changes(before, after))


async def _prepared(belief: Director, config: Config) -> ConfigChanged:
    """The event, with what takes its time done for it while everything else goes on."""
    with collector_paused():
        return ConfigChanged(config, await asyncio.to_thread(groundwork.of, belief, config))


async def _consequences(belief: Director, event: Event) -> list[Apply | ApplySettings]:
    """What an event would have sent to the kernel. `step` is pure, so it is simply asked, slice after slice."""
    wanted: list[Apply | ApplySettings] = []
    following: Event | None = event
    while following is not None:
        belief, effects = step(belief, following, time.monotonic())
        wanted.extend(effect for effect in effects if isinstance(effect, Apply | ApplySettings))
        following = Resumed() if any(isinstance(effect, Yield) for effect in effects) else None
        await asyncio.sleep(0)
    return wanted
