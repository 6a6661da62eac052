"""A drill's own work: move the addresses as asked, watch, and undo it whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lvsd.control.messages import (
    FailoverReply,
    FailoverRequest,
    FailoverRow,
    PortraitsReply,
    PortraitsRequest,
    StatusReply,
    StatusRequest,
    VrrpReply,
    VrrpRequest,
    VrrpRow,
)
from lvsd.control.portrait import InstancePortrait, Portrait
from lvsd.ctl.client import Unanswered, ask
from lvsd.ctl.watcher import Watcher
from lvsd.ctl.ways import local_towards
from lvsd.drill.outage import Outage, outage
from lvsd.drill.report import FAILED, FREEZE, KILL, REHEARSED, Announcement, Connections, Moment, Report
from lvsd.drill.scope import kept, moving, source, towards, watched

BASELINE_SECONDS = 1.0
AFTER_SECONDS = 1.0
LOOK_SECONDS = 0.05
FREEZE_LIMIT_SECONDS = 12.0  # the supervisor kills what gives no sign of life for 20 s
GOOD = frozenset(("handed_over", "returned", "released"))

_WAKE = "import os, signal, sys, time; time.sleep(float(sys.argv[2])); os.kill(int(sys.argv[1]), signal.SIGCONT)"


@dataclass(frozen=True)
class Plan:
    """What was asked for. `hold` and `timeout` in seconds."""

    run_dir: Path
    how: str
    names: tuple[str, ...]
    hold: float
    timeout: float
    keep: bool
    further: tuple[tuple[str, int], ...] = ()  # addresses and ports to watch beside the services
    peers: tuple[tuple[str, int], ...] = ()  # whom to look at instead of those configured


@dataclass
class Course:
    """How it goes: moments are of CLOCK_MONOTONIC."""

    began: float = 0.0
    turned: float = 0.0  # when the way back began; 0: it did not
    ended: float = 0.0
    moved: tuple[FailoverRow, ...] = ()
    returned: tuple[FailoverRow, ...] = ()
    timeline: list[Moment] = field(default_factory=list)
    why: str = ""

    def note(self, text: str) -> None:
        """Something happened now."""
        self.timeline.append(Moment(round((time.monotonic() - self.began) * 1000, 1), text))


class Failed(Exception):
    """The drill cannot go on."""


def rehearse(plan: Plan, before: PortraitsReply, report: Report) -> Report:
    """Do it, and the report of it."""
    instances = tuple(one for one in before.own.instances if one.name in plan.names)
    scope = watched(before.own, instances, before.datagrams, plan.further)
    sources = {ipv6: _source(before.own, instances, ipv6=ipv6) for ipv6 in (False, True)}
    blind = tuple(one for one in scope.targets if not sources[one.ipv6])
    unwatched = (*scope.unwatched, *(f"{one.name}: no address of ours to ask from" for one in blind))
    targets = tuple(one for one in scope.targets if one not in blind)
    on = {ipv6: next((one.interface for one in instances if one.ipv6 is ipv6), "") for ipv6 in (False, True)}
    course = Course(began=time.monotonic())
    try:
        with Watcher(sources, targets, moving(instances), on) as watcher:
            time.sleep(BASELINE_SECONDS)
            _move_and_return(plan, instances, course, watcher)
            time.sleep(AFTER_SECONDS)
            course.ended = time.monotonic()
    except (Failed, Unanswered) as error:
        return msgspec.structs.replace(report, result=FAILED, why=str(error), timeline=tuple(course.timeline))
    except OSError as error:
        why = f"cannot watch: {error.strerror or error} (root, or CAP_NET_RAW, is needed)"
        return msgspec.structs.replace(report, result=FAILED, why=why)
    return _reported(report, plan, course, watcher, kept(before), unwatched)


def _source(own: Portrait, instances: tuple[InstancePortrait, ...], *, ipv6: bool) -> str:
    """Whom probes come from. Over IPv6 routers advertise from link-local addresses, which not all can answer."""
    known = "" if ipv6 else source(instances)
    return known or next(filter(None, map(local_towards, towards(own, ipv6=ipv6))), "")


def _move_and_return(plan: Plan, instances: tuple[InstancePortrait, ...], course: Course, watcher: Watcher) -> None:
    course.began = time.monotonic()
    if plan.how == FREEZE:
        _freeze(plan, instances, course, watcher)
    elif plan.how == KILL:
        _kill(plan, course)
    else:
        _graceful(plan, course)


def _graceful(plan: Plan, course: Course) -> None:
    """Hand over, watch, and have it back, also when somebody interrupts us meanwhile."""
    course.note("failover ordered")
    try:
        reply = ask(plan.run_dir, FailoverRequest(plan.names, timeout=plan.timeout))
        assert isinstance(reply, FailoverReply)  # noqa: S101  a contract of our own
        course.moved = reply.instances
        _note_rows(course, reply.instances)
        if reply.done:
            time.sleep(plan.hold)
            course.turned = 0.0 if plan.keep else time.monotonic()
    finally:
        if not plan.keep:
            course.note("return ordered")
            back = ask(plan.run_dir, FailoverRequest(plan.names, back=True, timeout=plan.timeout))
            assert isinstance(back, FailoverReply)  # noqa: S101  a contract of our own
            course.returned = back.instances
            _note_rows(course, back.instances)


def _note_rows(course: Course, rows: tuple[FailoverRow, ...]) -> None:
    for row in rows:
        course.note(f"{row.name}: {row.outcome.replace('_', ' ')}, active router {row.active_router or 'unknown'}")


def _freeze(plan: Plan, instances: tuple[InstancePortrait, ...], course: Course, watcher: Watcher) -> None:
    """Stop our vrrp process for longer than the others wait for it. Should we die, a process of its own wakes it."""
    seconds = max(4 * one.interval for one in instances) + 1.0
    if seconds > FREEZE_LIMIT_SECONDS:
        text = f"freezing would take {seconds:.0f} s at this advertisement interval, longer than the supervisor bears"
        raise Failed(text)
    number = _vrrp_pid(plan)
    watchdog = [sys.executable, "-I", "-c", _WAKE, str(number), str(seconds + 2)]
    with subprocess.Popen(watchdog, stdin=subprocess.DEVNULL, start_new_session=True) as waker:
        try:
            os.kill(number, signal.SIGSTOP)
            course.note(f"vrrp process {number} frozen")
            taken = _until(lambda: _announced(watcher, instances, course) or _taken(plan, instances), seconds)
            course.note("the other balancer is active" if taken else "no other balancer was seen to take over")
            course.moved = tuple(_row(course, name, "handed_over" if taken else "nobody") for name in plan.names)
            time.sleep(max(0.0, min(plan.hold, course.began + seconds - time.monotonic())))
        finally:
            course.turned = time.monotonic()
            os.kill(number, signal.SIGCONT)
            course.note("vrrp process woken")
            waker.kill()
    _wait_for_return(plan, course)


def _announced(watcher: Watcher, instances: tuple[InstancePortrait, ...], course: Course) -> bool:
    """Whether another router has announced all that moves."""
    heard = {address for moment, address, _ in watcher.announcements if moment >= course.began}
    return heard >= set(moving(instances))


def _taken(plan: Plan, instances: tuple[InstancePortrait, ...]) -> bool:
    """Whether a peer says that it is active: our own vrrp process sees nothing now."""
    reply = ask(plan.run_dir, PortraitsRequest(plan.peers))
    assert isinstance(reply, PortraitsReply)  # noqa: S101  a contract of our own
    theirs = {
        (one.virtual_router_id, one.ipv6)
        for peer in reply.peers
        if peer.portrait is not None
        for one in peer.portrait.instances
        if one.role == "active"
    }
    return all((one.virtual_router_id, one.ipv6) in theirs for one in instances)


def _kill(plan: Plan, course: Course) -> None:
    number = _vrrp_pid(plan)
    os.kill(number, signal.SIGKILL)
    course.note(f"vrrp process {number} killed")
    if not _until(lambda: _other_pid(plan, number), plan.timeout):
        raise Failed("the vrrp process did not come back")
    course.note("another vrrp process reports")
    course.turned = time.monotonic()
    _wait_for_return(plan, course)


def _other_pid(plan: Plan, killed: int) -> bool:
    try:
        return _vrrp_pid(plan) != killed
    except Failed:
        return False


def _wait_for_return(plan: Plan, course: Course) -> None:
    """Until all are active here again; where another one is and we would not preempt, it stays there."""
    _until(lambda: all(row.role == "active" for row in _rows(plan)), plan.timeout)
    rows = _rows(plan)
    course.returned = tuple(
        FailoverRow(
            row.name,
            "returned" if row.role == "active" else "released" if row.active_router else "not_returned",
            row.active_router,
            round((time.monotonic() - course.turned) * 1000, 1),
        )
        for row in rows
    )
    _note_rows(course, course.returned)


def _rows(plan: Plan) -> list[VrrpRow]:
    reply = ask(plan.run_dir, VrrpRequest())
    assert isinstance(reply, VrrpReply)  # noqa: S101  a contract of our own
    return [row for row in reply.instances if row.name in plan.names]


def _row(course: Course, name: str, word: str) -> FailoverRow:
    return FailoverRow(name, word, "", round((time.monotonic() - course.began) * 1000, 1))


def _vrrp_pid(plan: Plan) -> int:
    reply = ask(plan.run_dir, StatusRequest())
    assert isinstance(reply, StatusReply)  # noqa: S101  a contract of our own
    found = [one.pid for one in reply.processes if one.name == "vrrp" and one.connected]
    if not found:
        raise Failed("the vrrp process is not there")
    return found[0]


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for it, looking often. Whether it came to pass."""
    deadline = time.monotonic() + seconds
    while not (come := condition()) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return come


