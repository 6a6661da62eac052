"""Watches services from the balancer itself while their address moves: half-open TCP probes, and gratuitous ARP.

A balancer cannot be an ordinary client of its own virtual address: with direct routing the real server's answer comes
from an address that is its own, which its kernel throws away, and a local connection is scheduled by its own IPVS,
wherever the address is. So SYNs go out by a raw socket with IP_NODEFRAG, which IPVS lets pass
(net/netfilter/ipvs/ip_vs_core.c, ip_vs_in_hook), to whoever holds the address; answers are read off the wire. Each is
answered with RST, so that real servers never have more than a few half-open connections.
"""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from typing import Final, Self

from lvsd.ctl.taps import ETH_P_ARP, ETH_P_IP, tap, tcp_to
from lvsd.drill.packets import PACKET_LIMIT_BYTES, RST, SYN, announced, answer_of, segment
from lvsd.drill.scope import Target

IP_NODEFRAG: Final = 22
PORTS: Final = range(10000, 30000)  # below those the kernel gives to connections
PACE_SECONDS: Final = 0.01
PACE_A_TARGET_SECONDS: Final = 0.002
READS_A_WAKE: Final = 64
MEMORY_LIMIT: Final = 200_000  # probes remembered of a service: more than an hour of them


class Watcher:
    """Probes in a thread of its own, until the `with` block ends. Needs CAP_NET_RAW. Raises OSError."""

    def __init__(self, source: str, targets: Sequence[Target], addresses: Sequence[str]) -> None:
        """From the address `source` to `targets`; gratuitous ARP is noted of `addresses`."""
        self.targets = tuple(targets)
        self.pace = max(PACE_SECONDS, PACE_A_TARGET_SECONDS * len(self.targets))
        self.sent: dict[Target, list[float]] = {target: [] for target in self.targets}
        self.answers: dict[Target, list[float]] = {target: [] for target in self.targets}
        self.announcements: list[tuple[float, str, str]] = []  # moment, address, MAC
        self._source = source
        self._addresses = frozenset(addresses)
        self._open: dict[int, tuple[int, Target]] = {}  # by port: sequence and target
        self._next = random.SystemRandom().randrange(1 << 32)
        self._ended = threading.Event()
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._raw.setsockopt(socket.IPPROTO_IP, IP_NODEFRAG, 1)
        self._raw.setblocking(False)
        self._answers = tap(ETH_P_IP, tcp_to(source, PACKET_LIMIT_BYTES))
        self._arps = tap(ETH_P_ARP)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join()
        for one in (self._raw, self._answers, self._arps):
            one.close()

    def _run(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._answers, selectors.EVENT_READ, self._hear)
        selector.register(self._arps, selectors.EVENT_READ, self._note)
        due = time.monotonic()
        while not self._ended.is_set():
            now = time.monotonic()
            if now >= due:
                due = max(due + self.pace, now)
                self._probe(now)
            for key, _ in selector.select(max(0.0, due - time.monotonic())):
                key.data()
        selector.close()

    def _probe(self, now: float) -> None:
        for target in self.targets:
            if len(self.sent[target]) >= MEMORY_LIMIT:
                continue
            self._next = (self._next + 1) & 0xFFFFFFFF
            port = PORTS[self._next % len(PORTS)]
            self._open[port] = (self._next, target)
            self.sent[target].append(now)
            self._send(target, port, self._next, SYN)

    def _send(self, target: Target, port: int, sequence: int, flags: int) -> None:
        packet = segment(self._source, target, port, sequence, flags)
        with contextlib.suppress(OSError):  # no route, no room: a probe that is not answered, which is what counts
            self._raw.sendto(packet, (target[0], 0))

    def _hear(self) -> None:
        for _ in range(READS_A_WAKE):
            try:
                answer = answer_of(self._answers.recv(PACKET_LIMIT_BYTES))
            except OSError:
                return
            if answer is None or answer.port not in self._open:
                continue
            sequence, target = self._open[answer.port]
            if answer.acknowledged != (sequence + 1) & 0xFFFFFFFF:
                continue
            del self._open[answer.port]
            if answer.taken:
                self.answers[target].append(time.monotonic())
                self._send(target, answer.port, sequence + 1, RST)

    def _note(self) -> None:
        for _ in range(READS_A_WAKE):
            try:
                packet, (_, _, kind, *_rest) = self._arps.recvfrom(PACKET_LIMIT_BYTES)
            except OSError:
                return
            heard = announced(packet)
            if heard is not None and heard[0] in self._addresses and kind != socket.PACKET_OUTGOING:
                self.announcements.append((time.monotonic(), *heard))
