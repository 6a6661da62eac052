"""What is remembered of the rules for real servers together. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from config.model import VirtualService
from netlink.table import ServiceKey


class Hold(Enum):
    """Why a real server stands otherwise than its checks say."""

    FLOOR = "floor"  # they fail, and too few would be left without it
    SUSPECTED = "suspected"  # they fail, with so many others at once that the checker is suspected


class OverrideKind(Enum):
    """What a person had done to a real server."""

    DRAIN = "drain"  # no new connections: weight 0, and it stays in the table
    DISABLE = "disable"  # out, as if its checks failed
    WEIGHT = "weight"  # another weight than the configured or asked one


@dataclass(frozen=True, slots=True)
class Override:
    """A person's word on a real server: `weight` unless it is disabled, who (user id), when, and until when."""

    kind: OverrideKind
    weight: int = 0
    reason: str = ""
    uid: int = 0
    since: float = 0.0
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Real servers of one service, by `real_id`, that failed at once. Once `confirmed` their failures count."""

    since: float
    members: frozenset[str]
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Ramp:
    """Since when a real server is back, and at which of the steps to its whole weight."""

    began: float
    step: int


_NO_RAMPS: Mapping[str, Ramp] = MappingProxyType({})
_NO_HOLDS: Mapping[str, Hold] = MappingProxyType({})
_NO_SUSPICIONS: Mapping[ServiceKey, Suspicion] = MappingProxyType({})
_NEVER: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Pools:
    """What is held and remembered by `real_id`; `broken` are services below their floor, `ruled` those that have rules.

    `failed_at`: when a real server that is subject to suspicion left service because of its checks.
    """

    ruled: tuple[VirtualService, ...] = ()
    generation: int = 0  # of the configuration `ruled` belongs to
    held: Mapping[str, Hold] = field(default_factory=lambda: _NO_HOLDS)
    broken: frozenset[ServiceKey] = frozenset()
    suspicions: Mapping[ServiceKey, Suspicion] = field(default_factory=lambda: _NO_SUSPICIONS)
    failed_at: Mapping[str, float] = field(default_factory=lambda: _NEVER)
    ramps: Mapping[str, Ramp] = field(default_factory=lambda: _NO_RAMPS)
