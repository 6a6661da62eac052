"""The intervals of VRRP, in seconds. Pure. RFC 3768 section 6.1."""

from __future__ import annotations

ADVERTISEMENTS_MISSED = 3
"""So many advertisements must fail to come before a backup takes over."""


def skew_time(priority: int, unit: float = 1.0) -> float:
    """The better a router's priority, the less it waits. `unit` is one second in version 2."""
    return (256 - priority) / 256 * unit


def active_down_interval(priority: int, interval: float) -> float:
    """How long a backup waits for the next advertisement before it takes over."""
    return ADVERTISEMENTS_MISSED * interval + skew_time(priority)
