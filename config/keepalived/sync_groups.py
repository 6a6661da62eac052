"""vrrp_sync_group: who moves together, what the group tracks and whom it tells. Pure.

Rules of keepalived 2.2.7, measured: an instance is of the first group that names it; what is not there is left out.
"""

from __future__ import annotations

import re
from collections.abc import Container

import msgspec

from config import codes
from config.keepalived.block import Block
from config.keepalived.commands import role_hooks
from config.keepalived.statements import Statement, no_more
from config.keepalived.tracking import Tracker
from config.keepalived.values import switch, word
from config.keepalived.vrrp_words import SYNC_GROUP
from config.model import AnyTrack, VrrpGroup, VrrpHooks
from config.nodes import At
from config.reading import Reading, shown
from config.sections import NAME_PATTERN


class SyncGroup(msgspec.Struct, frozen=True):
    """A group with members. `weighs`: what its members track weighs."""

    name: At[str]
    members: tuple[str, ...]
    tracks: tuple[At[AnyTrack], ...]
    hooks: VrrpHooks
    weighs: bool


def read_sync_groups(
    found: list[Statement], instances: Container[str], tracker: Tracker, reading: Reading
) -> list[SyncGroup]:
    """The groups, each instance in one of them. `instances`: the names of those there are."""
    groups: dict[str, SyncGroup] = {}
    taken: dict[str, str] = {}
    for statement in found:
        name = _name(statement, groups, reading)
        block = Block(statement, SYNC_GROUP, reading)
        if name is None:
            continue
        members = _members(block, name.value, instances, taken, reading)
        tracks, hooks = tracker.tracks(block, ""), role_hooks(block, reading)
        if members:
            weighs = switch(block.get("sync_group_tracking_weight"), reading)
            groups[name.value] = SyncGroup(name, members, tracks, hooks, weighs)
        else:
            message = f"the sync group {shown(name.value)} has no member and is left out"
            reading.warning(codes.LEFT_OUT, name.place, message, "keepalived leaves it out too")
    return list(groups.values())


def by_member(groups: list[SyncGroup]) -> dict[str, SyncGroup]:
    """The group of each instance that has one."""
    return {member: group for group in groups for member in group.members}


def commands_of(groups: list[SyncGroup], instances: Container[str]) -> tuple[At[VrrpGroup], ...]:
    """The groups that tell somebody, and have a member among the `instances` that are carried over."""
    return tuple(
        At(VrrpGroup(group.name.value, group.hooks), group.name.place)
        for group in groups
        if group.hooks != VrrpHooks() and any(member in instances for member in group.members)
    )


def _name(statement: Statement, groups: Container[str], reading: Reading) -> At[str] | None:
    no_more(statement, 2, reading)
    at = word(statement, reading)
    if at is not None and not re.fullmatch(NAME_PATTERN, at.value):
        hint = "up to 64 letters, digits, and _ . : @ + - inside"
        reading.error(codes.MALFORMED, at.place, f"{shown(at.value)} is not a name", hint)
        return None
    if at is not None and at.value in groups:
        message = f"vrrp_sync_group {shown(at.value)} is here for the second time"
        reading.error(codes.SAID_TWICE, at.place, message, "give each group a name of its own")
        return None
    return at


def _members(
    block: Block, group: str, instances: Container[str], taken: dict[str, str], reading: Reading
) -> tuple[str, ...]:
    statement = block.get("group")
    members: dict[str, None] = {}
    for at in [at for line in (statement.body or () if statement else ()) for at in line.words]:
        other = taken.setdefault(at.value, group) if at.value in instances else ""
        if other == group:
            members[at.value] = None
            continue
        message = f"there is no vrrp_instance {shown(at.value)} for this group"
        if other:
            message = f"{shown(at.value)} is in the sync group {shown(other)} already: that one counts"
        reading.warning(codes.LEFT_OUT, at.place, message, "keepalived leaves it out too")
    return tuple(members)
