"""Watches services from the balancer itself while their address moves: SYNs and datagrams, and who announces what.

A balancer cannot be an ordinary client of its own virtual address: with direct routing the real server's answer comes
from an address that is its own, which its kernel throws away. So probes leave as lvsd.ctl.ways has it, and answers are
read off the wire before the kernel judges them. Each SYN that is answered is answered with RST, so that real servers
never have more than a few half-open connections.
"""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Self

from lvsd.ctl.taps import ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, NEIGHBOUR_ADVERTISEMENTS, answers_to, tap
from lvsd.ctl.ways import Way
from lvsd.drill.packets import PACKET_LIMIT_BYTES, RST, SYN, announced, answer_of, datagram, segment
from lvsd.drill.scope import Target
from netlink.errors import NetlinkError
from netlink.interfaces import AddressAdded, AddressRemoved
from netlink.route_socket import RouteMonitor

PORTS: Final = range(10000, 30000)  # below those the kernel gives to connections
PACE_SECONDS: Final = 0.01
PACE_A_TARGET_SECONDS: Final = 0.002
READS_A_WAKE: Final = 64
MEMORY_LIMIT: Final = 200_000  # probes remembered of a service: more than an hour of them


class Watcher:
    """Probes in a thread of its own, until the `with` block ends. Needs CAP_NET_RAW. Raises OSError."""

    def __init__(
        self, sources: Mapping[bool, str], targets: Sequence[Target], addresses: Sequence[str], on: Mapping[bool, str]
    ) -> None:
        """From our address of each family ("is IPv6"), `on` an interface of ours; announcements of `addresses` count.

        All addresses are here when it begins.
        """
        self.targets = tuple(targets)
        self.pace = max(PACE_SECONDS, PACE_A_TARGET_SECONDS * len(self.targets))
        self.sent: dict[Target, list[float]] = {target: [] for target in self.targets}
        self.answers: dict[Target, list[float]] = {target: [] for target in self.targets}
        self.announcements: list[tuple[float, str, str]] = []  # moment, address, MAC
        self._sources = sources
        self._addresses = frozenset(addresses)
        self._open: dict[int, tuple[int, Target]] = {}  # by port: sequence and target
        self._next = random.SystemRandom().randrange(1 << 32)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        with contextlib.ExitStack() as stack:
            families = {target.ipv6 for target in self.targets}
            self._ways = {ipv6: stack.enter_context(contextlib.closing(Way(on[ipv6], ipv6=ipv6))) for ipv6 in families}
            self._monitor = stack.enter_context(contextlib.closing(_monitor()))
            self._taps = {stack.enter_context(one): callback for one, callback in self._listeners(families)}
            self._ports = {target: self._bound(target, stack) for target in self.targets if target.datagram}
            self._asked = {port: target for target, port in self._ports.items()}
            self._resources = stack.pop_all()

    def _listeners(self, families: Iterable[bool]) -> Iterator[tuple[socket.socket, Callable[[socket.socket], None]]]:
        """For answers to what we ask, and for news of the addresses."""
        for ipv6 in families:
            answers = answers_to(self._sources[ipv6], PACKET_LIMIT_BYTES)
            yield tap(ETH_P_IPV6 if ipv6 else ETH_P_IP, answers), self._hear
        for ipv6 in {":" in address for address in self._addresses}:
            yield tap(ETH_P_IPV6, NEIGHBOUR_ADVERTISEMENTS) if ipv6 else tap(ETH_P_ARP), self._note

    def _bound(self, target: Target, stack: contextlib.ExitStack) -> int:
        """A port of ours that is taken, so that the kernel tells nobody that it is closed."""
        family = socket.AF_INET6 if target.ipv6 else socket.AF_INET
        holder = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        holder.bind((self._sources[target.ipv6], 0))
        return int(holder.getsockname()[1])

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join()
        self._resources.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for one, callback in self._taps.items():
                selector.register(one, selectors.EVENT_READ, callback)
            selector.register(self._monitor, selectors.EVENT_READ, self._follow)
            due = time.monotonic()
            while not self._ended.is_set():
                now = time.monotonic()
                if now >= due:
                    due = max(due + self.pace, now)
                    self._probe(now)
                for key, _ in selector.select(max(0.0, due - time.monotonic())):
                    key.data(key.fileobj)

    def _probe(self, now: float) -> None:
        for target in self.targets:
            if len(self.sent[target]) >= MEMORY_LIMIT:
                continue
            self.sent[target].append(now)
            if target.datagram:
                self._ask(target, self._ports[target])
            else:
                self._knock(target)

    def _knock(self, target: Target) -> None:
        self._next = (self._next + 1) & 0xFFFFFFFF
        port = PORTS[self._next % len(PORTS)]
        self._open[port] = (self._next, target)
        self._send(target, port, self._next, SYN)

    def _ask(self, target: Target, port: int) -> None:
        packet = datagram(self._sources[target.ipv6], (target.address, target.port), port, target.datagram)
        self._ways[target.ipv6].send(target.address, packet)

    def _send(self, target: Target, port: int, sequence: int, flags: int) -> None:
        packet = segment(self._sources[target.ipv6], (target.address, target.port), port, sequence, flags)
        self._ways[target.ipv6].send(target.address, packet)

    def _hear(self, heard: socket.socket) -> None:
        for _ in range(READS_A_WAKE):
            try:
                packet, (_, _, kind, *_rest) = heard.recvfrom(PACKET_LIMIT_BYTES)
            except OSError:
                return
            answer = answer_of(packet) if kind != socket.PACKET_OUTGOING else None
            if answer is None:
                continue
            if answer.port in self._asked:
                self.answers[self._asked[answer.port]].append(time.monotonic())
            elif answer.port in self._open:
                self._opened(answer.port, answer.acknowledged, taken=answer.taken)

    def _opened(self, port: int, acknowledged: int, *, taken: bool) -> None:
        sequence, target = self._open[port]
        if acknowledged != (sequence + 1) & 0xFFFFFFFF:
            return
        del self._open[port]
        if taken:
            self.answers[target].append(time.monotonic())
            self._send(target, port, sequence + 1, RST)

    def _note(self, news: socket.socket) -> None:
        for _ in range(READS_A_WAKE):
            try:
                packet, (_, _, kind, *_rest) = news.recvfrom(PACKET_LIMIT_BYTES)
            except OSError:
                return
            heard = announced(packet)
            if heard is None or heard[0] not in self._addresses or kind == socket.PACKET_OUTGOING:
                continue
            self.announcements.append((time.monotonic(), *heard))
            for way in self._ways.values():
                way.announced(*heard)

    def _follow(self, _: object) -> None:
        """Our own addresses come and go."""
        with contextlib.suppress(NetlinkError):
            for event in self._monitor.read():
                if not isinstance(event, AddressAdded | AddressRemoved) or event.address.address not in self._addresses:
                    continue
                for way in self._ways.values():
                    moved = way.came if isinstance(event, AddressAdded) else way.went
                    moved(event.address.address)


def _monitor() -> RouteMonitor:
    try:
        return RouteMonitor()
    except NetlinkError as error:
        raise OSError(error.errno, str(error)) from error
