"""One check of the lean engine, from probe to probe."""

from __future__ import annotations

import socket

from checkers.core.books import CONNECT, FIRST_BYTE, TLS, Books
from checkers.core.course import Course, course
from checkers.core.messages import AssignedCheck
from checkers.core.outcome import Outcome
from checkers.core.schedule import grain
from checkers.lean.call import CONNECTED, Call, Dial
from checkers.lean.engine import Engine
from checkers.lean.way import CONNECTION, manner_of, secured_of
from checkers.lean.wheel import ASLEEP, TICK_SECONDS
from checkers.probes.attempt import STALLED_SHARE
from checkers.probes.failures import Stage, Stuck, a_fault, outcome_of
from checkers.probes.session import numeric

HURRY_SECONDS = 0.5  # who was probed so lately is not hurried


class Runner:
    """One check: its course, its alarm, and the call it has out."""

    __slots__ = (
        "_before",
        "_call",
        "_course",
        "_dial",
        "_engine",
        "_gone",
        "_manner",
        "_out",
        "_stalled_before",
        "_ticks",
        "host",
        "placed",
        "queued",
        "wake",
    )

    def __init__(self, engine: Engine, given: Course, before: Runner | None) -> None:
        """`before`: who ran this check until now, and may still be parting from its real server."""
        self._engine = engine
        self._course = given
        self._before = before
        self._call: Call | None = None
        self._dial: Dial | None = None
        self._manner = CONNECTION
        self._gone = False
        self._out = False  # whether it has a place among those at once
        self.host = engine.hosts.host(given.assigned.target.address)
        self.placed = False  # whether it has a place among those of its address
        self.queued = False  # whether it waits for one of the two
        self._stalled_before = 0.0
        self.wake = ASLEEP
        self._ticks = int(grain(given.assigned.timing) / TICK_SECONDS)
        self._sleep()

    @property
    def course(self) -> Course:
        """What is believed, asked next, and when."""
        return self._course

    @property
    def calling(self) -> bool:
        """Whether a conversation is going on, or its end."""
        return self._call is not None

    def due(self, now: float) -> None:
        """The alarm rings: for the next probe, or because this one lasts too long."""
        if self._call is not None:
            held_up = self._engine.stalled() - self._stalled_before
            unfair = held_up >= STALLED_SHARE * self._course.assigned.timing.timeout
            self._call.late(now, held_up if unfair else 0.0)
        elif self.queued or self._out:
            return
        elif self._gone:
            self.leave()
        elif self._before is not None and self._before.calling:
            self.alarm(now + TICK_SECONDS)
        elif self._engine.admit(self):
            self._out = True
            self._before = None
            self._probe(now)

    def turn(self, now: float) -> None:
        """There is room now for who had to wait."""
        self.queued = False
        try:
            self.due(now)
        except Exception as error:  # noqa: BLE001 - the guard, as in the reactor
            self.broken(error, now)

    def retime(self, assigned: AssignedCheck, now: float) -> None:
        """The same question, other timing. A call that is out is left to end."""
        self._ticks = int(grain(assigned.timing) / TICK_SECONDS)
        if self._call is not None:
            self._course.retime(assigned, now)
        else:
            self._course = course(assigned, self._course.health, now, self._course.books)
            self._sleep()

    def hurry(self, now: float) -> None:
        """Probe now, unless that is being done, or was a moment ago."""
        if self._call is None and not self.queued and now - self._course.health.probed_at >= HURRY_SECONDS:
            self._course.hurry(now)
            self.alarm(now)

    def let_go(self, now: float) -> None:
        """Probe no more; a conversation is ended politely."""
        self._gone = True
        if self._call is not None:
            self._call.leave(now)
        elif self.queued and not self.placed:
            self.host.forget(self)
        elif not self.queued:
            self.leave()

    def seated(self) -> None:
        """There is a place at its address."""
        self.placed = True
        self._engine.next(self)

    def leave(self) -> None:
        """Give the place at its address to the next."""
        if self.placed:
            self.placed = False
            self.host.leave()

    def alarm(self, moment: float) -> None:
        """Ring then, and not when it was to ring before."""
        self._engine.reactor.wake_at(moment, self)

    def found(self, outcome: Outcome, now: float, latency: float) -> None:
        """The call has an outcome."""
        if not self._gone:
            told = self._course.observe(outcome, now, latency)
            if self._call is not None and self._manner.converse is not None:
                _written(self._course.books, self._call)
            self._engine.on_probed(self._course.assigned.id, told)

    def over(self, now: float) -> None:
        """The call is closed."""
        self._call = None
        self._rest(now)

    def broken(self, error: Exception, now: float) -> None:
        """A fault of our own code."""
        self._engine.crashed(self._course.assigned.id, error)
        if self._call is not None:
            self._call.end(a_fault(error), now)
        elif self._out:
            self.found(a_fault(error), now, 0.0)
            self._rest(now)

    def connected(self, now: float, latency: float) -> None:
        """The port accepts connections, and no more was asked."""
        self.found(CONNECTED, now, latency)
        self._rest(now)

    def refused(self, error: OSError | Stuck, now: float, latency: float) -> None:
        """There was no connection."""
        self.found(outcome_of(error, Stage.CONNECTING), now, latency)
        self._rest(now)

    def unanswered(self, sock: socket.SocketType, began_at: float, now: float) -> None:
        """A connection that lasts: it is waited for as for others."""
        if self._gone:
            sock.close()
            self._rest(now)
            return
        engine = self._engine
        self._call = Call(engine.reactor, self, (0, ()), None, None)
        self._call.go_on_connecting(sock, began_at, now)
        if self._call is not None:
            engine.reactor.wake_at(began_at + self._course.assigned.timing.timeout, self)

    def _probe(self, now: float) -> None:
        given, engine = self._course, self._engine
        assigned = given.assigned
        engine.lateness.add(given.begun(now))
        self._stalled_before = engine.stalled()
        try:
            dial = self._dial or self._looked_up(assigned)
            manner = CONNECTION if given.connects_left else self._manner
            secured = secured_of(manner)
        except Stuck as error:
            self.refused(error, now, 0.0)
            return
        if manner.converse is None:
            engine.knocks.knock(self, dial, now)
            return
        self._call = Call(engine.reactor, self, dial, manner.converse(), secured)
        self._call.begin(now)
        if self._call is not None:
            engine.reactor.wake_at(now + assigned.timing.timeout, self)

    def _sleep(self) -> None:
        """Until the next probe: in a slot together with others, unless it is a hurried one."""
        rhythm = self._course.rhythm
        hurried = rhythm.hurried_to is not None and not rhythm.slowed
        self._engine.reactor.wake_at(rhythm.moment, self, 1 if hurried else self._ticks)

    def _looked_up(self, assigned: AssignedCheck) -> Dial:
        """Once for all calls. Raises Stuck."""
        dial = self._dial = numeric(assigned.target)
        self._manner = manner_of(assigned.check, assigned.target)
        return dial

    def _rest(self, now: float) -> None:
        if not self._gone:
            self._course.ended(now)
            self._sleep()
        if self._out:
            self._out = False
            self._engine.release(self)


def _written(books: Books, call: Call) -> None:
    """What the parts of a conversation took, as far as it came."""
    connected_at = call.connected_at
    if not connected_at:
        return
    books.add(CONNECT, connected_at - call.began_at)
    if call.secured_at:
        books.add(TLS, call.secured_at - connected_at)
    if call.first_byte_at:
        books.add(FIRST_BYTE, call.first_byte_at - (call.secured_at or connected_at))
