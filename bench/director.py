"""A director and a kernel with a farm of any size, without processes: how long each step holds the loop up."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from checkers.core.messages import Hello, State, Verdict, Verdicts
from checkers.core.outcome import Healthy, Reason, Unhealthy
from config.checks import Check, TcpCheck, Timing
from config.model import Config, RealServer, VirtualEndpoint, VirtualService
from config.words import Forwarding, OnFailure, Protocol
from lvsd.core.director import step
from lvsd.core.effects import Apply, Yield
from lvsd.core.events import Event, MaintenanceSeen, PlanApplied, Resumed, Started, VerdictsHeard, WorkerCame
from lvsd.core.identity import check_id
from lvsd.core.state import Director
from lvsd.runtime.process import settle_memory
from netlink.errors import Refusal
from netlink.operations import Operation

VERDICTS_AT_ONCE = 100
CONFINED = Hello(42, 65534, "0000000000000000", no_new_privs=True)


Send = Callable[[Sequence[Operation]], tuple[Refusal, ...]]


class Farm:
    """So many services of so many real servers. `taken` are the seconds of each step with what it sent."""

    def __init__(self, services: int, real_servers: int, send: Send) -> None:
        """`send` gives operations to a kernel."""
        self.config = Config(tuple(_service(number, real_servers) for number in range(services)))
        self.checks = [check_id(one, real) for one in self.config.services for real in one.real_servers]
        self.taken: list[float] = []
        self._send = send
        self._belief = Director()
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
        """Something that touches all of them."""
        self.feed(MaintenanceSeen(frozenset({"10.2.0.1"})))

    def feed(self, event: Event) -> None:
        """One event and all that follows. What a loop does between two of them is not in the times."""
        waiting = deque([event])
        while waiting:
            began = time.perf_counter()
            self._belief, effects = step(self._belief, waiting.popleft(), began)
            for effect in effects:
                if isinstance(effect, Apply):
                    waiting.append(PlanApplied(effect.operations, self._send(effect.operations)))
                elif isinstance(effect, Yield):
                    waiting.append(Resumed())
            self.taken.append(time.perf_counter() - began)

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
