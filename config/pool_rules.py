"""What holds for the real servers of a service together, beside their checks. Pure.

Times are seconds.
"""

from __future__ import annotations

from enum import Enum

import msgspec

WHOLE = 100  # per cent


class Amount(msgspec.Struct, frozen=True):
    """So many real servers, or (`percent`) such a share of all that are configured."""

    number: int
    percent: bool = False

    def of(self, total: int) -> int:
        """How many that is of `total`, rounded up: a share is not kept by a fraction of a server."""
        return -(-self.number * total // WHOLE) if self.percent else self.number

    def __str__(self) -> str:
        """As it is written: `2` or `50%`."""
        return f"{self.number}%" if self.percent else str(self.number)


class FloorAction(Enum):
    """What happens while fewer real servers are up than the floor says."""

    KEEP = "keep"  # those that fail then stay in service
    FAIL_OPEN = "fail-open"  # all serve, whatever their checks say
    SORRY = "sorry"  # the fallback servers serve alone
    WITHDRAW = "withdraw"  # nobody serves


class Floor(msgspec.Struct, frozen=True):
    """How many real servers must be left. Once broken it holds again with `restored` of them (`minimum` at least)."""

    minimum: Amount
    action: FloorAction = FloorAction.KEEP
    restored: Amount | None = None


class CorrelatedFailure(msgspec.Struct, frozen=True):
    """When `share` per cent of a service's real servers (three at least) fail within one interval, be suspicious.

    Their failures count after `hold` intervals, if probes still find them.
    """

    share: int = WHOLE
    hold: int = 2


class HoldDown(msgspec.Struct, frozen=True):
    """A real server's second failure holds it out for `first` seconds, each further one twice as long up to `longest`.

    Failures are forgotten when it has served `forget` seconds without one.
    """

    first: float
    longest: float = 600.0
    forget: float = 1800.0


class PassiveAction(Enum):
    """What follows when clients' packets say that a real server answers nobody."""

    PROBE = "probe"  # its checks run at once, and every fast_interval while it lasts
    FAIL = "fail"  # besides, it counts as one failed probe


class Passive(msgspec.Struct, frozen=True):
    """Believe IPVS's counters: `connections` new ones within `window` seconds of which not one went on are suspect."""

    connections: int = 10
    window: float = 5.0
    action: PassiveAction = PassiveAction.PROBE


class LatencyWeights(msgspec.Struct, frozen=True):
    """A real server slower than the service's median gets a smaller weight, `minimum` per cent of its own at least.

    `slack`: how many times the median (in per cent) is not slow yet.
    """

    minimum: int = 25
    slack: int = 150


class PoolRules(msgspec.Struct, frozen=True):
    """The rules of one service's real servers. `slow_start`: seconds until one that came back has its whole weight.

    `manual_resume`: who failed stays out until a person says otherwise. While fewer than `group_minimum` of the real
    servers of lower priority groups are up (a share is of these), the next group serves with them.
    """

    floor: Floor | None = None
    correlated_failure: CorrelatedFailure | None = None
    slow_start: float = 0.0
    hold_down: HoldDown | None = None
    manual_resume: bool = False
    group_minimum: Amount = Amount(1)
    passive: Passive | None = None
    latency_weights: LatencyWeights | None = None
