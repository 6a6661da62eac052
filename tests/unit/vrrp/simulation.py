"""Several routers and the network between them, on a clock that only moves when it is told to."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from config.model import VirtualAddress, VrrpInstance
from lvsd.vrrp.events import (
    AddressLost,
    Announce,
    Claim,
    Effect,
    Event,
    Heard,
    LinkChanged,
    Reconfigured,
    Release,
    Resume,
    Send,
    Shutdown,
    Start,
    Tell,
    Wake,
    Whisper,
)
from lvsd.vrrp.instance import step
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Role
from lvsd.vrrp.packet import Advertisement, Kind
from lvsd.vrrp.state import Instance

STEPS_LIMIT = 100_000  # a cluster that cannot come to rest ends here


@dataclass
class Router:
    """One router; `alive` is its process, `wired` its cable."""

    number: int
    instance: Instance
    alive: bool = False
    wired: bool = True
    held: set[VirtualAddress] = field(default_factory=set)

    @property
    def source(self) -> str:
        return f"192.0.2.{10 + self.number}"

    @property
    def link(self) -> Link:
        return Link(self.source, "") if self.wired else Link("", "link down")

    @property
    def active(self) -> bool:
        return self.alive and self.instance.role is Role.ACTIVE


class Cluster:
    """`fates` says of each delivery how late it is (seconds), or None: lost."""

    def __init__(self, configs: list[VrrpInstance], fates: Iterator[float | None]) -> None:
        self.now = 0.0
        self.routers = [Router(number, Instance(config)) for number, config in enumerate(configs)]
        self.fates = fates
        self.reliable = False
        self.cut: set[frozenset[int]] = set()
        self.history: list[tuple[float, frozenset[int]]] = [(0.0, frozenset())]
        self.watch: Callable[[float, Router, Event, tuple[Effect, ...]], None] = lambda *_: None
        self._mail: list[tuple[float, int, int, Advertisement]] = []
        self._posted = 0

    def tell(self, number: int, event: Event) -> None:
        """One event for one router, and all that it does about it."""
        router = self.routers[number]
        router.instance, effects = step(router.instance, event, self.now)
        for effect in effects:
            self._do(router, effect)
        self.watch(self.now, router, event, effects)
        self._note()

    def _do(self, router: Router, effect: Effect) -> None:
        match effect:
            case Send(priority):
                self._post(router, priority)
            case Whisper(kind, priority, to):
                self._post(router, priority, kind, to)
            case Claim(addresses):
                router.held |= set(addresses)
            case Release(addresses):
                router.held -= set(addresses)
            case Announce() | Tell():
                pass

    def _post(self, sender: Router, priority: int, kind: Kind = Kind.ADVERTISEMENT, to: str = "") -> None:
        listed = tuple(address.address for address in sender.instance.config.addresses)
        for other in self.routers:
            if other is sender or not sender.wired or to not in ("", other.source):
                continue
            late = 0.001 if self.reliable else next(self.fates)
            if late is not None and frozenset((sender.number, other.number)) not in self.cut:
                self._posted += 1
                interval = sender.instance.config.advertisement_interval
                advertisement = Advertisement(sender.source, priority, listed, True, interval, kind)
                heapq.heappush(self._mail, (self.now + late, self._posted, other.number, advertisement))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        for _ in range(STEPS_LIMIT):
            sleeper = min(
                (router for router in self.routers if router.alive), key=lambda one: one.instance.wake_at, default=None
            )
            wake_at = sleeper.instance.wake_at if sleeper is not None else until + 1
            mail_at = self._mail[0][0] if self._mail else until + 1
            if min(wake_at, mail_at) > until:
                self.now = until
                return
            if mail_at <= wake_at:
                self.now, _, number, advertisement = heapq.heappop(self._mail)
                if self.routers[number].alive and self.routers[number].wired:
                    self.tell(number, Heard(advertisement))
            elif sleeper is not None:
                self.now = wake_at
                self.tell(sleeper.number, Wake())
        text = "the cluster does not come to rest"
        raise AssertionError(text)

    def start(self, number: int, *, resume: bool = False) -> None:
        """A process begins; with `resume` as the successor of one that was killed."""
        router = self.routers[number]
        if router.alive:
            return
        full = set(router.instance.config.addresses) <= router.held
        router.instance = Instance(router.instance.config)
        router.alive = True
        self.tell(number, LinkChanged(router.link))
        self.tell(number, Resume() if resume and full else Start())

    def kill(self, number: int) -> None:
        """As kill -9: nothing is said, the addresses stay."""
        self.routers[number].alive = False
        self._note()

    def stop(self, number: int) -> None:
        """In good order."""
        if self.routers[number].alive:
            self.tell(number, Shutdown())
            self.routers[number].alive = False
            self._note()

    def wire(self, number: int, *, up: bool) -> None:
        """Plug or unplug the cable."""
        router = self.routers[number]
        if router.wired != up:
            router.wired = up
            if router.alive:
                self.tell(number, LinkChanged(router.link))

    def rob(self, number: int) -> None:
        """Somebody deletes a router's addresses."""
        router = self.routers[number]
        if router.alive and router.held:
            lost = tuple(sorted(router.held, key=lambda address: address.address))
            router.held.clear()
            self.tell(number, AddressLost(lost))

    def rank(self, number: int, priority: int) -> None:
        """A reload changes the priority."""
        router = self.routers[number]
        config = msgspec.structs.replace(router.instance.config, priority=priority)
        if router.alive:
            self.tell(number, Reconfigured(config))
        else:
            router.instance = Instance(config)

    def split(self, one: int, other: int) -> None:
        """Two routers no longer hear each other."""
        self.cut.add(frozenset((one, other)))

    def heal(self) -> None:
        """The network is whole and quiet from now on."""
        self.cut.clear()
        self.reliable = True
        for router in self.routers:
            self.wire(router.number, up=True)

    def _note(self) -> None:
        active = frozenset(one.number for one in self.routers if one.active)
        if active != self.history[-1][1]:
            self.history.append((self.now, active))
