"""Mails: each sent by a child with no rights, tried again where that may help. Light to import.

What a mail server answers is read by that child alone, never here.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import deque
from dataclasses import dataclass

from checkers.core.letter import encode
from lvsd.control.hooks import SendMail
from lvsd.runtime.child_group import ChildGroup
from lvsd.runtime.commands import ENVIRONMENT
from lvsd.runtime.journal import tell
from lvsd.runtime.poll import Poll
from lvsd.runtime.process import PARENT_ENV
from lvsd.runtime.sparingly import Sparingly

MODULE = "checkers.runtime.mailer"
LIMIT_SECONDS = 60.0  # the mailer itself gives up before
QUEUE_LIMIT = 256
MAILERS_LIMIT = 2
TRY_AGAIN_SECONDS = (5.0, 60.0, 300.0)
TEMPORARY_EXIT = 75  # sysexits.h: EX_TEMPFAIL


@dataclass(frozen=True, slots=True)
class _Waiting:
    mail: SendMail
    at: float
    attempts: int = 0


@dataclass
class _Run:
    waiting: _Waiting
    group: ChildGroup
    exited: bool = False


class Mails:
    """Sends what it is given, in its order where every mail succeeds at once."""

    def __init__(self, poll: Poll) -> None:
        """No mail waits."""
        self._poll = poll
        self._queue: deque[_Waiting] = deque()
        self._running: list[_Run] = []
        self._drops = Sparingly()
        self._ending = False

    @property
    def idle(self) -> bool:
        """Whether none is being sent and none waits."""
        return not self._running and not self._queue

    @property
    def wake_at(self) -> float:
        """When to call `wake`."""
        limits = (run.group.wake_at for run in self._running)
        due = (one.at for one in self._queue if len(self._running) < MAILERS_LIMIT)
        return min((*limits, *due), default=math.inf)

    def add(self, mail: SendMail, now: float) -> None:
        """Send it as soon as may be."""
        if len(self._queue) >= QUEUE_LIMIT:
            subject = self._queue.popleft().mail.letter.subject
            self._drops.tell("dropped", now, "error", "mail_dropped", subject=subject, because="too many wait")
        self._queue.append(_Waiting(mail, now))

    def wake(self, now: float) -> None:
        """End what takes too long, reap what has ended, send what is due."""
        for run in tuple(self._running):
            run.group.wake(now)
            if run.exited and run.group.settled:
                self._ended(run, now)
        for one in tuple(self._queue):
            if one.at <= now and len(self._running) < MAILERS_LIMIT:
                self._queue.remove(one)
                self._begin(one, now)

    def hurry(self, now: float) -> None:
        """Try what waits once, and no mail again: lvsd ends."""
        self._ending = True
        self._queue = deque(_Waiting(one.mail, now, one.attempts) for one in self._queue)

    def give_up(self, now: float) -> None:
        """Drop what waits and tell what runs to end."""
        for one in self._queue:
            tell("error", "mail_dropped", subject=one.mail.letter.subject, because="lvsd ends")
        self._queue.clear()
        for run in self._running:
            run.group.wake_at = min(run.group.wake_at, now)

    def _begin(self, waiting: _Waiting, now: float) -> None:
        try:
            process = _start(waiting.mail)
        except OSError as error:
            tell("error", "mail_not_sent", subject=waiting.mail.letter.subject, error=str(error))
            self._try_again(waiting, now)
            return
        run = _Run(waiting, ChildGroup(process, now + LIMIT_SECONDS))
        self._running.append(run)
        self._poll.watch(run.group.descriptor, lambda: self._exited(run))

    def _exited(self, run: _Run) -> None:
        self._poll.forget(run.group.descriptor)
        run.exited = True

    def _ended(self, run: _Run, now: float) -> None:
        self._running.remove(run)
        status = run.group.reap()
        if status < 0:
            tell("error", "mail_not_sent", subject=run.waiting.mail.letter.subject, error=f"ended by signal {-status}")
        if status == TEMPORARY_EXIT or status < 0 or run.group.timed_out:
            self._try_again(run.waiting, now)

    def _try_again(self, waiting: _Waiting, now: float) -> None:
        if waiting.attempts >= len(TRY_AGAIN_SECONDS) or self._ending:
            tell("error", "mail_given_up", subject=waiting.mail.letter.subject, attempts=waiting.attempts + 1)
            return
        at = now + TRY_AGAIN_SECONDS[waiting.attempts]
        self._queue.append(_Waiting(waiting.mail, at, waiting.attempts + 1))


def _start(mail: SendMail) -> subprocess.Popen[bytes]:
    """The mailer, its letter on standard input. Raises OSError."""
    environment = {**ENVIRONMENT, PARENT_ENV: str(os.getpid())}
    if "JOURNAL_STREAM" in os.environ:
        environment["JOURNAL_STREAM"] = os.environ["JOURNAL_STREAM"]
    descriptor = os.memfd_create("letter", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "r+b") as letter:
        letter.write(encode(mail.letter))
        letter.seek(0)
        command = (sys.executable, "-I", "-m", MODULE, "--user", mail.user)
        return subprocess.Popen(
            command, stdin=letter, stdout=subprocess.DEVNULL, cwd="/", env=environment, start_new_session=True
        )
