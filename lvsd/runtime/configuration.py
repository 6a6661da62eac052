"""The configuration of a running director: read at the start, read again on request, planned and not done."""

from __future__ import annotations

import asyncio
import time

from config.changes import changes
from config.load import Loaded, load
from lvsd.control.messages import ChangeReply
from lvsd.core.director import step
from lvsd.core.effects import Apply
from lvsd.core.events import ConfigChanged
from lvsd.core.wording import operation_text
from lvsd.runtime.director_runtime import Runtime
from lvsd.runtime.files import SystemFiles
from lvsd.runtime.journal import tell
from lvsd.runtime.store import Recorder, Replay, Snapshot, Store


def first_configuration(store: Store, paths: tuple[str, ...], *, restarted: bool) -> tuple[Loaded, Snapshot]:
    """The files; after a crash, if the files have become wrong since, what they were when they were right."""
    recorder = Recorder(SystemFiles())
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


class Reloader:
    """Takes a changed configuration over, one reload at a time."""

    def __init__(self, runtime: Runtime, store: Store, paths: tuple[str, ...]) -> None:
        """`paths`: the files of the command line."""
        self._runtime = runtime
        self._store = store
        self._paths = paths
        self._reloading = asyncio.Lock()

    async def reload(self) -> ChangeReply:
        """Read the files again; take them over if they are right, else stay as we are."""
        async with self._reloading:
            recorder = Recorder(SystemFiles())
            loaded = await asyncio.to_thread(load, self._paths, recorder)
            problems = tuple(str(problem) for problem in loaded.problems)
            if loaded.config is None:
                for problem in problems:
                    tell("error", "config_refused", problem=problem)
                return ChangeReply(accepted=False, changes=(), operations=(), problems=problems)
            told = tuple(changes(self._runtime.belief.config, loaded.config))
            self._runtime.remember(lambda: self._store.remember_good(recorder.snapshot(self._paths)))
            applied = self._runtime.recorded(ConfigChanged(loaded.config))
            operations = tuple(operation_text(one) for answer in applied for one in answer.operations)
            refusals = tuple(
                f"{operation_text(one.operation)}: {one.meaning}" for answer in applied for one in answer.refusals
            )
            return ChangeReply(True, told, operations, problems, refusals)

    async def plan(self, files: tuple[str, ...]) -> ChangeReply:
        """What a reload would do, undone: `step` is pure, so it is simply asked."""
        loaded = await asyncio.to_thread(load, files or self._paths, SystemFiles())
        problems = tuple(str(problem) for problem in loaded.problems)
        if loaded.config is None:
            return ChangeReply(accepted=False, changes=(), operations=(), problems=problems)
        _, effects = step(self._runtime.belief, ConfigChanged(loaded.config), time.monotonic())
        operations = [one for effect in effects if isinstance(effect, Apply) for one in effect.operations]
        told = tuple(changes(self._runtime.belief.config, loaded.config))
        return ChangeReply(True, told, tuple(operation_text(one) for one in operations), problems)
