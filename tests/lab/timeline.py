"""Two balancers with the same file, watched: what each one's IPVS table held, one change after another.

And the farm behind them: three web servers with certificates, of which the third is not started yet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from netlink.ipvs_socket import IpvsSocket
from netlink.table import Destination, ServiceKey, Table
from tests.lab.balancer import Balancer
from tests.lab.daemons import certificates
from tests.lab.daemons.web import Nginx
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.waiting import WaitError, wait_until
from tests.lab.world import CHECKOUT, Daemon, LiveHost, World

VIP = "192.0.2.100"
REALS = {"rs1": "192.0.2.11", "rs2": "192.0.2.12", "rs3": "192.0.2.13"}
SORRY = "192.0.2.50"
STEP_SECONDS = 60.0
FARM = Topology(
    "side-by-side",
    (Network("public", "192.0.2.0/24"),),
    tuple(
        Host(name, (Attachment("public", (f"{address}/24",)),))
        for name, address in {"lb1": "192.0.2.1", "lb2": "192.0.2.2", **REALS}.items()
    ),
)
SAMPLE_SECONDS = 0.05
REST_SECONDS = 2.5  # longer than the interval of any check here: what stands that long has settled
LAG_SECONDS = 15.0  # and yet may not have: who asks one server after the other is long with those that hang
MIGRATING = Path(CHECKOUT, "docs/migrating.md")

Weight = int | None
"""A destination's weight; None while it is not in the table."""
Spot = tuple[str, str]
"""A virtual service and one of its destinations, as text."""
Until = Callable[[Mapping[Spot, Weight]], bool]
"""Whether a table is where a step is to end."""


def service_text(key: ServiceKey) -> str:
    """`tcp 192.0.2.100:80` or `fwm 7`."""
    names = {6: "tcp", 17: "udp", 132: "sctp"}
    return f"fwm {key.fwmark}" if key.fwmark else f"{names[key.protocol]} {key.address}:{key.port}"


def weights(table: Table) -> dict[Spot, Weight]:
    """Every destination's weight."""
    return {
        (service_text(key), f"{one.address}:{one.port}"): destination.weight
        for key, entry in table.items()
        for one, destination in entry.destinations.items()
    }


def settings(table: Table) -> dict[str, object]:
    """Everything else: scheduler, flags, persistence of services; method and thresholds of destinations."""
    found: dict[str, object] = {}
    for key, entry in table.items():
        one = entry.service
        found[service_text(key)] = (one.scheduler, one.flags, one.timeout, one.netmask, one.persistence_engine)
        for destination in entry.destinations.values():
            found[f"{service_text(key)} > {destination.key.address}:{destination.key.port}"] = _kind(destination)
    return found


def _kind(one: Destination) -> tuple[int, ...]:
    return (one.forwarding, one.upper_threshold, one.lower_threshold, one.tunnel_type, one.tunnel_port)


class Recorder:
    """Reads a host's table again and again, in a thread, and keeps each destination's weights in their order."""

    def __init__(self, host: LiveHost) -> None:
        self.host = host
        self._kernel = host.call(IpvsSocket)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._paths: dict[Spot, list[Weight]] = {}
        self._now: dict[Spot, Weight] = {}
        self._changed_at = time.monotonic()
        self.table: Table = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)
        self._kernel.close()

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._take(self._kernel.read_table())

    def _take(self, table: Table) -> None:
        now = weights(table)
        with self._lock:
            if now != self._now or settings(table) != settings(self.table):
                self._changed_at = time.monotonic()
            for spot in {**self._now, **now}:
                path = self._paths.setdefault(spot, [self._now.get(spot)])
                if path[-1] != now.get(spot):
                    path.append(now.get(spot))
            self._now, self.table = now, table

    @property
    def rested(self) -> bool:
        """Whether nothing has changed for a while."""
        return time.monotonic() - self._changed_at > REST_SECONDS

    def restless(self) -> None:
        """Something is about to happen: rest begins anew."""
        self._changed_at = time.monotonic()

    @property
    def now(self) -> Mapping[Spot, Weight]:
        """The weights as last read."""
        return dict(self._now)

    def told(self) -> dict[Spot, tuple[Weight, ...]]:
        """The weights each destination had since this chapter began, first the one it began with."""
        with self._lock:
            told = {spot: tuple(path) for spot, path in self._paths.items()}
        return {spot: path for spot, path in told.items() if path != (None,)}

    def turn(self) -> None:
        """A new chapter begins."""
        with self._lock:
            self._paths = {spot: [weight] for spot, weight in self._now.items()}


