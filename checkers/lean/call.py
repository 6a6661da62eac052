"""One probe of the lean engine: a connection that is opened, talked over, parted from; at most so long, so much."""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import Protocol

from checkers.core.outcome import Healthy, Inconclusive, Outcome
from checkers.lean.conversation import Conversation
from checkers.lean.reactor import TROUBLE, Reactor
from checkers.lean.secure import Secured
from checkers.probes.failures import (
    OWN_ERRORS_AT_ONCE,
    Failed,
    Stage,
    Stuck,
    TooLarge,
    at_deadline,
    outcome_of,
)
from checkers.probes.session import FAREWELL_SECONDS, RECEIVE_BYTES

CONNECTED = Healthy("connected")
RECEIVES_A_TURN = 8  # then the others have theirs

SocketType = socket.SocketType  # looked up thousands of times a second
IPPROTO_TCP, TCP_QUICKACK, MSG_NOSIGNAL = socket.IPPROTO_TCP, socket.TCP_QUICKACK, socket.MSG_NOSIGNAL
_BEGUN = (errno.EINPROGRESS, 0)
_STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_INCOMING = select.EPOLLIN | select.EPOLLRDHUP | TROUBLE
_ENDED = select.EPOLLRDHUP | TROUBLE

Dial = tuple[int, tuple[object, ...]]
"""Family and socket address."""


class Owner(Protocol):
    """Whose call it is."""

    def found(self, outcome: Outcome, now: float, latency: float) -> None:
        """The outcome is known; told once at most. `latency`: seconds."""

    def over(self, now: float) -> None:
        """The connection is closed; told once."""

    def alarm(self, moment: float) -> None:
        """Call `late` then, and not when it was to be called before."""

    def broken(self, error: Exception, now: float) -> None:
        """A fault of our own code came up."""


class Unfinished(Protocol):
    """A conversation as far as somebody else has led it."""

    sock: socket.SocketType
    began_at: float
    connected_at: float
    first_byte_at: float
    pending: bytes
    """Words that the socket has not taken."""
    taken: int
    """Octets that the conversation has had."""


