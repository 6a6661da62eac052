"""Small configurations and a director that is driven by hand, shared by the tests of the core."""

from __future__ import annotations

from msgspec.structs import replace

from checkers.core.messages import PROTOCOL, Hello, State, Verdict, Verdicts
from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy
from config.checks import Check, FollowCheck, TcpCheck, Timing
from config.model import Config, Daemon, RealServer, VirtualEndpoint, VirtualService, VrrpInstance
from config.words import Forwarding, OnFailure, Protocol
from lvsd.core.director import step
from lvsd.core.effects import Apply, Effect, ReadTable, RunCommand, SendMail, Tell, Yield
from lvsd.core.events import (
    Event,
    PlanApplied,
    Resumed,
    Started,
    TableRead,
    TableUnreadable,
    Ticked,
    VerdictsHeard,
    WorkerCame,
)
from lvsd.core.identity import check_id, service_key
from lvsd.core.reconcile import applied
from lvsd.core.state import Director
from netlink.errors import Refusal
from netlink.operations import Operation
from netlink.table import Destination, DestinationKey, Entry, Service, ServiceKey, Table

VIP = "1.1.1.12"
CONFINED = Hello(42, 65534, "0000000000000000", no_new_privs=True, protocol=PROTOCOL)


def real(address: str, weight: int = 1, port: int = 80, check: Check | None = None) -> RealServer:
    return RealServer(address, port, weight, Forwarding.DIRECT, check or Check(TcpCheck(), Timing()))


def virtual(
    *reals: RealServer,
    port: int = 80,
    scheduler: str = "wrr",
    flags: int = 0,
    on_failure: OnFailure = OnFailure.REMOVE,
    name: str = "http",
    fallback: tuple[RealServer, ...] = (),
) -> VirtualService:
    endpoint = VirtualEndpoint(Protocol.TCP, VIP, port)
    return VirtualService(name, endpoint, scheduler, reals, flags, None, on_failure, fallback)


def config(*services: VirtualService, vrrp: tuple[VrrpInstance, ...] = (), clear_table_on_stop: bool = False) -> Config:
    return Config(services, vrrp, Daemon(clear_table_on_stop=clear_table_on_stop))


def table(*services: tuple[VirtualService, dict[str, int]]) -> Table:
    """A kernel's table: each service with address -> weight of its destinations."""
    entries: dict[ServiceKey, Entry] = {}
    for service, weights in services:
        key = service_key(service.virtual)
        destinations = {
            DestinationKey(address, 80): Destination(DestinationKey(address, 80), 3, weight)
            for address, weight in weights.items()
        }
        entries[key] = Entry(Service(key, service.scheduler, service.flags), destinations)
    return entries


class Bench:
    """A director with a kernel of a dict: effects are carried out at once, as the runtime does."""

    def __init__(
        self,
        configuration: Config,
        kernel: Table | None = None,
        owned: frozenset[ServiceKey] = frozenset(),
        *,
        restarted: bool = False,
    ) -> None:
        self.now = 100.0
        self.kernel: Table = dict(kernel or {})
        self.director = Director()
        self.effects: list[Effect] = []
        self.refuse: dict[Operation, Refusal] = {}
        begun = self.feed(Started(configuration, owned, dict(self.kernel), restarted=restarted))
        self.greet()
        self.effects = begun

    def feed(self, event: Event) -> list[Effect]:
        """The effects of this event and of all that follows from it."""
        seen: list[Effect] = []
        waiting = [*self._sign_of_life(event), event]
        while waiting:
            self.director, effects = step(self.director, waiting.pop(0), self.now)
            seen.extend(effects)
            for effect in effects:
                waiting.extend(self._carry_out(effect))
        self.effects = seen
        return seen

    def _sign_of_life(self, event: Event) -> list[Event]:
        """A worker says something every other second."""
        worker = self.director.workers.known.get(1)
        alive = isinstance(event, Ticked) and worker is not None and worker.connected
        return [VerdictsHeard(Verdicts(0, ()))] if alive else []

    def _carry_out(self, effect: Effect) -> list[Event]:
        if isinstance(effect, ReadTable):
            return [TableRead(dict(self.kernel))]
        if isinstance(effect, Apply):
            refusals = tuple(self.refuse[one] for one in effect.operations if one in self.refuse)
            accepted = tuple(one for one in effect.operations if one not in self.refuse)
            self.kernel = applied(self.kernel, accepted)
            return [PlanApplied(effect.operations, refusals)]
        if isinstance(effect, Yield):
            return [Resumed()]
        return []

    def hear(self, states: dict[str, State], outcome: Outcome | None = None) -> list[Effect]:
        """A worker's report: address -> state, for all services that have it."""
        heard = tuple(
            verdict(check_id(service, one), states[one.address], self.now, outcome)
            for service in self.director.config.services
            for one in service.real_servers
            if one.address in states and not isinstance(one.check.kind, FollowCheck)
        )
        return self.feed(VerdictsHeard(Verdicts(self.director.generation, heard)))

    def hear_check(
        self, address: str, number: int, state: State, outcome: Outcome | None = None, weight: int | None = None
    ) -> list[Effect]:
        """A worker's report on one check of a real server, in all services that have it."""
        heard = tuple(
            replace(verdict(check_id(service, one, number), state, self.now, outcome), weight=weight)
            for service in self.director.config.services
            for one in service.real_servers
            if one.address == address
        )
        return self.feed(VerdictsHeard(Verdicts(self.director.generation, heard)))

    def restarted(self) -> Bench:
        """A successor after a crash: it finds the kernel's table and knows nothing else."""
        return Bench(self.director.config, self.kernel, self.director.owned, restarted=True)

    def feed_unreadable(self, error: str) -> list[Effect]:
        return self.feed(TableUnreadable(error))

    def greet(self) -> list[Effect]:
        return self.feed(WorkerCame(CONFINED))

    def weights(self, service: VirtualService) -> dict[str, int]:
        entry = self.kernel[service_key(service.virtual)]
        return {key.address: destination.weight for key, destination in entry.destinations.items()}

    def told(self) -> list[str]:
        return [effect.event for effect in self.effects if isinstance(effect, Tell)]

    def commands(self) -> list[str]:
        """The last event's commands: what is run, and for which state."""
        return [
            f"{' '.join(one.argv)} {one.environment['LVSD_EVENT']}"
            for one in self.effects
            if isinstance(one, RunCommand)
        ]

    def mails(self) -> list[str]:
        """The last event's mails, by subject."""
        return [effect.subject for effect in self.effects if isinstance(effect, SendMail)]

    def operations(self) -> list[Operation]:
        return [one for effect in self.effects if isinstance(effect, Apply) for one in effect.operations]


def verdict(identity: str, state: State, now: float, outcome: Outcome | None = None) -> Verdict:
    found = outcome or (Healthy() if state is State.UP else Unhealthy(Reason.REFUSED, "Connection refused"))
    return Verdict(identity, state, now, found, now, 0.002, 0, 1, 0)
