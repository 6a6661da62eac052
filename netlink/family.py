"""The address families, by the kernel's numbers. Pure; apart from the table, which light processes do not load."""

from __future__ import annotations

from enum import IntEnum


class Family(IntEnum):
    """AF_INET and AF_INET6."""

    INET = 2
    INET6 = 10