class Call:
    """Driven by the reactor (`ready`, `go_on`) and by its owner's alarm (`late`)."""

    __slots__ = (
        "_closed",
        "_conversation",
        "_dial",
        "_hung_up",
        "_left",
        "_owner",
        "_pending",
        "_reactor",
        "_secured",
        "_socket",
        "_stage",
        "began_at",
        "connected_at",
        "first_byte_at",
        "reported",
        "secured_at",
    )

    def __init__(
        self,
        reactor: Reactor,
        owner: Owner,
        dial: Dial,
        conversation: Conversation | None,
        secured: Secured | None,
    ) -> None:
        """Nothing is opened yet. Without a conversation to be connected is all."""
        self._reactor = reactor
        self._owner = owner
        self._dial = dial
        self._conversation = conversation
        self._secured = secured
        self._left = 0
        self._socket: socket.SocketType | None = None
        self._stage = Stage.CONNECTING
        self._pending = b""  # what the socket has not taken yet
        self._hung_up = False
        self._closed = False
        self.reported = False
        self.began_at = self.connected_at = self.secured_at = self.first_byte_at = 0.0  # 0: not yet

    def begin(self, now: float) -> None:
        """Connect, without looking up any name."""
        self.began_at = now
        conversation = self._conversation
        speaks_first = self._secured is not None or (conversation is not None and conversation.speaks_first)
        if conversation is not None:
            self._left = conversation.allowance_bytes
        family, address = self._dial
        try:
            self._socket = begun(family, address, speaks_first=speaks_first)
            self._reactor.listen(self._socket.fileno(), self)
        except (Stuck, OSError) as error:
            self._failed(error, now)

    def go_on_connecting(self, sock: socket.SocketType, began_at: float, now: float) -> None:
        """A connection that was begun by somebody else, and not answered yet."""
        self.began_at = began_at
        self._socket = sock
        if self._conversation is not None:
            self._left = self._conversation.allowance_bytes
        try:
            self._reactor.listen(sock.fileno(), self)
        except OSError as error:
            self._failed(error, now)

    def go_on_talking(self, begun_otherwise: Unfinished, now: float) -> None:
        """A connection over which somebody else has begun to talk."""
        self._stage = Stage.TALKING
        self.connected_at = begun_otherwise.connected_at
        self.first_byte_at = begun_otherwise.first_byte_at
        self._pending = begun_otherwise.pending
        self.go_on_connecting(begun_otherwise.sock, begun_otherwise.began_at, now)
        self._left -= begun_otherwise.taken

    def ready(self, mask: int, now: float) -> None:
        """The socket has news."""
        try:
            if self._stage is Stage.CONNECTING:
                self._connected(mask, now)
            elif self._pending and mask & select.EPOLLOUT:
                self._send(b"")
            if mask & _INCOMING and self._socket is not None and self._conversation is not None:
                self._hung_up = self._hung_up or bool(mask & _ENDED)
                self._receive(now)
        except (Failed, Stuck, OSError, EOFError) as error:
            self._failed(error, now)

    def go_on(self, now: float) -> None:
        """Read what is left."""
        try:
            if self._socket is not None:
                self._receive(now)
        except (Failed, Stuck, OSError, EOFError) as error:
            self._failed(error, now)

    def late(self, now: float, held_up: float) -> None:
        """The alarm rings: the deadline has passed, or the parting has lasted long enough.

        `held_up`: so many seconds the loop did not turn, where that makes the deadline unfair.
        """
        if self.reported:
            self._close(now)
        elif held_up:
            self._found(Inconclusive(f"the checker itself was held up for {held_up:.1f} s"), now)
        else:
            silence = self._conversation.silence if self._conversation is not None else None
            self._found(silence or at_deadline(self._socket, self._stage), now)

    def broken(self, error: Exception, now: float) -> None:
        """A fault of our own code."""
        self._owner.broken(error, now)

    def end(self, outcome: Outcome, now: float) -> None:
        """Close at once, with this outcome where there is none yet."""
        if not self.reported:
            self.reported = True
            self._owner.found(outcome, now, now - self.began_at)
        self._close(now)

    def leave(self, now: float) -> None:
        """Nobody wants to know any more: part in good order."""
        if not self.reported:
            self.reported = True
            self._part(now)

    def drop(self) -> None:
        """Close, and tell nobody."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self, mask: int, now: float) -> None:
        sock = self._opened()
        if mask & TROUBLE:
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, os.strerror(number))
        self.connected_at = now
        self._stage = Stage.TALKING
        if self._conversation is None:
            self._found(CONNECTED, now)
        elif self._secured is None:
            self._talk(self._conversation)
        else:
            self._stage = Stage.SECURING
            self._secured.shake()
            self._send(self._secured.outgoing())

    def _talk(self, conversation: Conversation) -> None:
        words = conversation.begin()
        if words:
            if self._secured is None:
                self._send(words)
            else:
                self._say(words)
        if conversation.half_close:
            self._opened().shutdown(socket.SHUT_WR)

    def _receive(self, now: float) -> None:
        for _ in range(RECEIVES_A_TURN):
            left = self._left
            size = RECEIVE_BYTES if left >= RECEIVE_BYTES else left + 1
            sock = self._socket
            if sock is None:
                raise EOFError
            try:
                octets = sock.recv(size)
            except BlockingIOError:
                return
            self._left = left - len(octets)
            if self._left < 0:
                text = "more than a check reads"
                raise TooLarge(text)
            if not self._take(octets, now) or (len(octets) < size and not self._hung_up):
                return
        self._reactor.again(self)

    def _take(self, octets: bytes, now: float) -> bool:
        """Hand on what came (nothing: the end): whether there is anything more to hear."""
        if self.reported:
            if not octets:
                self._close(now)
            return bool(octets)
        if self._secured is not None:
            return self._decipher(self._secured, octets, now)
        return self._hear(octets, now)

    def _decipher(self, secured: Secured, octets: bytes, now: float) -> bool:
        if not octets:
            return self._hear(b"", now)
        secured.take(octets)
        if not secured.shaken:
            try:
                done = secured.shake()
            finally:
                self._send(secured.outgoing())  # an alert too
            if not done:
                return True
            self.secured_at = now
            self._stage = Stage.TALKING
            if self._conversation is not None:
                self._talk(self._conversation)
        while (piece := secured.read()) is not None:
            if not self._hear(piece, now):
                return self._socket is not None
        return True

    def _hear(self, piece: bytes, now: float) -> bool:
        conversation = self._conversation
        if conversation is None or not piece:
            self._found(self._end(), now)
            return False
        if not self.first_byte_at:
            self.first_byte_at = now
        answer = conversation.receive(piece)
        if answer is None:
            return True
        if isinstance(answer, bytes):
            self._say(answer)
            return True
        self._found(answer, now)
        return False

    def _end(self) -> Outcome:
        if self._conversation is None or self._stage is not Stage.TALKING:
            raise EOFError
        return self._conversation.ended()

    def _failed(self, error: Failed | Stuck | OSError | EOFError, now: float) -> None:
        if isinstance(error, Failed) and not self.reported:
            self._found(outcome_of(error, self._stage), now)
        else:  # the connection is of no use any more
            self.end(outcome_of(error, self._stage), now)

    def _found(self, outcome: Outcome, now: float) -> None:
        self.reported = True
        self._owner.found(outcome, now, now - self.began_at)
        self._part(now)

    def _part(self, now: float) -> None:
        """Say goodbye where the conversation came so far, and wait a while for the other side to end."""
        parting = self._conversation.parting if self._conversation is not None else None
        secured = self._secured
        if self._socket is None or (parting is None and (secured is None or not secured.shaken)):
            self._close(now)
            return
        try:
            if parting is not None:
                self._say(parting)
            elif secured is not None:
                self._part_secured(secured)
        except OSError:
            self._close(now)
            return
        self._owner.alarm(now + FAREWELL_SECONDS)
        self._reactor.again(self)

    def _part_secured(self, secured: Secured) -> None:
        secured.part()
        self._send(secured.outgoing())
        self._opened().shutdown(socket.SHUT_WR)

    def _say(self, words: bytes) -> None:
        if self._secured is not None:
            self._secured.write(words)
            words = self._secured.outgoing()
        self._send(words)

    def _send(self, octets: bytes) -> None:
        """As much as the socket takes; the rest when it takes more."""
        if self._pending:
            octets = self._pending + octets
        if not octets:
            return
        sock = self._socket
        if sock is None:
            raise EOFError
        try:
            sent = sock.send(octets, MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        self._pending = octets[sent:] if sent < len(octets) else b""

    def _opened(self) -> socket.SocketType:
        if self._socket is None:
            raise EOFError
        return self._socket

    def _close(self, now: float) -> None:
        if self._socket is not None:
            self._reactor.forget(self._socket.fileno())
            if self._secured is not None and self._secured.shaken:
                self._last_words(self._secured)
            self._socket.close()
            self._socket = None
        if not self._closed:
            self._closed = True
            self._owner.over(now)

    def _last_words(self, secured: Secured) -> None:
        try:
            secured.part()
            self._send(secured.outgoing())
        except (OSError, EOFError):
            return


def begun(family: int, address: tuple[object, ...], *, speaks_first: bool) -> socket.SocketType:
    """A connection on its way. `speaks_first`: our words will carry the handshake's ACK. Raises Stuck and OSError."""
    sock = SocketType(family, _STREAM)
    if speaks_first:
        sock.setsockopt(IPPROTO_TCP, TCP_QUICKACK, 0)
    number = sock.connect_ex(address)
    if number not in _BEGUN:
        sock.close()
        raise at_once(number)
    return sock


def at_once(number: int) -> Stuck | OSError:
    """What connect(2) itself says; ENETUNREACH is then ours."""
    words = os.strerror(number)
    return Stuck(f"cannot connect: {words}") if number in OWN_ERRORS_AT_ONCE else OSError(number, words)
