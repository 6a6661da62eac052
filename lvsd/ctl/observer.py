"""A client of virtual services on any machine: connects again and again, and holds connections open.

It needs no privilege and no daemon. Connections that are held are asked by the kernel's keepalive every second, so that
who took over without knowing of them refuses them, whatever protocol they speak.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from lvsd.drill.observation import Held, Observation, ServiceSeen, gaps
from lvsd.drill.outage import LASTING_SECONDS
from lvsd.drill.scope import Target

ANSWER_SECONDS: Final = 1.0  # a SYN that is lost is not sent again within that
OPEN_LIMIT: Final = 512
MEMORY_LIMIT: Final = 1_000_000
READ_BYTES: Final = 4096
CONNECT_SECONDS: Final = 2.0
ALIVE_MILLISECONDS: Final = 3500
TCP_INFO, LAST_ACK_AT = 11, 56  # linux/tcp.h: struct tcp_info, tcpi_last_ack_recv
_AT_ONCE = struct.pack("ii", 1, 0)
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 127))


@dataclass
class Tally:
    """What is seen of one service; moments are of CLOCK_MONOTONIC.

    `asked_at`: the first probe since the last answer, None: there was none.
    """

    target: Target
    probes: int = 0
    answers: list[float] = field(default_factory=list)
    asked_at: float | None = None
    held: list[socket.socket] = field(default_factory=list)
    opened: int = 0
    reset: int = 0
    closed: int = 0

    def asked(self, now: float) -> None:
        """A probe goes out."""
        self.probes += 1
        if self.asked_at is None:
            self.asked_at = now

    def answered(self, now: float) -> None:
        """To one of them."""
        self.answers.append(now)
        self.asked_at = None


class Observer:
    """Watches `targets`, a probe each every `pace` seconds, with `connections` held to each that speaks TCP."""

    def __init__(self, targets: Sequence[Target], pace: float, connections: int) -> None:
        """Nothing is sent yet."""
        self._pace = pace
        self._connections = connections
        self._tallies = [Tally(target) for target in targets]
        self._selector = selectors.DefaultSelector()
        self._open: dict[socket.socket, float] = {}

    def run(self, goes_on: Callable[[], bool]) -> Observation:
        """Until told to end, or interrupted."""
        began, offset = time.time(), time.time() - time.monotonic()
        with contextlib.suppress(KeyboardInterrupt):
            for tally in self._tallies:
                self._prepare(tally)
            due = time.monotonic()
            while goes_on():
                now = time.monotonic()
                if now >= due:
                    due = max(due + self._pace, now)
                    self._probe(now)
                self._attend(max(0.0, due - time.monotonic()))
            self._attend(0.0)  # what came while this machine stood still
        ended = time.monotonic()
        services = tuple(self._seen(tally, offset, ended) for tally in self._tallies)
        self._close()
        return Observation(socket.gethostname(), began, ended + offset, round(self._pace * 1000, 1), services)

    def _attend(self, patience: float) -> None:
        for key, _ in self._selector.select(patience):
            key.data()

    def _prepare(self, tally: Tally) -> None:
        if tally.target.datagram:
            asking = _socket(tally.target, socket.SOCK_DGRAM)
            asking.connect((tally.target.address, tally.target.port))
            tally.held.append(asking)
            self._selector.register(asking, selectors.EVENT_READ, lambda: self._replied(tally, asking))
            return
        for _ in range(self._connections):
            with contextlib.suppress(OSError):
                self._hold(tally)

    def _hold(self, tally: Tally) -> None:
        kept = socket.create_connection((tally.target.address, tally.target.port), CONNECT_SECONDS)
        kept.setblocking(False)
        tally.opened += 1
        tally.held.append(kept)
        self._selector.register(kept, selectors.EVENT_READ, lambda: self._stirred(tally, kept))
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # it may be reset by now, which is seen later
        for option, value in _KEEPALIVE:
            kept.setsockopt(socket.IPPROTO_TCP, option, value)

    def _stirred(self, tally: Tally, kept: socket.socket) -> None:
        """A banner, an end in good order, or a reset."""
        try:
            if kept.recv(READ_BYTES):
                return
            tally.closed += 1
        except BlockingIOError:
            return
        except OSError:
            tally.reset += 1
        self._selector.unregister(kept)
        tally.held.remove(kept)
        kept.close()

    def _replied(self, tally: Tally, asking: socket.socket) -> None:
        with contextlib.suppress(OSError):  # ICMP says that nobody is there
            asking.recv(READ_BYTES)
            tally.answered(time.monotonic())

    def _probe(self, now: float) -> None:
        for late in [one for one, began in self._open.items() if now - began > ANSWER_SECONDS]:
            self._drop(late)
        for tally in self._tallies:
            if tally.probes >= MEMORY_LIMIT:
                continue
            tally.asked(now)
            if tally.target.datagram:
                with contextlib.suppress(OSError):
                    tally.held[0].send(tally.target.datagram)
            elif len(self._open) < OPEN_LIMIT:
                self._knock(tally, now)

    def _knock(self, tally: Tally, now: float) -> None:
        knocking = _socket(tally.target, socket.SOCK_STREAM)
        if knocking.connect_ex((tally.target.address, tally.target.port)) not in (0, errno.EINPROGRESS):
            knocking.close()  # no route
            return
        self._open[knocking] = now
        self._selector.register(knocking, selectors.EVENT_WRITE, lambda: self._taken(tally, knocking))

    def _taken(self, tally: Tally, knocking: socket.socket) -> None:
        if knocking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
            tally.answered(time.monotonic())
        self._drop(knocking)

    def _drop(self, knocking: socket.socket) -> None:
        del self._open[knocking]
        self._selector.unregister(knocking)
        with contextlib.suppress(OSError):
            knocking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        knocking.close()

    def _seen(self, tally: Tally, offset: float, ended: float) -> ServiceSeen:
        moments = [moment + offset for moment in tally.answers]
        silent = 0.0 if tally.asked_at is None else ended - tally.asked_at  # nobody asked: nobody had to answer
        lasting = bool(tally.answers) and silent > LASTING_SECONDS
        return ServiceSeen(
            tally.target.name,
            tally.probes,
            max(0, tally.probes - len(tally.answers)),
            gaps(moments, self._pace, ended + offset),
            Held() if tally.target.datagram else _held(tally),
            lasting=lasting,
        )

    def _close(self) -> None:
        for one in (*self._open, *(kept for tally in self._tallies for kept in tally.held)):
            one.close()
        self._selector.close()


def _held(tally: Tally) -> Held:
    silent = sum(not _is_alive(one) for one in tally.held)
    return Held(tally.opened, len(tally.held) - silent, tally.reset, silent, tally.closed)


def _is_alive(kept: socket.socket) -> bool:
    """Whether the other end said something lately; the kernel asks every second."""
    try:
        information = kept.getsockopt(socket.IPPROTO_TCP, TCP_INFO, LAST_ACK_AT + 4)
    except OSError:
        return False
    return int(struct.unpack_from("=I", information, LAST_ACK_AT)[0]) <= ALIVE_MILLISECONDS


def _socket(target: Target, kind: socket.SocketKind) -> socket.socket:
    opened = socket.socket(socket.AF_INET6 if target.ipv6 else socket.AF_INET, kind)
    opened.setblocking(False)
    return opened
