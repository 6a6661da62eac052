"""A client that asks a service through the virtual address again and again, and knows when it was not served."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tests.lab.world import LiveHost

ANSWER_SECONDS = 0.25
PATIENT_SECONDS = 10.0
"""Of a client that must not fail at all, on a machine that may stand still for a while. A segment that is lost is a
failure all the same, though the kernel sends it again: it tells."""

TCP_INFO, TOTAL_RETRANS_AT = 11, 100  # linux/tcp.h: struct tcp_info, tcpi_total_retrans

ANSWER_LIMIT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Poll:
    """One question: when it began and ended (seconds of CLOCK_MONOTONIC), and whether it was answered."""

    began: float
    ended: float
    answered: bool


class Prober:
    """Polls in a thread of its own, on a host; `ask` opens, converses and closes, True when it was answered."""

    def __init__(self, host: LiveHost, ask: Callable[[], bool], every_seconds: float = 0.02) -> None:
        self._host = host
        self._ask = ask
        self._every = every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.polls: list[Poll] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            answered = self._host.call(self._ask)
            self.polls.append(Poll(began, time.monotonic(), answered))
            self._ended.wait(self._every)

    def outage_seconds(self) -> float:
        """The longest time between the end of a good answer and the end of the next good one, less a poll's pace."""
        good = [poll.ended for poll in self.polls if poll.answered]
        gaps = [after - before for before, after in itertools.pairwise(good)]
        return max(gaps, default=float("inf"))

    def at_least_seconds(self) -> float:
        """The longest time over which every question that was begun stayed unanswered.

        One question at a time is asked, and one whose first segment is lost waits out its time: an outage of a moment
        looks like `ANSWER_SECONDS` to `outage_seconds`, and like nothing here. What it really was lies between the two.
        """
        longest, first = 0.0, None
        for poll in self.polls:
            first = None if poll.answered else first or poll.began
            longest = max(longest, poll.began - (first or poll.began))
        return longest

    def bears_out(self, milliseconds: float, tolerance_ms: float) -> bool:
        """Whether an outage that somebody else measured is one that this client can have seen."""
        least, most = self.at_least_seconds() * 1000, self.outage_seconds() * 1000
        return least - tolerance_ms < milliseconds < most + tolerance_ms

    def failures(self) -> int:
        """Questions that were not answered."""
        return sum(not poll.answered for poll in self.polls)


def http(
    address: str,
    port: int = 80,
    path: str = "/ldirectord.txt",
    word: bytes = b"ldirectord",
    seconds: float = ANSWER_SECONDS,
) -> Callable[[], bool]:
    """An HTTP question over a new connection; `seconds` may pass until it is taken, and until it is answered."""

    def ask() -> bool:
        try:
            with socket.create_connection((address, port), seconds) as connection:
                connection.settimeout(seconds)
                connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
                answer = b""
                while len(answer) < ANSWER_LIMIT_BYTES and (chunk := connection.recv(ANSWER_LIMIT_BYTES)):
                    answer += chunk
                return word in answer and not _sent_again(connection)
        except OSError:
            return False

    return ask


def _sent_again(connection: socket.socket) -> bool:
    """Whether a segment of ours, or the acknowledgement of it, was lost."""
    told = connection.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TOTAL_RETRANS_AT + 4)
    return told[TOTAL_RETRANS_AT:] != bytes(4)


def banner(address: str, port: int) -> Callable[[], bool]:
    """A connection that is greeted (SMTP, IMAP, POP, MySQL), or with TLS merely taken."""

    def ask() -> bool:
        try:
            with socket.create_connection((address, port), ANSWER_SECONDS):
                return True
        except OSError:
            return False

    return ask