def _reported(
    report: Report,
    plan: Plan,
    course: Course,
    watcher: Watcher,
    kept: tuple[Connections, ...],
    unwatched: tuple[str, ...],
) -> Report:
    turn = course.turned or course.ended
    there = _outages(watcher, course.began, turn)
    bad = [row.outcome.replace("_", " ") for row in (*course.moved, *course.returned) if row.outcome not in GOOD]
    bad += [f"{one.service} was not served there" for one in there if one.lasting]
    return msgspec.structs.replace(
        report,
        result=FAILED if bad else REHEARSED,
        why="; ".join(bad),
        moved=course.moved,
        returned=course.returned,
        there=there,
        back=_outages(watcher, turn, course.ended) if course.turned and plan.how != KILL else (),
        unwatched=unwatched,
        connections=kept if plan.how != KILL else (),
        announcements=_announcements(watcher, course.began),
        timeline=tuple(course.timeline),
    )


def _outages(watcher: Watcher, begin: float, end: float) -> tuple[Outage, ...]:
    return tuple(
        outage(target.name, watcher.sent[target], watcher.answers[target], watcher.pace, (begin, end))
        for target in watcher.targets
    )


def _announcements(watcher: Watcher, began: float) -> tuple[Announcement, ...]:
    found: dict[tuple[str, str], list[float]] = {}
    for moment, address, mac in watcher.announcements:
        if moment >= began:
            found.setdefault((address, mac), []).append((moment - began) * 1000)
    return tuple(
        Announcement(address, mac, round(moments[0], 1), len(moments)) for (address, mac), moments in found.items()
    )
