"""The checker worker: gives up all privileges, proves it, then runs checks and tells the director what it finds.

`python -I -m checkers.runtime.worker --socket PATH --user NAME [--number N]`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import stat
import sys
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from checkers.core.assembly import Assembly
from checkers.core.hosts import Hosts
from checkers.core.messages import (
    CAP_NET_RAW,
    PROTOCOL,
    RAW_WORKER,
    Assign,
    Hello,
    Hurry,
    Pages,
    Resend,
    ShowBooks,
    ToWorker,
)
from checkers.core.outbox import Outbox
from checkers.core.proof import Standing
from checkers.lean.watch import LeanWatch
from checkers.lean.way import lean
from checkers.probes.attempt import attempt
from checkers.probes.echo import share
from checkers.probes.registry import PROBES, load
from checkers.probes.stall import Stall
from checkers.runtime.channel import Channel
from checkers.runtime.crashes import Crashes
from checkers.runtime.icmp import open_ping_sockets
from checkers.runtime.log import Bounded, tell
from checkers.runtime.notify import Notifier
from checkers.runtime.sandbox import ParentGone, Refused, confine
from checkers.runtime.watch import Watch
from checkers.runtime.ways import AnyWatch, Ways

REFUSED_EXIT = 70  # sysexits.h: EX_SOFTWARE
BEAT_SECONDS = 1.0
RECENT_BEATS = 2  # the recently probed are told every so many beats
RECENT_AT_ONCE = 64  # so many at most, the longest untold first: thousands are told with all
ALL_BEATS = 15  # and everything, so that whatever was lost heals
STOP_SECONDS = 1.0
FAULT_LINES_A_MINUTE = 6


class Worker:
    """Puts the parts together: assignments in, checks run, verdicts out."""

    def __init__(self, path: str, hello: Hello, notifier: Notifier) -> None:
        """Nothing runs yet."""
        self._notifier = notifier
        self._outbox = Outbox(hello)
        self._assembly = Assembly()
        self._generation = 0
        self._recent: dict[str, None] = {}
        self._ready = False
        self._settled = False
        self._complaints = Bounded(FAULT_LINES_A_MINUTE)
        self._stall = Stall(self._held_up)
        crashes, hosts = Crashes(), Hosts()
        deep = Watch(partial(attempt, stalled=self._stall.total), self._probed, crashes, hosts)
        self._quick = LeanWatch(self._probed, crashes.crashed, self._stall.total, hosts)
        syn = self._syn_watch(crashes) if hello.worker == RAW_WORKER else None
        self._watch = Ways(deep, self._quick, hosts, syn)
        self._channel = Channel(path, self._opened, self._ordered, self._packet, self._sent)
        self._faults = Bounded(FAULT_LINES_A_MINUTE)

    def _syn_watch(self, crashes: Crashes) -> AnyWatch:
        """Of the one worker that may have it: the others do not even load it."""
        from checkers.syn.watch import SynWatch

        return SynWatch(self._probed, crashes.crashed, self._stall.total)

    async def run(self) -> None:
        """Work until SIGTERM, then part from every real server in good order."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._fault)
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's; the supervisor says what to do
            loop.add_signal_handler(number, lambda: None)
        loop.add_signal_handler(signal.SIGUSR1, self._tell_lateness)
        beating = asyncio.create_task(self._beat())
        self._channel.open()
        await stop.wait()
        beating.cancel()
        self._channel.close()
        await self._watch.stop(STOP_SECONDS)

    async def _beat(self) -> None:
        beats = 0
        while True:
            self._notifier.alive()
            await asyncio.sleep(BEAT_SECONDS)
            beats += 1
            if beats % RECENT_BEATS == 0:
                self._outbox.mark(self._some_recent())
                self._outbox.confirm()  # who says nothing for long is taken for hung
            if beats % ALL_BEATS == 0:
                self._outbox.mark(self._watch.identities)
                self._recent.clear()
            self._channel.pump()

    def _some_recent(self) -> tuple[str, ...]:
        """Those probed since they were told last, as many as are told at once."""
        some = tuple(islice(self._recent, RECENT_AT_ONCE))
        for identity in some:
            del self._recent[identity]
        return some

    def _tell_lateness(self) -> None:
        """Asked for by SIGUSR1: how well the schedule is kept."""
        late = self._watch.lateness
        tell(
            "info",
            "schedule_kept",
            probes=late.total,
            late_p50_ms=round(late.within(0.5) * 1000, 1),
            late_p99_ms=round(late.within(0.99) * 1000, 1),
            late_most_ms=round(late.longest * 1000, 1),
        )

    def _opened(self) -> None:
        self._assembly = Assembly()
        self._outbox.reconnected()
        self._outbox.mark(self._watch.identities)
        self._outbox.confirm()

    def _packet(self) -> bytes | None:
        return self._outbox.packet(self._generation, self._watch.verdict, self._pages)

    def _pages(self, request: ShowBooks) -> Pages:
        found = {identity: page for identity in request.ids if (page := self._watch.page(identity)) is not None}
        return Pages(request.number, found, self._watch.lateness.told())

    def _sent(self) -> None:
        self._outbox.sent()
        if not self._ready:
            self._ready = True
            self._notifier.ready()

    def _ordered(self, order: ToWorker) -> None:
        match order:
            case Assign():
                self._assigned(order)
            case Hurry(ids):
                self._watch.hurry(ids)
            case Resend():
                self._outbox.mark(self._watch.identities)
                self._outbox.confirm()
                self._channel.pump()
            case ShowBooks():
                self._outbox.asked(order)
                self._channel.pump()

    def _assigned(self, assign: Assign) -> None:
        checks = self._assembly.add(assign)
        if checks is None:
            return
        for kind in {type(check.check) for check in checks if not lean(check)} & PROBES.keys():
            load(kind)
        self._watch.allow(assign.probes_per_host)
        change = self._watch.assign(checks)
        self._generation = assign.generation
        self._outbox.mark(self._watch.identities)
        self._outbox.confirm()
        self._settle()
        tell(
            "info",
            "assignment_taken",
            generation=assign.generation,
            checks=len(self._watch.identities),
            started=len(change.started),
            replaced=len(change.replaced),
            retimed=len(change.retimed),
            ended=len(change.ended),
        )
        self._channel.pump()

    def _settle(self) -> None:
        """What is loaded now stays: the collector need not look at it again."""
        if not self._settled:
            self._settled = True
            gc.collect()
            gc.freeze()

    def _probed(self, identity: str, at_once: bool) -> None:
        if at_once:
            self._outbox.mark((identity,))
            self._channel.pump()
        else:
            self._recent[identity] = None

    def _held_up(self, seconds: float) -> None:
        """Too little of a processor, or a paused machine: checks that ran meanwhile may prove nothing."""
        self._complaints.tell("warning", "worker_held_up", seconds=f"{seconds:.1f}")

    def _fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A fault nobody awaited. Its words are not told: they may hold a password."""
        error = context.get("exception")
        self._faults.tell("error", "fault", where=context.get("message", ""), error=type(error).__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run the process. The exit status: 0 after SIGTERM, 70 when it may not start."""
    parser = argparse.ArgumentParser(prog="checkers.runtime.worker", description="Runs checks for the director.")
    parser.add_argument("--socket", required=True, help="the director's socket")
    parser.add_argument("--user", required=True, help="who to become when started as root")
    parser.add_argument("--number", type=int, default=1, help="which of the workers; 0: the one with CAP_NET_RAW")
    given = parser.parse_args(arguments)
    capabilities = CAP_NET_RAW if given.number == RAW_WORKER else 0
    path = str(Path(given.socket).absolute())
    notifier = Notifier.from_environment()
    if os.geteuid() == 0 and not reachable_by_all(Path(sys.prefix)):
        for kind in PROBES:  # another user will not find them
            load(kind)
    pings = open_ping_sockets()
    share(pings)
    inherited = () if notifier.descriptor is None else (notifier.descriptor,)
    try:
        held = confine(given.user, (*inherited, *(sock.fileno() for sock in pings.values())), capabilities)
    except Refused as error:
        tell("error", "worker_refused", reason=str(error))
        return REFUSED_EXIT
    except ParentGone:
        return 0
    logging.disable(logging.CRITICAL)  # the libraries': theirs may hold a conversation
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_work(path, held, notifier, given.number))
    return 0


def reachable_by_all(place: Path) -> bool:
    """Whether every user may look into this folder, from the root on: libraries are loaded late from there."""
    folders = (place, *place.resolve().parents, *place.absolute().parents)
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in folders)


async def _work(path: str, held: Standing, notifier: Notifier, number: int) -> None:
    hello = Hello(os.getpid(), held.uids[1], held.effective, held.no_new_privs, number, PROTOCOL)
    tell("info", "worker_started", worker=number, pid=hello.pid, uid=hello.uid, capabilities=hello.capabilities)
    await Worker(path, hello, notifier).run()


if __name__ == "__main__":
    sys.exit(main())
