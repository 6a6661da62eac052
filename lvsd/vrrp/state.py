"""All that a VRRP instance knows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from config.model import VrrpInstance
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.timers import VERSION_2, active_down_interval, skew_time

OWNER_PRIORITY = 255
LEAVING_PRIORITY = 0
LOWEST_PRIORITY = 1

UNKNOWN_LINK = Link()


@dataclass(frozen=True, slots=True)
class Standby:
    """A backup that told the active router of itself."""

    source: str
    priority: int
    heard_at: float


@dataclass(frozen=True, slots=True)
class Instance:
    """One virtual router, on one interface. Moments are seconds of one monotonic clock; inf: never."""

    config: VrrpInstance
    link: Link = UNKNOWN_LINK
    started: bool = False
    role: Role = Role.INITIALIZE
    cause: Cause = Cause.START
    since: float = 0.0
    transitions: int = 0
    active_router: str = ""  # the one we obey, or ourselves; empty: none known
    active_priority: int = 0
    timer_at: float = inf  # backup: take over; active: advertise
    burst_at: float = inf  # the second burst of gratuitous ARP
    refresh_at: float = inf  # the periodic gratuitous ARP
    answered_at: float = -inf
    answer_told_at: float = -inf
    learned_interval: float = 0.0  # what the router we obey advertises (version 3), seconds; 0: nothing heard
    preempt_at: float = inf  # when the delay before preempting the router we hear is over
    losses: tuple[float, ...] = ()  # when addresses were taken away, the last few
    weighed: int = 0  # what tracking adds to the priority
    wants: bool = False  # as such a member: the active router is silent, and only the others keep us from taking over
    yielded: bool = False  # told to hand over: it does not preempt until it was active again
    standbys: tuple[Standby, ...] = ()  # as active router: who could take over at once
    asked: str = ""  # the router that was last told that we stand by
    successor_asked_at: float = -inf  # when that was
    unheard: int = 0  # so many of these it did not echo
    told: frozenset[str] = frozenset()  # kinds of wrong advertisement the journal knows of

    @property
    def grouped(self) -> bool:
        """Whether it is a member of a sync group: it takes over when all of them want to."""
        return self.config.sync_group != ""

    @property
    def priority(self) -> int:
        """The effective priority: an owner's never moves, the others' stays below an owner's."""
        if self.config.priority == OWNER_PRIORITY:
            return OWNER_PRIORITY
        return max(LOWEST_PRIORITY, min(OWNER_PRIORITY - 1, self.config.priority + self.weighed))

    @property
    def wake_at(self) -> float:
        """When to send Wake: the machine's only timer."""
        return min(self.timer_at, self.burst_at, self.refresh_at)

    @property
    def interval(self) -> float:
        """The active router's advertisement interval, seconds: in version 2 all have ours, in version 3 it says."""
        learned = self.learned_interval if self.config.version != VERSION_2 else 0.0
        return learned or self.config.advertisement_interval

    @property
    def skew(self) -> float:
        """The skew time, seconds."""
        return skew_time(self.config.version, self.priority, self.interval)

    @property
    def active_down(self) -> float:
        """The active-down interval, seconds."""
        return active_down_interval(self.config.version, self.priority, self.interval)

    @property
    def preempts(self) -> bool:
        """The owner always does, whatever is configured (RFC 3768 section 6.1), unless a person told it to yield."""
        return not self.yielded and (self.config.preempt or self.config.priority == OWNER_PRIORITY)
