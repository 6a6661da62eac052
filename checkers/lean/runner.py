"""One check of the lean engine, from probe to probe."""

from __future__ import annotations

import socket

from checkers.core.books import CONNECT, FIRST_BYTE, LATE, TLS, Books
from checkers.core.course import Course, course
from checkers.core.messages import AssignedCheck
from checkers.core.outcome import Outcome
from checkers.core.schedule import grain
from checkers.core.steady import Steady
from checkers.lean.call import CONNECTED, Call, Dial
from checkers.lean.conversation import Conversation
from checkers.lean.engine import Engine
from checkers.lean.questions import Question
from checkers.lean.secure import Secured
from checkers.lean.way import CONNECTION, manner_of, secured_of
from checkers.lean.wheel import ASLEEP, TICK_SECONDS
from checkers.probes.attempt import STALLED_SHARE
from checkers.probes.failures import Stage, Stuck, a_fault, outcome_of
from checkers.probes.session import numeric
from config.checks import TcpCheck

HURRY_SECONDS = 0.5  # who was probed so lately is not hurried
APART_PROBES = 15  # of one that takes longer than a moment, until it is asked together with others again


class Runner:
    """One check: its course, its alarm, and the call it has out."""

    __slots__ = (
        "_apart",
        "_before",
        "_call",
        "_dial",
        "_engine",
        "_gone",
        "_identity",
        "_late",
        "_manner",
        "_out",
        "_stalled_before",
        "_steady",
        "_ticks",
        "host",
        "placed",
        "queued",
        "wake",
    )

    def __init__(self, engine: Engine, given: Course, before: Runner | None) -> None:
        """`before`: who ran this check until now, and may still be parting from its real server."""
        self._engine = engine
        self._identity = given.assigned.id
        self._dial: Dial | None = None
        self._manner = CONNECTION
        self._steady = Steady(given, _rows(given.assigned))
        self._before = before
        self._call: Call | None = None
        self._gone = False
        self._out = False  # whether it has a place among those at once
        self.host = engine.hosts.host(given.assigned.target.address)
        self.placed = False  # whether it has a place among those of its address
        self.queued = False  # whether it waits for one of the two
        self._stalled_before = self._late = 0.0
        self._apart = 0  # so many probes go by themselves, since one did not end within a moment
        self.wake = ASLEEP
        self._ticks = int(grain(given.assigned.timing) / TICK_SECONDS)
        self._sleep()

    @property
    def course(self) -> Course:
        """What is believed, asked next, and when."""
        return self._steady.course

    @property
    def calling(self) -> bool:
        """Whether a conversation is going on, or its end."""
        return self._call is not None

    def due(self, now: float) -> None:
        """The alarm rings: for the next probe, or because this one lasts too long."""
        if self._call is not None:
            held_up = self._engine.stalled() - self._stalled_before
            unfair = held_up >= STALLED_SHARE * self.course.assigned.timing.timeout
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
        given = self.course
        if self._out:
            given.retime(assigned, now)
            self._steady.heed()
        else:
            self._steady.renew(course(assigned, given.health, now, given.books))
            self._sleep()

    def hurry(self, now: float) -> None:
        """Probe now, unless that is being done, or was a moment ago."""
        if not self._out and not self.queued and now - self.course.health.probed_at >= HURRY_SECONDS:
            self.course.hurry(now)
            self._steady.heed()
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
        self._observe(outcome, now, latency, self._call if self._manner.converse is not None else None)

    def over(self, now: float) -> None:
        """The call is closed."""
        self._call = None
        self._rest(now)

    def broken(self, error: Exception, now: float) -> None:
        """A fault of our own code."""
        self._engine.crashed(self._identity, error)
        if self._call is not None:
            self._call.end(a_fault(error), now)
        elif self._out:
            self.found(a_fault(error), now, 0.0)
            self._rest(now)

    def connected(self, now: float, latency: float) -> None:
        """The port accepts connections, and no more was asked."""
        if not self._gone and self._steady.note(CONNECTED, now, self._late, latency):
            self._go_on()
            return
        self._observe(CONNECTED, now, latency, None)
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
            engine.reactor.wake_at(began_at + self.course.assigned.timing.timeout, self)

    def answered(self, outcome: Outcome, question: Question, now: float) -> None:
        """A question was asked and answered within a moment."""
        began_at, connected_at = question.began_at, question.connected_at
        parts = (connected_at - began_at, question.first_byte_at - connected_at)
        if not self._gone and self._steady.note(outcome, now, self._late, now - began_at, *parts):
            self._go_on()
            return
        self._observe(outcome, now, now - began_at, question)
        self._rest(now)

    def lasting(self, question: Question, now: float) -> None:
        """A question that was not answered within a moment: it is waited for as for others."""
        if self._gone:
            question.sock.close()
            self._rest(now)
            return
        self._apart = APART_PROBES
        engine = self._engine
        self._call = call = Call(engine.reactor, self, (0, ()), question.conversation, None)
        if question.connected_at:
            call.go_on_talking(question, now)
        else:
            call.go_on_connecting(question.sock, question.began_at, now)
        if self._call is not None:
            engine.reactor.wake_at(question.began_at + self.course.assigned.timing.timeout, self)

    def _probe(self, now: float) -> None:
        engine = self._engine
        self._late = late = now - self._steady.moment
        engine.lateness.add(late)
        self._stalled_before = engine.stalled()
        try:
            dial = self._dial or self._looked_up(self.course.assigned)
            manner = CONNECTION if self._steady.connects else self._manner
            if manner.converse is None:
                engine.knocks.knock(self, dial, now)
            elif manner.asked is not None and not self._apart:
                engine.questions.ask(self, dial, manner.asked, now)
            else:
                self._apart = max(0, self._apart - 1)
                self._converse(dial, manner.converse(), secured_of(manner), now)
        except Stuck as error:
            self.refused(error, now, 0.0)

    def _converse(self, dial: Dial, conversation: Conversation, secured: Secured | None, now: float) -> None:
        engine = self._engine
        self._call = Call(engine.reactor, self, dial, conversation, secured)
        self._call.begin(now)
        if self._call is not None:
            engine.reactor.wake_at(now + self.course.assigned.timing.timeout, self)

    def _observe(self, outcome: Outcome, now: float, latency: float, parts: Call | Question | None) -> None:
        if self._gone:
            return
        given = self.course
        given.books.add(LATE, self._late)
        told = given.observe(outcome, now, latency)
        if parts is not None:
            _written(given.books, parts)
        self._steady.heed()
        self._engine.on_probed(self._identity, told)

    def _go_on(self) -> None:
        """As ever: on to the next slot."""
        engine = self._engine
        engine.on_probed(self._identity, False)
        engine.reactor.wake_at(self._steady.moment, self, self._ticks)
        self._out = False
        engine.release(self)

    def _sleep(self) -> None:
        """Until the next probe: in a slot together with others, unless it is a hurried one."""
        rhythm = self.course.rhythm
        hurried = rhythm.hurried_to is not None and not rhythm.slowed
        self._engine.reactor.wake_at(rhythm.moment, self, 1 if hurried else self._ticks)

    def _looked_up(self, assigned: AssignedCheck) -> Dial:
        """Once for all calls. Raises Stuck."""
        dial = self._dial = numeric(assigned.target)
        self._manner = manner_of(assigned.check, assigned.target)
        return dial

    def _rest(self, now: float) -> None:
        if not self._gone:
            self.course.ended(now)
            self._steady.heed()
            self._sleep()
        if self._out:
            self._out = False
            self._engine.release(self)


def _rows(assigned: AssignedCheck) -> tuple[int, ...]:
    """What a probe of this check is noted with, where it is answered within a moment."""
    return () if isinstance(assigned.check, TcpCheck) else (CONNECT, FIRST_BYTE)


def _written(books: Books, call: Call | Question) -> None:
    """What the parts of a conversation took, as far as it came."""
    connected_at, secured_at, first_byte_at = call.connected_at, call.secured_at, call.first_byte_at
    if not connected_at:
        return
    books.add(CONNECT, connected_at - call.began_at)
    if secured_at:
        books.add(TLS, secured_at - connected_at)
    if first_byte_at:
        books.add(FIRST_BYTE, first_byte_at - (secured_at or connected_at))
