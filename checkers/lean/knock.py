"""To be connected is all that is asked: thousands of connections tried, looked at once, and given up half open.

A SYN is sent, the kernel takes the SYN and ACK that answers it and holds its own ACK back, and the connection is
dropped with a RST: the real server's kernel forgets it, and its daemon never hears of it (HAProxy checks so too).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from checkers.lean.call import Dial, at_once
from checkers.lean.reactor import Reactor
from checkers.probes.failures import Stuck

PATIENCE_SECONDS: Final = 0.002
"""A real server nearby has answered by then: one look for all, instead of a wake-up for each."""

_STREAM: Final = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_ABORT: Final = struct.pack("ii", 1, 0)  # SO_LINGER of no time: close(2) sends a RST

# struct tcp_info (include/uapi/linux/tcp.h), as much of it as every kernel has
_INFO_BYTES: Final = 104
_ESTABLISHED, _SYN_SENT = 1, 2
_ROUND_TRIP_AT: Final = 68  # u32, µs
_REPEATED_AT: Final = 100  # u32, segments sent again
_U32: Final = struct.Struct("=I")


class Visitor(Protocol):
    """Who wants to know whether somebody is in."""

    def connected(self, now: float, latency: float, /) -> None:
        """Somebody is: the handshake took `latency` seconds."""

    def refused(self, error: OSError | Stuck, now: float, latency: float, /) -> None:
        """The system says why not."""

    def unanswered(self, sock: socket.SocketType, began_at: float, now: float) -> None:
        """Nobody has answered yet: wait for this socket some other way."""

    def broken(self, error: Exception, now: float, /) -> None:
        """One of these raised what it must not."""


class Knocks:
    """All connections that were tried and not looked at yet, in the order they were begun."""

    def __init__(self, reactor: Reactor, later: Callable[[float, Callable[[], None]], object]) -> None:
        """`later`: calls something after so many seconds."""
        self._reactor = reactor
        self._later = later
        self._waiting: deque[tuple[Visitor, socket.SocketType, float]] = deque()

    def knock(self, visitor: Visitor, dial: Dial, now: float) -> None:
        """Try a connection."""
        family, address = dial
        try:
            sock = socket.SocketType(family, _STREAM)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            number = sock.connect_ex(address)
        except OSError as error:
            visitor.refused(error, now, 0.0)
            return
        if number not in (0, errno.EINPROGRESS):
            sock.close()
            visitor.refused(at_once(number), now, 0.0)
            return
        if not self._waiting:
            self._later(0.0, self._look)
        self._waiting.append((visitor, sock, now))

    def close(self) -> None:
        """Give up what was tried; nobody is told."""
        while self._waiting:
            self._waiting.popleft()[1].close()

    def _look(self) -> None:
        """Those that were answered, as far as the first that was not: it gets a little time, and the rest with it."""
        waiting = self._waiting
        while waiting:
            visitor, sock, began_at = waiting[0]
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
            now = self._reactor.now()
            if info[0] == _SYN_SENT and now - began_at < PATIENCE_SECONDS:
                self._later(PATIENCE_SECONDS, self._look)
                return
            waiting.popleft()
            try:
                _tell(visitor, sock, info, began_at, now)
            except Exception as error:  # noqa: BLE001 - the guard: a fault in one check must not stop the others
                sock.close()
                visitor.broken(error, now)


def _tell(visitor: Visitor, sock: socket.SocketType, info: bytes, began_at: float, now: float) -> None:
    if info[0] == _SYN_SENT:
        visitor.unanswered(sock, began_at, now)
        return
    number = 0 if info[0] == _ESTABLISHED else sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    sock.close()
    if number:
        visitor.refused(OSError(number, os.strerror(number)), now, now - began_at)
    else:
        visitor.connected(now, _handshake_seconds(info, now - began_at))


def _handshake_seconds(info: bytes, elapsed: float) -> float:
    """What the kernel measured, unless it had to send its SYN again; never more than has elapsed."""
    [round_trip] = _U32.unpack_from(info, _ROUND_TRIP_AT)
    [repeated] = _U32.unpack_from(info, _REPEATED_AT)
    return elapsed if repeated or not round_trip else min(elapsed, round_trip / 1e6)
