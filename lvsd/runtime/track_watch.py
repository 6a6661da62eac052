"""Files and processes that VRRP instances depend on, looked at once a second."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from config.model import Config, TrackedFile, TrackedProcess
from lvsd.core.events import TracksSeen

FILE_LIMIT_BYTES = 64
STAT_LIMIT_BYTES = 512
NAME_LIMIT_BYTES = 15  # TASK_COMM_LEN of include/linux/sched.h, without its NUL
ENDED_STATES = frozenset((b"Z", b"X"))
PROC = Path("/proc")


class TrackWatch:
    """Tells what is new: nothing while all is as it was last."""

    def __init__(self, proc: Path = PROC) -> None:
        """Nothing has been seen yet."""
        self._proc = proc
        self._seen: TracksSeen | None = None

    def look(self, config: Config) -> TracksSeen | None:
        """What there is, when that is not what was there before, and is asked for at all."""
        tracks = [track for instance in config.vrrp for track in instance.tracks]
        paths = {track.path for track in tracks if isinstance(track, TrackedFile)}
        names = {track.name for track in tracks if isinstance(track, TrackedProcess)}
        seen = TracksSeen({path: content(path) for path in sorted(paths)}, running(names, self._proc) if names else {})
        if seen == self._seen or (self._seen is None and not paths and not names):
            return None
        self._seen = seen
        return seen


def content(path: str) -> str | None:
    """The text of a short regular file; None when there is none. A pipe does not hold us up."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        data = os.read(descriptor, FILE_LIMIT_BYTES + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return data.decode(errors="replace") if len(data) <= FILE_LIMIT_BYTES else None


def running(names: Iterable[str], proc: Path = PROC) -> dict[str, int]:
    """How many processes of each name run. The kernel keeps the first 15 bytes of a name."""
    counts: Counter[bytes] = Counter()
    wanted = {name: name.encode(errors="surrogateescape")[:NAME_LIMIT_BYTES] for name in names}
    known = frozenset(wanted.values())
    with os.scandir(proc) as entries:
        for entry in entries:
            if entry.name.isdecimal() and (name := _name(proc, entry.name)) in known:
                counts[name] += 1
    return {name: counts[cut] for name, cut in wanted.items()}


def _name(proc: Path, number: str) -> bytes:
    """The name of a process that runs; nothing for one that has ended. proc_pid_stat(5)."""
    try:
        descriptor = os.open(f"{proc}/{number}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        line = os.read(descriptor, STAT_LIMIT_BYTES)
    except OSError:  # it has ended just now
        return b""
    finally:
        os.close(descriptor)
    before, _, after = line.rpartition(b")")
    return b"" if after[1:2] in ENDED_STATES else before.partition(b"(")[2]