@dataclass(frozen=True, slots=True)
class Difference:
    """One destination in one step: what it went through here and there."""

    step: str
    spot: Spot
    ours: tuple[Weight, ...]
    theirs: tuple[Weight, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A sentence of docs/migrating.md, and which differences it is about."""

    sentence: str
    covers: Callable[[Difference], bool]

    def __post_init__(self) -> None:
        """Refuse a sentence that is not there (any more). Raises AssertionError."""
        page = " ".join(MIGRATING.read_text().split())
        assert self.sentence in page, f"docs/migrating.md does not say: {self.sentence}"


class SideBySide:
    """Our table and theirs, step by step; what differs must be explained."""

    def __init__(self, ours: Recorder, theirs: Recorder, explanations: Sequence[Explanation]) -> None:
        self.ours, self.theirs = ours, theirs
        self.explanations = explanations
        self.used: set[str] = set()

    def step(self, name: str, seconds: float, until: Callable[[Mapping[Spot, Weight]], bool]) -> list[Difference]:
        """Wait until both have settled where `until` says, and answer with what nobody explains."""
        both = self.ours, self.theirs
        for one in both:
            one.restless()

        def settled() -> bool:
            return all(one.rested for one in both) and all(until(one.now) for one in both)

        try:
            wait_until(settled, seconds, f"both settle after {name!r}", every_seconds=0.2)
        except WaitError as error:
            raise AssertionError(f"{error}\nours:   {self.ours.now}\ntheirs: {self.theirs.now}") from error
        with suppress(WaitError):
            wait_until(lambda: settled() and not self._unexplained(name), LAG_SECONDS, "the other has come as far")
        for difference in self._differences(name):
            self.used |= set(self._fitting(difference))
        found = self._unexplained(name)
        for one in both:
            one.turn()
        return found

    def _unexplained(self, name: str) -> list[Difference]:
        return [one for one in self._differences(name) if not self._fitting(one)]

    def _differences(self, name: str) -> Iterable[Difference]:
        ours, theirs = self.ours.told(), self.theirs.told()
        for spot in sorted({*ours, *theirs}):
            mine, other = ours.get(spot, (None,)), theirs.get(spot, (None,))
            if mine != other:
                yield Difference(name, spot, mine, other)

    def _fitting(self, difference: Difference) -> list[str]:
        return [one.sentence for one in self.explanations if one.covers(difference)]


@contextmanager
def farm() -> Iterator[World]:
    """The world, with two of its web servers running."""
    with World(FARM) as running:
        certificates.lay_authority(running)
        for name in REALS:
            certificates.lay_certificate(running[name])
        for name in ("rs1", "rs2"):
            running[name].start(Nginx())
        yield running


@contextmanager
def both(world: World, ours: Balancer, theirs: Daemon, explanations: Sequence[Explanation]) -> Iterator[SideBySide]:
    """Ours on lb1 and theirs on lb2, both recorded; both have to clear what is theirs at the end."""
    lb1, lb2 = world["lb1"], world["lb2"]
    with Recorder(lb1) as mine, Recorder(lb2) as other:
        lb2.start(theirs)
        ours.start()
        yield SideBySide(mine, other, explanations)
        assert ours.stop() == 0
        lb2.stop(theirs)
        wait_until(lambda: mine.now == other.now == {}, 10, "both have cleared what is theirs")


def served(now: Mapping[Spot, Weight], service: str) -> set[str]:
    """The addresses that get clients of a service."""
    return {spot[1].partition(":")[0] for spot, weight in now.items() if spot[0] == service and weight}


def of(service: str, *names: str) -> Until:
    """These serve, and no others."""
    return lambda now: served(now, service) == {REALS.get(name, name) for name in names}


def web_is(*names: str) -> Until:
    """As `of`, for port 80."""
    return of(f"tcp {VIP}:80", *names)


def by_hand(difference: Difference) -> bool:
    """Ours is back at 10, and may have been at 77 for so short a time that nobody saw it."""
    mended = difference.ours in ((10,), (10, 77, 10))
    return difference.step == "a weight set by hand" and mended and difference.theirs == (10, 77)


def nothing_unexplained(found: list[Difference]) -> None:
    """Raises AssertionError, with each difference in a line."""
    assert not found, "\n".join(f"{one.step}: {one.spot}: ours {one.ours}, theirs {one.theirs}" for one in found)
