"""One check of the syn engine, from probe to probe."""

from __future__ import annotations

import contextlib
import socket
from array import array
from collections.abc import Callable
from functools import lru_cache
from math import ceil, inf, nextafter
from typing import NamedTuple

import msgspec

from checkers.core.books import LATE, WHOLE, Histogram, tally
from checkers.core.course import Course
from checkers.core.messages import AssignedCheck, State
from checkers.core.outcome import Healthy, Outcome
from checkers.core.schedule import GRAIN_LIMIT_SECONDS, Rhythm, grain
from checkers.probes.session import numeric
from checkers.syn.batch import ASLEEP, NOT_OUT, TICK_SECONDS, Peer
from checkers.syn.channel import Channel, Line, line_to, peer_of
from checkers.syn.packet import NUMBERS, RST, Form
from config.checks import Timing

ANSWERED = Healthy("SYN answered by SYN and ACK")

LOOK_SECONDS = 60.0
"""So long the kernel is believed to have packets to a target leave from where it said."""

FAILED_LOOK_SECONDS = 5.0  # or so long, where probes fail

PHASES_A_TICK = 2
"""So many phases of an interval begin together where their moments lie anywhere: with a grain of a twentieth of it,
each probe is a twentieth of its interval early or late at most."""

PHASES = 5
"""An interval has no fewer, where its slots can lie on ticks: to wake once more costs as much as fifty probes."""

PACES = 1024  # timings that are remembered

_HAIR = 1e-6  # of a tick: what a float may be off

NOTES = 64  # answers that changed nothing are put into the books together, so many

Open = Callable[[Line], Channel]
"""The channel of a line. Raises Stuck."""


class Pace(NamedTuple):
    """When a check is asked, in seconds and ticks."""

    interval: float
    timeout: float
    grace: float  # a timeout may end so much sooner, with the interval
    ticks: int  # a probe begins at a multiple of so many, wherever its moment lies
    slot_ticks: int  # slots lie at multiples of so many
    connects: bool


