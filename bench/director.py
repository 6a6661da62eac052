"""A director and a kernel with a farm of any size, without processes: how long each step holds the loop up."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import msgspec
from msgspec.structs import replace

from checkers.core.messages import Hello, State, Verdict, Verdicts, assigning
from checkers.core.outcome import Healthy, Reason, Unhealthy
from config.checks import Check, TcpCheck, Timing
from config.model import Config, Mail, RealServer, VirtualEndpoint, VirtualService
from config.words import Forwarding, OnFailure, Protocol
from lvsd.control.messages import encoded, frame_of_rows
from lvsd.core import groundwork, views
from lvsd.core.director import step
from lvsd.core.effects import Apply, AssignChecks, Yield
from lvsd.core.events import (
    ConfigChanged,
    Event,
    MaintenanceSeen,
    PlanApplied,
    Resumed,
    Started,
    TableRead,
    Ticked,
    VerdictsHeard,
    WorkerCame,
)
from lvsd.core.groundwork import Groundwork
from lvsd.core.identity import check_id
from lvsd.core.slices import SLICE_REAL_SERVERS
from lvsd.core.state import Director
from lvsd.runtime.handing import STEPS_A_TURN
from lvsd.runtime.process import collector_paused, settle_memory
from netlink.errors import Refusal
from netlink.operations import Operation

VERDICTS_AT_ONCE = 64  # a packet of a worker's
CONFINED = Hello(42, 65534, "0000000000000000", no_new_privs=True)


Send = Callable[[Sequence[Operation]], tuple[Refusal, ...]]


class Farm:
    """So many services of so many real servers. `taken` are the seconds of each step with what it sent.

    `held`: the same by what the loop was held up with.
    """

    def __init__(
        self, services: int, real_servers: int, send: Send, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`send` gives operations to a kernel. `clock` tells seconds."""
        self._clock = clock
        self.held: dict[str, list[float]] = {}
        self.config = Config(tuple(_service(number, real_servers) for number in range(services)))
        self.checks = [check_id(one, real) for one in self.config.services for real in one.real_servers]
        self.taken: list[float] = []
        self._send = send
        self._belief = Director()
        self._later = 0.0  # seconds that are said to have passed
        settle_memory()

    def start(self) -> None:
        """Take the configuration over, with an empty kernel."""
        self.feed(Started(self.config, frozenset(), {}))
        self.feed(WorkerCame(CONFINED))

    def all_up(self) -> None:
        """The first verdicts."""
        for start in range(0, len(self.checks), VERDICTS_AT_ONCE):
            self._hear(self.checks[start : start + VERDICTS_AT_ONCE], State.UP)
        settle_memory()

    def one_turns(self, number: int) -> float:
        """A real server goes down or comes back: the seconds until the kernel has it."""
        before = len(self.taken)
        self._hear([self.checks[number // 2 * 7 % len(self.checks)]], State.UP if number % 2 else State.DOWN)
        return sum(self.taken[before:])

    def maintenance(self) -> None:
        """Something that touches all of them; and a tick."""
        self.feed(Ticked())
        self.feed(MaintenanceSeen(frozenset({"10.2.0.1"})))

    def reload(self) -> None:
        """Another weight of the first real server; every object of the configuration is a new one, as from a file."""
        again = msgspec.json.decode(msgspec.json.encode(self.config.services), type=tuple[VirtualService, ...])
        first, *others = again
        real, *reals = first.real_servers
        first = replace(first, real_servers=(replace(real, weight=real.weight + 1), *reals))
        self.config = replace(self.config, services=(first, *others))
        began = self._clock()
        work = self._groundwork()
        self._held("reload, in its thread", began)
        before = self._belief  # kept over the step, as `lvsd.runtime.configuration` does, which gives it up by and by
        self.feed(ConfigChanged(self.config, work))
        del before

    def _groundwork(self) -> Groundwork:
        """As `lvsd.runtime.configuration` has it done."""
        with collector_paused():
            return groundwork.of(self._belief, self.config)

    def second_worker(self) -> None:
        """Another one joins, falls silent and speaks again."""
        self.config = replace(self.config, daemon=replace(self.config.daemon, workers=2))
        self.feed(ConfigChanged(self.config, self._groundwork()))
        self.held.clear()
        self.feed(WorkerCame(replace(CONFINED, pid=43, worker=2)))
        for _ in range(8):
            self._later += 1.0
            self.feed(VerdictsHeard(Verdicts(0, ())))
            self.feed(Ticked())
        self.feed(VerdictsHeard(Verdicts(0, ()), 2))

    def mailed(self) -> None:
        """A tick while somebody wants to be told again and again of every service."""
        mail = Mail(to=("ops@example.com",), repeat=600.0)
        services = tuple(replace(one, mail=mail) for one in self.config.services)
        self.config = replace(self.config, services=services)
        self.feed(ConfigChanged(self.config, self._groundwork()))
        self.feed(Ticked())
        self.held.clear()
        self.feed(Ticked())

    def cleared(self) -> None:
        """A stranger clears the table. What was believed of it ends by and by, as in `lvsd.runtime.table_look`."""
        before = self._belief.kernel.table
        self.feed(TableRead({}))
        del before

    def status(self) -> None:
        """What `lvsctl status` asks for, as it is made and encoded."""
        rows: list[bytes] = []
        began, size = self._clock(), 0
        for virtual in views.chosen(self._belief, ""):
            rows.append(encoded(views.service_row(virtual, self._belief, 1.0)))
            size += 1 + len(virtual.real_servers)
            if size >= SLICE_REAL_SERVERS:
                self._held("status", began)
                began, size = self._clock(), 0
        reply = views.status_of(self._belief, (), 1.0)
        for _ in frame_of_rows(reply, rows):  # each is sent, and the others have a turn
            self._held("status", began)
            began = self._clock()

    def feed(self, event: Event) -> None:
        """One event and all that follows. What a loop does between two of them is not in the times."""
        waiting = deque([event])
        while waiting:
            began = self._clock()
            following = waiting.popleft()
            self._belief, effects = step(self._belief, following, time.monotonic() + self._later)
            orders: list[AssignChecks] = []
            for effect in effects:
                if isinstance(effect, Apply):
                    waiting.append(PlanApplied(effect.operations, self._send(effect.operations)))
                elif isinstance(effect, Yield):
                    waiting.append(Resumed())
                elif isinstance(effect, AssignChecks):
                    orders.append(effect)
            self.taken.append(self._held(type(following).__name__, began))
            for order in orders:
                self._hand(order)

    def _hand(self, order: AssignChecks) -> None:
        """Turn by turn, as `lvsd.runtime.handing` does."""
        going = assigning(order.generation, order.checks, order.probes_per_host)
        began = self._clock()
        while len(list(islice(going, STEPS_A_TURN))) == STEPS_A_TURN:
            self._held("checks handed to a worker", began)
            began = self._clock()
        self._held("checks handed to a worker", began)

    def _held(self, what: str, began: float) -> float:
        seconds = self._clock() - began
        self.held.setdefault(what, []).append(seconds)
        return seconds

    def _hear(self, checks: Sequence[str], state: State) -> None:
        self.feed(VerdictsHeard(Verdicts(1, tuple(_verdict(one, state) for one in checks))))


def _service(number: int, real_servers: int) -> VirtualService:
    last = f"{number // 250}.{number % 250 + 1}"
    check = Check(TcpCheck(), Timing())
    reals = (RealServer(f"10.{2 + one}.{last}", 80, 1, Forwarding.DIRECT, check) for one in range(real_servers))
    endpoint = VirtualEndpoint(Protocol.TCP, f"10.1.{last}", 80)
    return VirtualService(f"s{number}", endpoint, "wrr", tuple(reals), 0, None, OnFailure.REMOVE, ())


def _verdict(identity: str, state: State) -> Verdict:
    found = Healthy() if state is State.UP else Unhealthy(Reason.REFUSED, "Connection refused")
    return Verdict(identity, state, 1.0, found, 1.0, 0.002, 0, 1, 0)
