"""Children that are forked, not started anew: they share our memory until they write to it, and are at work at once.

What a forked child loads later comes from the disk; so nobody is forked once a file that we loaded is another there.
Linux only. Not for a process with threads.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from lvsd.runtime.journal import tell
from lvsd.runtime.process import (
    NOTIFY_ENV,
    PARENT_ENV,
    ParentGone,
    collector_paused,
    die_with_parent,
    name_process,
    origin,
    show_as,
)

FAILED_EXIT = 1
STANDARD_INPUT = 0
STANDARD_ERROR = 2

Stamp = tuple[int, int, int, int, int]  # device, inode, bytes, and when it and what is known of it changed


@dataclass(frozen=True, slots=True)
class Code:
    """The files that the loaded modules, and the interpreter, came from, with what tells each from any other."""

    stamps: Mapping[str, Stamp | None]

    @classmethod
    def loaded(cls) -> Code:
        """Of this process, as they are now."""
        files = (getattr(module, "__file__", None) for module in tuple(sys.modules.values()))
        return cls.of((sys.executable, *(path for path in files if path)))

    @classmethod
    def of(cls, paths: Iterable[str]) -> Code:
        """Those files, as they are now."""
        return cls({path: _stamp(path) for path in paths})

    def is_current(self) -> bool:
        """Whether every one is still what it was: some microseconds each."""
        return all(stamp is not None and _stamp(path) == stamp for path, stamp in self.stamps.items())


def _stamp(path: str) -> Stamp | None:
    """None: it is not there. A false difference (it was linked, say) costs memory, no more."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def share(modules: Collection[str]) -> None:
    """Load these, and keep the garbage collector off all that is loaded: children share what nobody writes to."""
    with collector_paused():
        for name in modules:
            importlib.import_module(name)
    gc.freeze()


def fork(work: Callable[[], int], name: str, notify: int, kept: Collection[int] = ()) -> int:
    """Have a child do that work and end with its status: its process id. Raises OSError.

    The child has what a started process has: a process group of its own, /dev/null as input, no signal handler of
    ours, nothing open but its end `notify` of the supervisor's pipe and the descriptors `kept`. It ends with us.
    """
    parent = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())  # the child has our handlers at first
    try:
        child = os.fork()
        if child == 0:
            _live(work, name, partial(_part, parent, notify, kept, before))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child


def _live(work: Callable[[], int], name: str, part: Callable[[], None]) -> NoReturn:
    """The child's life. Nothing of what our callers would do at our end is its business."""
    status = FAILED_EXIT
    try:
        part()
        name_process(name)
        show_as(name)
        status = work()
    except SystemExit as ended:  # of who reads the arguments
        status = ended.code if isinstance(ended.code, int) else FAILED_EXIT
    except ParentGone:
        pass
    except BaseException as error:  # noqa: BLE001 (the outermost guard; its words may hold a password)
        tell("error", "process_crashed", process=name, error=type(error).__name__, where=origin(error))
    finally:
        os._exit(status)


def _part(parent: int, notify: int, kept: Collection[int], mask: Collection[int]) -> None:
    """Part from what we were. Raises ParentGone."""
    os.setpgid(0, 0)
    _forget_signals()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    os.environ[NOTIFY_ENV], os.environ[PARENT_ENV] = str(notify), str(parent)
    os.environ.pop("NOTIFY_SOCKET", None)  # systemd is the supervisor's to speak to
    die_with_parent()
    low = STANDARD_ERROR + 1
    for descriptor in sorted((notify, *kept)):
        os.closerange(low, descriptor)
        low = max(low, descriptor + 1)
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
    null = os.open(os.devnull, os.O_RDONLY)
    if null != STANDARD_INPUT:
        os.dup2(null, STANDARD_INPUT)
        os.close(null)


def _forget_signals() -> None:
    """As execve(2) does: what had a handler has none; what is ignored stays so."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as Python has it at its start
