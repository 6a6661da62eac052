"""Questions with one answer, asked by the thousand: begun together, and looked at together instead of one by one.

A connection is begun; the words are said as soon as the kernel takes them, which is when it stands; the answer is read
when it is there. Nobody waits for events at any of these sockets: those that were begun together are tried in their
order, and a real server nearby has answered by then. Whatever goes another way (a real server far away or slow, words
that do not fit, an answer in pieces) is handed over to who watches each connection by itself.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from checkers.core.outcome import Outcome
from checkers.lean.call import MSG_NOSIGNAL, Dial, begun
from checkers.lean.conversation import Asked, Conversation
from checkers.probes.failures import Failed, Stage, Stuck, outcome_of
from checkers.probes.session import RECEIVE_BYTES

PATIENCE_SECONDS: Final = 0.002
"""A real server nearby has answered by then."""
AGAIN_SECONDS: Final = 0.002
"""So long after a look comes the next: one look for all, instead of a wake-up for each."""


class Asker(Protocol):
    """Who asks."""

    def answered(self, outcome: Outcome, question: Question, now: float, /) -> None:
        """The outcome; the connection is closed."""

    def refused(self, error: OSError | Stuck, now: float, latency: float, /) -> None:
        """There was no connection; the system says why not."""

    def lasting(self, question: Question, now: float, /) -> None:
        """It takes longer than a moment: watch this connection some other way, from where it stands."""

    def broken(self, error: Exception, now: float, /) -> None:
        """One of these raised what it must not."""


class Question:
    """One connection, and how far it has come. Moments are seconds of the loop's clock; 0: not yet."""

    __slots__ = (
        "asked",
        "asker",
        "began_at",
        "connected_at",
        "conversation",
        "first_byte_at",
        "pending",
        "sock",
        "taken",
    )

    secured_at = 0.0  # there is no TLS here

    def __init__(self, asker: Asker, sock: socket.SocketType, asked: Asked, began_at: float) -> None:
        """It is being connected."""
        self.asker = asker
        self.sock = sock
        self.asked = asked
        self.conversation: Conversation | None = None  # where the answer needs one
        self.began_at = began_at
        self.connected_at = self.first_byte_at = 0.0
        self.pending = b""  # words the socket has not taken
        self.taken = 0  # octets that the conversation has had


class Questions:
    """All that are asked and not answered yet, in the order they were begun, for a moment."""

    def __init__(self, later: Callable[[float, Callable[[], None]], object]) -> None:
        """`later`: calls something after so many seconds."""
        self._later = later
        self._connecting: deque[Question] = deque()
        self._asked: deque[Question] = deque()
        self._looking = False

    def ask(self, asker: Asker, dial: Dial, asked: Asked, now: float) -> None:
        """Begin a connection to ask this."""
        family, address = dial
        try:
            sock = begun(family, address, speaks_first=True)
        except (Stuck, OSError) as error:
            asker.refused(error, now, 0.0)
            return
        self._connecting.append(Question(asker, sock, asked, now))
        self._look_after(0.0)

    def close(self) -> None:
        """Give up what was asked; nobody is told."""
        for row in (self._connecting, self._asked):
            while row:
                row.popleft().sock.close()

    def _look_after(self, seconds: float) -> None:
        if not self._looking:
            self._looking = True
            self._later(seconds, self._look)

    def _look(self) -> None:
        self._looking = False
        self._through(self._connecting, self._say)
        self._through(self._asked, self._hear)
        if self._connecting or self._asked:
            self._look_after(AGAIN_SECONDS)

    def _through(self, row: deque[Question], step: Callable[[Question], bool]) -> None:
        """As far as the first for whom nothing has come: it gets a little time, and the rest with it."""
        while row:
            one = row[0]
            try:
                if not step(one):
                    return
            except Exception as error:  # noqa: BLE001 - the guard: a fault in one check must not stop the others
                _drop(row, one)
                one.sock.close()
                one.asker.broken(error, monotonic())

    def _say(self, one: Question) -> bool:
        """Say the words if the connection stands. False: nothing to be said of it yet."""
        words = one.asked.words
        try:
            sent = one.sock.send(words, MSG_NOSIGNAL)
        except BlockingIOError:
            return self._lasts(self._connecting, one, one.began_at)
        except OSError as error:
            self._connecting.popleft()
            one.sock.close()
            now = monotonic()
            one.asker.refused(error, now, now - one.began_at)
            return True
        self._connecting.popleft()
        one.connected_at = now = monotonic()
        if sent == len(words):
            self._asked.append(one)
        else:
            one.pending = words[sent:]
            _hand_over(one, now)
        return True

    def _hear(self, one: Question) -> bool:
        """Take the answer if it is there. False: not yet."""
        try:
            octets = one.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return self._lasts(self._asked, one, one.connected_at)
        except OSError as error:
            self._asked.popleft()
            self._told(one, outcome_of(error, Stage.TALKING), monotonic())
            return True
        self._asked.popleft()
        now = monotonic()
        if not octets:  # whoever takes it over reads the end again
            _hand_over(one, now)
            return True
        one.first_byte_at = now
        one.taken = len(octets)
        outcome = one.asked.judge(octets)
        if outcome is None:
            self._converse(one, octets, now)
        else:
            self._told(one, outcome, now)
        return True

    def _converse(self, one: Question, octets: bytes, now: float) -> None:
        """It takes more than a glance, and perhaps more than came."""
        one.conversation = one.asked.converse()
        try:
            answer = one.conversation.receive(octets)
        except (Failed, Stuck, EOFError) as error:
            answer = outcome_of(error, Stage.TALKING)
        if answer is None or isinstance(answer, bytes):
            one.pending = answer or b""
            _hand_over(one, now)
        else:
            self._told(one, answer, now)

    def _lasts(self, row: deque[Question], one: Question, since: float) -> bool:
        now = monotonic()
        if now - since < PATIENCE_SECONDS:
            return False
        row.popleft()
        _hand_over(one, now)
        return True

    def _told(self, one: Question, outcome: Outcome, now: float) -> None:
        one.sock.close()
        one.asker.answered(outcome, one, now)


def _hand_over(one: Question, now: float) -> None:
    if one.conversation is None:
        one.conversation = one.asked.converse()
    one.asker.lasting(one, now)


def _drop(row: deque[Question], one: Question) -> None:
    if row and row[0] is one:
        row.popleft()
