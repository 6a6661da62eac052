"""The intervals of VRRP, in seconds. Pure. RFC 3768 section 6.1, RFC 9568 section 6.1."""

from __future__ import annotations

VERSION_2 = 2
ADVERTISEMENTS_MISSED = 3
"""So many advertisements must fail to come before a backup takes over."""


def skew_time(version: int, priority: int, interval: float) -> float:
    """The better a router's priority, the less it waits: of a second in version 2, of the interval in version 3."""
    return (256 - priority) / 256 * (1.0 if version == VERSION_2 else interval)


def active_down_interval(version: int, priority: int, interval: float) -> float:
    """How long a backup waits for the next advertisement before it takes over. `interval` is the active router's."""
    return ADVERTISEMENTS_MISSED * interval + skew_time(version, priority, interval)
