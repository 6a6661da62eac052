"""Sync groups: virtual routers that are active together or not at all. Pure.

Each member is a state machine of its own; a group looks at all of them after any has moved, and says what follows
for the others. A member whose active router is silent waits (`wants`) until all do: on one network alone a silence is a
broken cable, and taking over there would tear the group apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from lvsd.vrrp.events import Event, Resign, TakeOver
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.state import Instance

Name = TypeVar("Name")


def orders(members: Mapping[Name, Instance]) -> list[tuple[Name, Event]]:
    """What the members must be told, given how all of them stand."""
    started = {name: member for name, member in members.items() if member.started}
    actives = [name for name, member in started.items() if member.role is Role.ACTIVE]
    if any(_cannot(member) for member in started.values()):
        return [(name, Resign(Cause.GROUP)) for name in actives]
    return [(name, TakeOver()) for name, member in started.items() if member.wants]


def _cannot(member: Instance) -> bool:
    """Whether it keeps the others from being active."""
    return member.role is not Role.ACTIVE and not member.wants


def common_fault(links: Mapping[str, Link], own: str) -> Link:
    """A member's link, with the fault of another member where its own is fit: they stand and fall together."""
    link = links[own]
    if not link.fit:
        return link
    broken = next((f"{name}: {other.fault}" for name, other in sorted(links.items()) if not other.fit), "")
    return Link(link.source, f"sync group: {broken}") if broken else link
