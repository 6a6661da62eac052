"""What the kernel's refusals mean: an errno is understood together with its operation. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from netlink.operations import Operation


class NetlinkError(Exception):
    """Netlink could not be spoken at all: no IPVS in this kernel, no privilege, a garbled answer."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One operation the kernel refused: its errno, and what that means for this operation."""

    operation: Operation
    errno: int
    meaning: str
