"""Probes once, because a person asks, and tells what was said: confined as a checker worker is.

`python -I -m checkers.runtime.prober --user NAME`, the checks as JSON on standard input; on standard output a line for
each (checkers/core/transcript.py), as soon as its goodbye is said. They run one after the other. Exit status: 0, or 70
when it may not start.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from math import ceil

import msgspec

from checkers.core.books import CONNECT
from checkers.core.messages import CAP_NET_RAW, AssignedCheck
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Unhealthy
from checkers.core.transcript import ASKED_LIMIT_BYTES, Garbled, Transcript, decode_asked, encode_told
from checkers.lean.watch import LeanWatch
from checkers.lean.way import lean
from checkers.probes.attempt import Finding, attempt
from checkers.probes.discretion import Discretion
from checkers.probes.echo import share
from checkers.probes.failures import a_fault
from checkers.probes.memory import Memory
from checkers.probes.registry import PROBES, load
from checkers.runtime.icmp import open_ping_sockets
from checkers.runtime.log import tell
from checkers.runtime.sandbox import ParentGone, Refused, confine
from checkers.runtime.tape import Tape, TappedLoop
from checkers.runtime.ways import AnyWatch
from config.checks import ExternalCheck, PingCheck, SynCheck, TcpCheck

REFUSED_EXIT = 70  # sysexits.h: EX_SOFTWARE
STANDARD_OUTPUT = 1
START_SECONDS = 30
PARTING_SECONDS = 2.0  # after each, more than a goodbye takes
GRACE_SECONDS = 1.0  # what a half-open probe may take beyond its timeout

UNSEEN = {
    ExternalCheck: "what a command says to the real server is not seen; what it printed is in the result",
    PingCheck: "echo requests and replies are matched by the kernel and are not shown",
    SynCheck: "a SYN is all that is sent; its answer is the result",
    TcpCheck: "to be connected is all that is asked; nothing is said",
}


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="checkers.runtime.prober", description="Probes once and tells what was said.")
    parser.add_argument("--user", required=True, help="who to become when started as root")
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)  # the libraries': theirs may hold a conversation
    try:
        checks = decode_asked(sys.stdin.buffer.read(ASKED_LIMIT_BYTES + 1))
        for kind in {type(check.check) for check in checks} & PROBES.keys():
            load(kind)  # another user may not find them
        pings = open_ping_sockets() if any(isinstance(one.check, PingCheck) for one in checks) else {}
        share(pings)
        signal.alarm(patience_seconds(checks))  # whoever takes this process over does not keep a person waiting
        raw = any(one.dial.mark or isinstance(one.check, SynCheck) for one in checks)
        confine(given.user, [sock.fileno() for sock in pings.values()], CAP_NET_RAW if raw else 0)
    except (Garbled, Refused) as error:
        tell("error", "prober_refused", reason=str(error))
        return REFUSED_EXIT
    except ParentGone:
        return 0
    ended = contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError, BrokenPipeError)
    with ended, asyncio.Runner(loop_factory=TappedLoop) as runner:
        runner.run(_all(checks))
    return 0


def patience_seconds(checks: tuple[AssignedCheck, ...]) -> int:
    """What all of them may take together, on a machine that has much else to do."""
    return START_SECONDS + ceil(sum(check.timing.timeout + PARTING_SECONDS for check in checks))


async def _all(checks: tuple[AssignedCheck, ...]) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - the runner's own
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # after which goodbyes are said
    for check in checks:
        line = encode_told(await probed(check))
        while line:
            line = line[os.write(STANDARD_OUTPUT, line) :]


async def probed(check: AssignedCheck) -> Transcript:
    """One probe of it, whatever it is. In a TappedLoop its conversation is heard."""
    loop = asyncio.get_running_loop()
    tape = Tape(loop.time)
    if isinstance(loop, TappedLoop):
        loop.tape = tape
    finding = await (_watched(check) if _is_half_open(check) else _attempted(check, tape))
    discretion = Discretion(check.check)
    return Transcript(
        check.id,
        _discreet(finding.outcome, discretion),
        _phases(finding, tape),
        tape.said(discretion),
        tape.secured,
        tape.left_out,
        UNSEEN.get(type(check.check), ""),
    )


async def _attempted(check: AssignedCheck, tape: Tape) -> Finding:
    found: list[Finding] = []
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    try:
        # To who asks now, an agent that cannot be asked is not well for want of a word to stand by.
        memory = Memory(believed=True)
        await attempt(check, found.append, memory, overheard=lambda words, ours: tape.heard(words, ours=ours))
    except Exception as error:  # noqa: BLE001 - the one guard: what a checker worker would find
        if not found:
            now = loop.time()
            return Finding(a_fault(error), now, now - began_at)
    return found[0]


def _is_half_open(check: AssignedCheck) -> bool:
    """Whether no daemon is to hear of it: an engine has to ask, as it does for the checkers."""
    return isinstance(check.check, SynCheck) or (isinstance(check.check, TcpCheck) and lean(check))


def _engine(check: AssignedCheck, told: asyncio.Event) -> AnyWatch:
    def probed(_identity: str, _at_once: bool) -> None:
        told.set()

    def crashed(_identity: str, _error: Exception) -> None:
        told.set()

    if isinstance(check.check, SynCheck):
        from checkers.syn.watch import SynWatch  # few have a use for it

        return SynWatch(probed, crashed)
    return LeanWatch(probed, crashed)


async def _watched(check: AssignedCheck) -> Finding:
    """By the engine that is there for it: the first verdict of a check of which nothing is known."""
    told = asyncio.Event()
    watch = _engine(check, told)
    try:
        watch.assign((check,), {})
        watch.hurry((check.id,))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(check.timing.timeout + GRACE_SECONDS):
                await told.wait()
        verdict = watch.verdict(check.id)
    finally:
        await watch.stop(0.0)
    now = asyncio.get_running_loop().time()
    if verdict is None or not told.is_set():
        return Finding(Inconclusive("nothing was found out"), now, 0.0)
    connected = isinstance(check.check, TcpCheck) and isinstance(verdict.outcome, Healthy)
    return Finding(verdict.outcome, now, verdict.latency, ((CONNECT, verdict.latency),) if connected else ())


def _phases(finding: Finding, tape: Tape) -> dict[str, float]:
    """Seconds by name, in the order in which they come."""
    found: dict[str, float] = {}
    connect = dict(finding.parts).get(CONNECT)
    if connect is not None:
        found["connect"] = connect
    if tape.handshake is not None:
        found["tls"] = tape.handshake
    if tape.first_byte_at is not None:
        before = sum(found.values())
        found["first_byte"] = tape.first_byte_at - (before if tape.first_byte_at >= before else connect or 0.0)
    found["whole"] = finding.latency
    return found


def _discreet(outcome: Outcome, discretion: Discretion) -> Outcome:
    match outcome:
        case Healthy() | Unhealthy() | Inconclusive():
            return msgspec.structs.replace(outcome, detail=discretion.struck(outcome.detail))


if __name__ == "__main__":
    sys.exit(main())
