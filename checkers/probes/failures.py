"""Everything that goes wrong in a probe, named once: foreign exceptions in, an outcome with a reason out.

Which errors of the system are a real server's and which are ours decides whether a server may be taken out of
service for them. Ours (Inconclusive) are those that say nothing about the server: no descriptor, memory or
local port left, our own packet filter, no route of our own, an address family the kernel lacks.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from enum import Enum

from checkers.core.outcome import Inconclusive, Outcome, Reason, Unhealthy, escaped


class Stage(Enum):
    """How far a conversation came."""

    CONNECTING = "connecting"
    SECURING = "in the TLS handshake"
    TALKING = "talking"
    ASKING = "waiting for a datagram"
    RUNNING = "running a command"


class Failed(Exception):
    """The real server failed the check. `words` are its own, or the error's: cut and escaped when shown."""

    def __init__(self, reason: Reason, words: bytes | str = "") -> None:
        """Say why."""
        super().__init__(reason)
        self.reason = reason
        self.words = words


class Stuck(Exception):
    """The checker itself cannot probe: nobody's verdict changes. `words` say what it lacks."""

    def __init__(self, words: str) -> None:
        """Say why."""
        super().__init__(words)
        self.words = words


class Unfit(Exception):
    """A message that is no answer to what was asked, in words; the real one may still come."""

    def __init__(self, words: str, reason: Reason = Reason.GARBLED) -> None:
        """`reason`: why the probe failed, should nothing else come."""
        super().__init__(words)
        self.reason = reason

    def outcome(self) -> Outcome:
        """What the deadline will mean."""
        return Unhealthy(self.reason, escaped(f"no answer that counts: {self}"))


class TooLarge(OSError):
    """A real server sent more than a probe reads."""


OUT_OF_MEANS = frozenset(
    {
        errno.EMFILE,  # no descriptor left in this process
        errno.ENFILE,  # nor in this machine
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.ENOSPC,  # epoll_ctl(2): this user watches as many as it may
    }
)
"""What this machine lacks at any stage: no real server can make the system say so."""

OWN_ERRORS = OUT_OF_MEANS | frozenset(
    {
        errno.EAGAIN,  # connect(2): no entry left in the routing cache
        errno.EADDRNOTAVAIL,  # connect(2): no local port left
        errno.EPERM,  # connect(2): our own packet filter
        errno.EAFNOSUPPORT,  # this kernel has no such address family
        errno.EPROTONOSUPPORT,
        errno.EINVAL,  # connect(2): a scope that is missing; a route of type "blackhole"
        errno.ENODEV,
        errno.ENETDOWN,  # our interface is down
    }
)
"""What connect(2) or socket(2) says that tells nothing about the real server."""

OWN_ERRORS_AT_ONCE = OWN_ERRORS | {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES}
"""Given by connect(2) itself: we have no route, or one of type "unreachable" or "prohibit". Given later, a router or a
packet filter over there said so (EACCES: ICMPv6, administratively prohibited), or nobody has the address: the server's.
"""

_CONNECT_REASONS = {
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.ECONNRESET: Reason.REFUSED,
    errno.ETIMEDOUT: Reason.CONNECT_TIMEOUT,
}

_TALK_REASONS = {
    errno.ETIMEDOUT: Reason.REPLY_TIMEOUT,
    errno.EHOSTUNREACH: Reason.UNREACHABLE,
    errno.ENETUNREACH: Reason.UNREACHABLE,
}


def outcome_of(error: Failed | Stuck | OSError | EOFError, stage: Stage) -> Outcome:
    """The one mapping. TimeoutErrors of a deadline are the caller's to name (`timed_out`)."""
    match error:
        case Failed(reason=reason, words=words):
            return Unhealthy(reason, escaped(words))
        case Stuck(words=words):
            return Inconclusive(escaped(words))
        case TooLarge():
            return Unhealthy(Reason.TOO_LARGE, escaped(str(error)))
        case ssl.SSLCertVerificationError():
            return Unhealthy(Reason.CERTIFICATE, escaped(error.verify_message or str(error)))
        case ssl.SSLError():
            return Unhealthy(Reason.TLS, escaped(error.reason or str(error)))
        case EOFError():
            return Unhealthy(Reason.CLOSED, _closed_words(stage))
        case OSError():
            return _system_outcome(error, stage)


def _system_outcome(error: OSError, stage: Stage) -> Outcome:
    number = error.errno
    words = error.strerror or _closed_words(stage)
    if number is None:  # asyncio's own ConnectionResetError and the like: the other side has gone
        return Unhealthy(Reason.CLOSED, words)
    if stage is Stage.CONNECTING:
        if number in OWN_ERRORS:
            return Inconclusive(escaped(f"cannot connect: {words}"))
        return Unhealthy(_CONNECT_REASONS.get(number, Reason.UNREACHABLE), escaped(words))
    if number in OUT_OF_MEANS:
        return Inconclusive(escaped(f"cannot go on: {words}"))
    return Unhealthy(_TALK_REASONS.get(number, Reason.CLOSED), escaped(words))


def timed_out(stage: Stage, heard: bytes = b"") -> Outcome:
    """The deadline passed at this stage; `heard` is what was said until then."""
    match stage:
        case Stage.CONNECTING:
            return Unhealthy(Reason.CONNECT_TIMEOUT, "no answer to the connection attempt")
        case Stage.SECURING:
            return Unhealthy(Reason.REPLY_TIMEOUT, "connected, but the TLS handshake did not end in time")
        case Stage.TALKING:
            return Unhealthy(Reason.REPLY_TIMEOUT, "connected, but the conversation did not end in time")
        case Stage.ASKING:
            return Unhealthy(Reason.REPLY_TIMEOUT, "no answer")
        case Stage.RUNNING:
            return Unhealthy(Reason.COMMAND_TIMEOUT, escaped(b"killed at the timeout: " + heard))


def at_deadline(sock: socket.SocketType | None, stage: Stage, heard: bytes = b"") -> Outcome:
    """As `timed_out`, unless a router has said meanwhile why nobody answers.

    Of what comes while connect(2) still holds the socket the kernel only makes a note (sk_err_soft), over IPv6 it wakes
    nobody (tcp_v6_err), and it sends its SYN again: SO_ERROR tells.
    """
    if sock is not None and stage is Stage.CONNECTING:
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            return outcome_of(OSError(number, os.strerror(number)), stage)
    return timed_out(stage, heard)


def a_fault(error: Exception) -> Inconclusive:
    """What a probe found that crashed. Not the exception's words: they may hold a password."""
    return Inconclusive(f"a fault of the checker: {type(error).__name__}")


def _closed_words(stage: Stage) -> str:
    where = "during the TLS handshake" if stage is Stage.SECURING else "before its answer was whole"
    return f"closed {where}"
