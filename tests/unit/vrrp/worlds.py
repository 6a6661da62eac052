"""Machines with clocks of their own on one or two networks: routers that freeze, and groups that move together.

What `simulation` does for one network and one clock; here a machine's clock runs at its own rate, a machine that was
held up hears what piled up before its timers (as the process's loop does), packets come twice, and a machine with two
virtual routers moves both (sync groups).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf

from config.model import VrrpInstance
from lvsd.vrrp.events import (
    Announce,
    Claim,
    Event,
    Heard,
    LinkChanged,
    Release,
    Resign,
    Resume,
    Send,
    Shutdown,
    Start,
    Tell,
    Unyield,
    Wake,
    Whisper,
)
from lvsd.vrrp.groups import orders
from lvsd.vrrp.instance import step
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.packet import Advertisement, Kind
from lvsd.vrrp.state import Instance

STEPS_LIMIT = 200_000
HAIR_SECONDS = 1e-9
BACKLOG_LIMIT = 500  # what a socket's buffer holds

Fate = tuple[float, ...]
"""How late each copy of a packet is, seconds; none: it is lost."""


@dataclass
class Machine:
    """Its virtual routers, one a network; `rate` is how fast its clock runs."""

    number: int
    rate: float
    routers: list[Instance]
    alive: bool = False
    frozen: bool = False
    held: list[bool] = field(default_factory=list)
    backlog: list[tuple[int, Advertisement]] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return self.alive and not self.frozen

    def source(self, network: int) -> str:
        return f"192.0.{2 + network}.{10 + self.number}"


class Worlds:
    """`fates` says of each delivery what becomes of it, until the network is whole."""

    def __init__(
        self, configs: Sequence[Sequence[VrrpInstance]], rates: Sequence[float], fates: Iterator[Fate]
    ) -> None:
        self.now = 0.0
        self.machines = [
            Machine(number, rates[number % len(rates)], [Instance(one) for one in own], held=[False] * len(own))
            for number, own in enumerate(configs)
        ]
        self.networks = len(configs[0])
        self.fates = fates
        self.reliable = False
        self.cut: set[tuple[int, frozenset[int]]] = set()
        self.history: list[list[tuple[float, frozenset[int]]]] = [[(0.0, frozenset())] for _ in range(self.networks)]
        self._mail: list[tuple[float, int, int, int, Advertisement]] = []
        self._posted = 0

    def active(self, network: int = 0) -> list[Machine]:
        return [one for one in self.machines if one.alive and one.routers[network].role is Role.ACTIVE]

    def tell(self, machine: Machine, network: int, event: Event, local: float | None = None) -> None:
        """One event for one of a machine's routers."""
        own, effects = step(machine.routers[network], event, self._local(machine) if local is None else local)
        machine.routers[network] = own
        for effect in effects:
            match effect:
                case Send(priority):
                    self._post(machine, network, priority)
                case Whisper(kind, priority, to):
                    self._post(machine, network, priority, kind, to)
                case Claim():
                    machine.held[network] = True
                case Release():
                    machine.held[network] = False
                case Announce() | Tell():
                    pass
        self._note(network)

    def settle(self, machine: Machine) -> None:
        """As the process does after whatever has moved: the members of a group follow each other."""
        members = {network: one for network, one in enumerate(machine.routers) if one.grouped}
        for network, event in orders(members):
            self.tell(machine, network, event)

    def _local(self, machine: Machine) -> float:
        return self.now * machine.rate + 1000.0 * machine.number

    def _post(
        self, sender: Machine, network: int, priority: int, kind: Kind = Kind.ADVERTISEMENT, to: str = ""
    ) -> None:
        interval = sender.routers[network].config.advertisement_interval
        words = Advertisement(sender.source(network), priority, (), True, interval, kind)
        for other in self.machines:
            pair = frozenset((sender.number, other.number))
            if other is sender or to not in ("", other.source(network)) or (network, pair) in self.cut:
                continue
            for late in (0.0005,) if self.reliable else next(self.fates):
                self._posted += 1
                heapq.heappush(self._mail, (self.now + late, self._posted, other.number, network, words))

    def _wake_at(self, machine: Machine) -> float:
        if not machine.running:
            return inf
        local = min(one.wake_at for one in machine.routers)
        return inf if local == inf else max(self.now, (local - 1000.0 * machine.number) / machine.rate)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        for _ in range(STEPS_LIMIT):
            sleeper = min(self.machines, key=self._wake_at)
            wake_at = self._wake_at(sleeper)
            mail_at = self._mail[0][0] if self._mail else inf
            if min(wake_at, mail_at) > until:
                self.now = until
                return
            if mail_at <= wake_at:
                self.now, _, number, network, words = heapq.heappop(self._mail)
                self._deliver(self.machines[number], network, words)
            else:
                self.now = wake_at
                self._wake(sleeper)
        text = "the machines do not come to rest"
        raise AssertionError(text)

    def _deliver(self, machine: Machine, network: int, words: Advertisement) -> None:
        if machine.running:
            self.tell(machine, network, Heard(words))
            self.settle(machine)
        elif machine.alive and len(machine.backlog) < BACKLOG_LIMIT:
            machine.backlog.append((network, words))

    def _wake(self, machine: Machine) -> None:
        """A product may come out a hair short of the moment it is meant to be."""
        for network, one in enumerate(machine.routers):
            local = self._local(machine)
            if local >= one.wake_at - HAIR_SECONDS:
                self.tell(machine, network, Wake(), max(local, one.wake_at))
        self.settle(machine)

    # ---- what happens to machines

    def start(self, number: int, *, resume: bool = False) -> None:
        machine = self.machines[number]
        if machine.alive:
            return
        machine.alive, machine.frozen, machine.backlog = True, False, []
        held = list(machine.held)
        for network, one in enumerate(machine.routers):
            machine.routers[network] = Instance(one.config)
            self.tell(machine, network, LinkChanged(Link(machine.source(network), "")))
            self.tell(machine, network, Resume() if resume and held[network] else Start())
        self.settle(machine)

    def kill(self, number: int) -> None:
        """As kill -9: nothing is said, the addresses stay."""
        self.machines[number].alive = False
        self._note_all()

    def stop(self, number: int) -> None:
        machine = self.machines[number]
        self.thaw(number)
        if machine.alive:
            for network in range(self.networks):
                self.tell(machine, network, Shutdown())
            machine.alive = False
            self._note_all()

    def freeze(self, number: int) -> None:
        """As SIGSTOP: the addresses stay, packets pile up."""
        self.machines[number].frozen = True

    def thaw(self, number: int) -> None:
        """What has come is looked at before what has become due."""
        machine = self.machines[number]
        machine.frozen = False
        backlog, machine.backlog = machine.backlog, []
        for network, words in backlog:
            if machine.alive:
                self._deliver(machine, network, words)

    def fail_over(self, number: int, *, back: bool = False) -> None:
        machine = self.machines[number]
        if machine.running:
            for network in range(self.networks):
                self.tell(machine, network, Unyield() if back else Resign(Cause.FAILOVER))
            self.settle(machine)

    def split(self, network: int, one: int, other: int) -> None:
        """Two machines no longer hear each other there."""
        self.cut.add((network % self.networks, frozenset((one, other))))

    def heal(self) -> None:
        """All networks are whole and quiet from now on, and nobody is held up."""
        self.cut.clear()
        self.reliable = True
        for machine in self.machines:
            self.thaw(machine.number)

    def _note_all(self) -> None:
        for network in range(self.networks):
            self._note(network)

    def _note(self, network: int) -> None:
        active = frozenset(one.number for one in self.active(network))
        if active != self.history[network][-1][1]:
            self.history[network].append((self.now, active))
