"""Whether a process really gave up all it could, read from its /proc/PID/status. Pure."""

from __future__ import annotations

import msgspec

CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
HELD_SETS = frozenset({"CapPrm", "CapEff"})  # what a process keeps stands here; the rest is for those it executes


class Standing(msgspec.Struct, frozen=True):
    """What the kernel says of a process (proc_pid_status(5))."""

    uids: tuple[int, ...]  # real, effective, saved, file system
    gids: tuple[int, ...]
    groups: tuple[int, ...]
    capabilities: dict[str, int]
    effective: str  # CapEff as the kernel wrote it
    no_new_privs: bool


class Unreadable(Exception):
    """A status that lacks a line or holds one of another form: nothing is proved."""


def standing(status: str) -> Standing:
    """Read the text of /proc/PID/status. Raises Unreadable."""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    try:
        return Standing(
            uids=tuple(int(word) for word in fields["Uid"].split()),
            gids=tuple(int(word) for word in fields["Gid"].split()),
            groups=tuple(int(word) for word in fields["Groups"].split()),
            capabilities={name: int(fields[name], 16) for name in CAPABILITY_SETS},
            effective=fields["CapEff"].strip(),
            no_new_privs=int(fields["NoNewPrivs"]) == 1,
        )
    except (KeyError, ValueError) as error:
        raise Unreadable(str(error)) from error


def faults(held: Standing, *, dropped_by_root: bool, kept: int = 0) -> tuple[str, ...]:
    """What the process still holds, in words; nothing when it is as it must be. `kept`: capabilities it must hold.

    A process that was not started by root cannot leave its groups or empty its bounding set: of those two
    nothing is asked then (with no_new_privs they give nothing).
    """
    found = []
    if 0 in held.uids or len(set(held.uids)) != 1:
        found.append(f"user ids {held.uids}")
    if 0 in held.gids or len(set(held.gids)) != 1:
        found.append(f"group ids {held.gids}")
    if dropped_by_root and held.groups:
        found.append(f"groups {held.groups}")
    for name, bits in held.capabilities.items():
        if bits != (kept if name in HELD_SETS else 0) and (dropped_by_root or name != "CapBnd"):
            found.append(f"{name} {bits:x}")
    if not held.no_new_privs:
        found.append("no_new_privs is not set")
    return tuple(found)
