"""What can go wrong with netlink: it could not be spoken at all, or the kernel refused one operation. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the process that moves addresses has errors, but no table
    from netlink.operations import Operation
    from netlink.settings import Setting


class NetlinkError(Exception):
    """Netlink could not be spoken at all: no IPVS in this kernel, no privilege, a garbled answer.

    `errno` is the kernel's number, or 0 where it gave none; `hint` says what an administrator can do.
    """

    def __init__(self, message: str, *, errno: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.errno = errno
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} ({self.hint})" if self.hint else message


@dataclass(frozen=True, slots=True)
class Refusal:
    """One operation the kernel refused: its errno, and what that means for this operation."""

    operation: Operation
    errno: int
    meaning: str


@dataclass(frozen=True, slots=True)
class SettingRefusal:
    """One change of IPVS as a whole that the kernel refused."""

    setting: Setting
    errno: int
    meaning: str
