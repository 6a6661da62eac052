"""Whose turn it is: the whole probe of a check, or the mere connection that may stand in for it. Pure."""

from __future__ import annotations

from checkers.core.messages import State
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Unhealthy
from config.checks import (
    AgentCheck,
    AnyCheck,
    DnsCheck,
    ExternalCheck,
    FollowCheck,
    NoCheck,
    NtpCheck,
    PingCheck,
    RadiusCheck,
    SipCheck,
    SynCheck,
    TcpCheck,
    Timing,
    UdpCheck,
)


def turn(check: AnyCheck, connects_left: int) -> AnyCheck:
    """What the next probe asks: the whole check, or with connects left only whether somebody is there."""
    return connection_of(check) if connects_left > 0 else check


def connection_of(check: AnyCheck) -> AnyCheck:
    """The mere connection of a check. What speaks UDP has none: an echo request takes its place, as in ldirectord.

    What has no port of its own to connect to stays what it is, and so does an agent, whose port says nothing.
    """
    match check:
        case NoCheck() | TcpCheck() | PingCheck() | ExternalCheck() | AgentCheck() | SynCheck() | FollowCheck():
            return check
        case UdpCheck() | NtpCheck() | RadiusCheck() | DnsCheck(tcp=False) | SipCheck(tcp=False):
            return PingCheck()
        case _:
            return TcpCheck()


def connects_left(before: int, outcome: Outcome, state: State, timing: Timing) -> int:
    """How many connections follow a probe that left the check in `state`.

    Only where the real server is up: one that is to come back has to pass the whole check. A failure of either
    kind is followed by a whole probe, an inconclusive one by the same again.
    """
    match outcome:
        case Inconclusive():
            return min(before, timing.connects)
        case Unhealthy():
            return 0
        case Healthy() if state is not State.UP:
            return 0
        case Healthy():
            return min(before - 1, timing.connects) if before > 0 else timing.connects
