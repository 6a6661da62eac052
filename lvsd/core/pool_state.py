"""What is remembered of the rules for real servers together. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from lvsd.core.flapping import Flaps
from lvsd.core.latency import Speed


class Hold(Enum):
    """Why a real server stands otherwise than its checks say."""

    FLOOR = "floor"  # they fail, and too few would be left without it
    SUSPECTED = "suspected"  # they fail, with so many others at once that the checker is suspected
    FLAPPING = "flapping"  # they pass, after too many failures to be believed at once
    UNANSWERED = "unanswered"  # they pass, and its clients are not answered


class OverrideKind(Enum):
    """What a person had done to a real server, or has to take back."""

    DRAIN = "drain"  # no new connections: weight 0, until those it has have ended
    DRAINED = "drained"  # that is over: it is out
    DISABLE = "disable"  # out, as if its checks failed
    WEIGHT = "weight"  # another weight than the configured or asked one
    AWAIT = "await"  # it failed, and by the configuration it stays out until a person enables it


@dataclass(frozen=True, slots=True)
class Override:
    """A person's word on a real server: `weight` unless it is disabled, who (user id), when, and until when.

    `deadline`: when a drain ends in any case. `left`: the connections that a drain left at its end.
    """

    kind: OverrideKind
    weight: int = 0
    reason: str = ""
    uid: int = 0
    since: float = 0.0
    until: float | None = None
    deadline: float | None = None
    left: int = 0


class Connections(NamedTuple):
    """What the kernel counts for a destination."""

    active: int
    inactive: int
    persistent: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.active + self.inactive + self.persistent


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Real servers of one service, by `real_id`, that failed at once. Once `confirmed` their failures count.

    `hurried_at`: when it was last looked at who of them is to be probed now.
    """

    since: float
    members: frozenset[str]
    confirmed: bool = False
    hurried_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Since when, and when last, clients of a real server were not answered; the failures that this counts as."""

    since: float
    last: float
    failures: int = 0
    counted_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Ramp:
    """Since when a real server is back, and at which of the steps to its whole weight."""

    began: float
    step: int


_NO_HOLDS: Mapping[str, Hold] = MappingProxyType({})
_NEVER: Mapping[str, float] = MappingProxyType({})
_NO_RAMPS: Mapping[str, Ramp] = MappingProxyType({})
_NO_FLAPS: Mapping[str, Flaps] = MappingProxyType({})
_NO_SPEEDS: Mapping[str, Speed] = MappingProxyType({})
_NONE_UNANSWERED: Mapping[str, Unanswered] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Pool:
    """What is remembered of one service's real servers, by `real_id`; `broken`: fewer are up than the floor says.

    `failed_at`: when one that is subject to suspicion left service because of its checks. `standby`: who is of a
    priority group that is not needed; None: there are no groups, or nothing was decided yet.
    """

    held: Mapping[str, Hold] = field(default_factory=lambda: _NO_HOLDS)
    broken: bool = False
    suspicion: Suspicion | None = None
    failed_at: Mapping[str, float] = field(default_factory=lambda: _NEVER)
    ramps: Mapping[str, Ramp] = field(default_factory=lambda: _NO_RAMPS)
    flaps: Mapping[str, Flaps] = field(default_factory=lambda: _NO_FLAPS)
    standby: frozenset[str] | None = None
    speeds: Mapping[str, Speed] = field(default_factory=lambda: _NO_SPEEDS)
    unanswered: Mapping[str, Unanswered] = field(default_factory=lambda: _NONE_UNANSWERED)
    passive_flaps: Mapping[str, Flaps] = field(default_factory=lambda: _NO_FLAPS)


NO_POOL = Pool()