class Asker:
    """Its course, where it asks, and what is out.

    While a check is up and answered in its slots nothing of its course changes but counters, slot by slot. That is
    noted here at a fraction of the price, and put into the course when somebody looks at it or something happens.
    """

    __slots__ = (
        "_address",
        "_course",
        "_grace",
        "_interval",
        "_last_at",
        "_lateness",
        "_looked_at",
        "_notes",
        "_steady",
        "asked_at",
        "channel",
        "form",
        "identity",
        "look_at",
        "moment",
        "number",
        "our_port",
        "peer",
        "port",
        "stalled_before",
        "ticks",
        "timeout",
        "wake",
    )

    def __init__(self, given: Course, lateness: Histogram) -> None:
        """Nothing is out, and nothing looked up. `lateness`: where it is written how late each probe began."""
        self._course = given
        self._lateness = lateness
        self.channel: Channel | None = None
        self.peer: Peer = b""
        self.port = given.assigned.target.port
        self.wake, self.number, self.our_port = ASLEEP, NOT_OUT, 0
        self.asked_at = self.stalled_before = 0.0
        self._address: tuple[object, ...] = ()
        self.form = Form(bytes(4), bytes(4), 0)
        self.look_at = self._looked_at = -inf
        self._notes = array("f")  # how late, and how long it took, by turns
        self._last_at = 0.0
        self.identity = given.assigned.id
        self.moment = self.timeout = self._interval = self._grace = 0.0
        self.ticks = 1
        self._steady = False
        self._keep_step()
        self._heed()

    @property
    def course(self) -> Course:
        """What is believed, asked next, and when."""
        self.settle()
        return self._course

    def settle(self) -> None:
        """Put what was noted into the course."""
        if self._notes:
            self._fold()

    def retime(self, assigned: AssignedCheck, now: float) -> None:
        """The same question, other timing."""
        self.course.retime(assigned, now)
        self._keep_step()
        self._heed()

    def hurry(self, now: float) -> None:
        """Ask now; the rhythm goes on behind it."""
        self.course.hurry(now)
        self._heed()

    def deadline(self, asked_at: float) -> float:
        """Until when a probe that began then is waited for.

        A timeout that would end just behind the next slot ends with it, lest a probe that waits as long as its interval
        miss every second slot.
        """
        full, following = asked_at + self.timeout, self.moment + self._interval
        return following if following < full <= following + self._grace else full

    def given_up(self, now: float) -> float:
        """The moment at which it ended in vain: before its next slot, if that has only just come."""
        following = self.moment + self._interval
        return nextafter(following, -inf) if following <= now <= following + self._grace else now

    def answered(self, ended_at: float) -> bool:
        """It answered: whether that is no news and is noted, and the next slot is the next."""
        took, following = ended_at - self.asked_at, self.moment + self._interval
        if not self._steady or took > self.timeout or ended_at >= following:
            return False
        notes = self._notes
        notes.append(self.asked_at - self.moment)
        notes.append(took)
        self._last_at = ended_at
        self.moment = following
        if len(notes) >= 2 * NOTES:
            self._fold()
        return True

    def observe(self, outcome: Outcome, ended_at: float) -> bool:
        """The probe that began last is over: whether the director should hear at once."""
        given = self.course
        self._lateness.add(given.begun(self.asked_at))
        told = given.observe(outcome, ended_at, ended_at - self.asked_at)
        given.ended(ended_at)
        if not isinstance(outcome, Healthy):
            self.look_at = min(self.look_at, self._looked_at + FAILED_LOOK_SECONDS)
        self._heed()
        return told

    def look(self, now: float, open_line: Open) -> Channel:
        """Where packets leave: to be looked up again at `look_at`, as routes and addresses change.

        Raises Stuck, Failed and OSError.
        """
        assigned = self._course.assigned
        family, address = numeric(assigned.target)
        line = line_to(family, address, assigned.dial)
        channel = self.channel
        if channel is None or channel.line != line:
            channel = open_line(line)
            self.lose_way()
            channel.users += 1
            self.channel = channel
            host, _, *rest = address
            self.peer = peer_of(address)
            self._address = (host, 0, *rest)
            self.form = Form(_packed(family, line.source), self.peer[:16], self.port, self.peer[16:])
        self._looked_at = now
        self.look_at = now + LOOK_SECONDS
        return channel

    def reset(self, our_port: int, number: int) -> None:
        """End what the real server half opened, in place of the kernel, whose resets bear no mark and may go astray."""
        if self.channel is not None:
            with contextlib.suppress(OSError):  # it ends by itself some time
                self.channel.send(self.form.fill(our_port, (number + 1) % NUMBERS, RST), self._address)

    def lose_way(self) -> None:
        """Look before the next probe: the address it leaves from may be this machine's no more."""
        if self.channel is not None:
            self.channel.users -= 1
            self.channel = None

    def _keep_step(self) -> None:
        """Have its slots lie where those of others do, that are asked with it."""
        given = self._course
        step = TICK_SECONDS * pace(given.assigned.timing).slot_ticks
        slot = ceil(given.rhythm.slot / step - _HAIR) * step
        given.rhythm = msgspec.structs.replace(given.rhythm, slot=slot)

    def _heed(self) -> None:
        """What of the course decides about the next probe."""
        given = self._course
        health, in_slot = given.health, given.rhythm.hurried_to is None
        kept = pace(given.assigned.timing)
        self.moment = given.moment
        self.timeout, self._interval = kept.timeout, kept.interval
        self.ticks, self._grace = (kept.slot_ticks, kept.grace) if in_slot else (kept.ticks, 0.0)
        steady = health.state is State.UP and health.outcome is ANSWERED
        self._steady = steady and in_slot and not kept.connects

    def _fold(self) -> None:
        given, notes = self._course, self._notes
        self._notes = array("f")
        late = tally(notes[::2])
        given.books.take(LATE, late)
        self._lateness.take(late)
        given.books.take(WHOLE, tally(notes[1::2]))
        given.rhythm = Rhythm(self.moment)
        given.health = msgspec.structs.replace(
            given.health,
            probes=given.health.probes + len(notes) // 2,
            probed_at=self._last_at,
            latency=notes[-1],
        )


@lru_cache(PACES)
def pace(timing: Timing) -> Pace:
    """What a timing comes to: once, as thousands have the same, and what they share is at hand."""
    ticks = max(1, int(min(PHASES_A_TICK * grain(timing), GRAIN_LIMIT_SECONDS) / TICK_SECONDS))
    return Pace(
        interval=timing.interval,
        timeout=timing.timeout,
        grace=grain(timing),
        ticks=ticks,
        slot_ticks=_slot_ticks(timing.interval, ticks),
        connects=timing.connects > 0,
    )


def _slot_ticks(interval: float, fine: int) -> int:
    """More than `fine`, if the interval is a multiple of so many, or else that."""
    whole = round(interval / TICK_SECONDS)
    if abs(whole * TICK_SECONDS - interval) > _HAIR * TICK_SECONDS:
        return fine
    most = min(whole // PHASES, int(GRAIN_LIMIT_SECONDS / TICK_SECONDS))
    return next((ticks for ticks in range(most, fine, -1) if whole % ticks == 0), fine)


def _packed(family: int, address: str) -> bytes:
    return socket.inet_pton(family, address.partition("%")[0])
