"""What is on the wire of VRRP, decoded, and what is wrong with it. Pure.

Judged by what the routers say of each other, not by any configuration: one who watches may be a third.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

ADVERTISEMENT, STANDBY, HANDOVER = "advertisement", "standby", "handover"
ARP, NEIGHBOUR, MALFORMED = "gratuitous_arp", "neighbour_advertisement", "malformed"
RIGHT, PSEUDO, PLAIN, WRONG = "right", "right, with pseudo header", "right, without pseudo header", "wrong"

GROUPS: Final = ("224.0.0.18", "ff02::12")
HOP_LIMIT: Final = 255
MISSED: Final = 3  # advertisements; after more than that a router is taken for gone
TOLD_LIMIT: Final = 4096
RETURNS: Final = 2
ROUTERS_LIMIT: Final = 16  # of one virtual router that are remembered
ADDRESSES_LIMIT: Final = 4096
_VIRTUAL_MAC: Final = ("00:00:5e:00:01:", "00:00:5e:00:02:")


class Seen(msgspec.Struct, frozen=True):
    """One frame. `at`: seconds since 1970; `interval` in seconds; `auth`: the type's name, never the password."""

    at: float
    kind: str
    source: str
    destination: str
    mac: str
    ttl: int = 0
    version: int = 0
    virtual_router_id: int = 0
    priority: int = 0
    interval: float = 0.0
    addresses: tuple[str, ...] = ()
    checksum: str = ""
    auth: str = ""
    detail: str = ""

    @property
    def ipv6(self) -> bool:
        """Which family it came by."""
        return ":" in self.source


class Complaint(msgspec.Struct, frozen=True):
    """Something wrong, or worth knowing (`wrong` is false then)."""

    code: str
    text: str
    wrong: bool = True


def line(seen: Seen) -> str:
    """A frame in one line, without its time."""
    way = f"{seen.source} > {seen.destination}"
    match seen.kind:
        case "gratuitous_arp":
            return f"{way} gratuitous ARP: {seen.addresses[0]} is at {seen.mac}"
        case "neighbour_advertisement":
            return f"{way} neighbour advertisement: {seen.addresses[0]} is at {seen.mac}"
        case "malformed":
            return f"{way} malformed: {seen.detail}"
        case _:
            return f"{way} {_vrrp(seen)}"


def _vrrp(seen: Seen) -> str:
    kind = {STANDBY: " lvsd: stands by", HANDOVER: " lvsd: take over now"}.get(seen.kind, "")
    auth = f" auth {seen.auth}" if seen.auth and seen.auth != "none" else ""
    said = f"vrid {seen.virtual_router_id} prio {seen.priority} interval {seen.interval:g}s ttl {seen.ttl}{auth}"
    return f"VRRPv{seen.version}{kind} {said} checksum {seen.checksum}: {' '.join(seen.addresses)}"


class Judge:
    """Follows what is seen; each complaint is made once."""

    def __init__(self, known: frozenset[int] | None = None) -> None:
        """`known`: the virtual router ids that ought to be here; None: whatever there is."""
        self._known = known
        self._last: dict[tuple[bool, int], dict[str, Seen]] = {}
        self._returns: dict[tuple[bool, int, str, str], int] = {}
        self._active: dict[str, Seen] = {}  # by virtual address: who advertised it last
        self._told: set[tuple[str, str]] = set()

    def judge(self, seen: Seen) -> tuple[Complaint, ...]:
        """What is new about this frame."""
        fresh = []
        for complaint in self._complaints(seen):
            key = (complaint.code, complaint.text)
            if key not in self._told and len(self._told) < TOLD_LIMIT:
                self._told.add(key)
                fresh.append(complaint)
        return tuple(fresh)

    def _complaints(self, seen: Seen) -> Iterator[Complaint]:
        match seen.kind:
            case "malformed":
                yield Complaint("malformed", f"{seen.source}: {seen.detail}")
            case "gratuitous_arp" | "neighbour_advertisement":
                yield from self._claim(seen)
            case _:
                yield from _by_itself(seen)
                if seen.kind == ADVERTISEMENT:
                    yield from self._among_others(seen)

    def _claim(self, seen: Seen) -> Iterator[Complaint]:
        for address in seen.addresses:
            holder = self._active.get(address)
            if holder is not None and holder.mac != seen.mac and not holder.mac.startswith(_VIRTUAL_MAC):
                gone = seen.at - holder.at > MISSED * holder.interval
                text = f"{address} is announced at {seen.mac}, but {holder.source} at {holder.mac} advertises it"
                yield Complaint("announced_by_another", text, wrong=not gone and holder.priority > 0)

    def _among_others(self, seen: Seen) -> Iterator[Complaint]:
        router = (seen.ipv6, seen.virtual_router_id)
        others = self._last.setdefault(router, {})
        if self._known is not None and seen.virtual_router_id not in self._known:
            text = f"virtual router {seen.virtual_router_id} of {seen.source} is not configured here"
            yield Complaint("foreign_virtual_router", text, wrong=False)
        if seen.priority == 0:
            yield Complaint("leaving", f"{_name(seen)}: {seen.source} leaves (priority 0)", wrong=False)
        for other in tuple(others.values()):
            if other.source != seen.source:
                yield from _compared(seen, other)
        yield from self._contest(router, seen, others)
        if seen.source in others or len(others) < ROUTERS_LIMIT:
            others[seen.source] = seen
        if seen.priority > 0 and len(self._active) < ADDRESSES_LIMIT:
            self._active.update(dict.fromkeys((one.partition("/")[0] for one in seen.addresses), seen))

    def _contest(self, router: tuple[bool, int], seen: Seen, others: dict[str, Seen]) -> Iterator[Complaint]:
        """Two are active when each comes back again and again after the other: at a takeover one does, once."""
        before = others.get(seen.source)
        if before is None or seen.priority == 0:
            return
        for rival in others.values():
            fresh = seen.at - rival.at <= MISSED * max(rival.interval, 0.01)
            if rival.at > before.at and fresh:
                own, its = (*router, seen.source, rival.source), (*router, rival.source, seen.source)
                self._returns[own] = self._returns.get(own, 0) + 1
                if min(self._returns[own], self._returns.get(its, 0)) >= RETURNS:
                    pair = " and ".join(sorted((seen.source, rival.source)))
                    yield Complaint("two_active", f"{_name(seen)}: {pair} are both active")


def _name(seen: Seen) -> str:
    return f"virtual router {seen.virtual_router_id}{' (IPv6)' if seen.ipv6 else ''}"


def _by_itself(seen: Seen) -> Iterator[Complaint]:
    """What is wrong with a message whoever else speaks."""
    who = f"{_name(seen)}: {seen.source}"
    if seen.checksum == WRONG:
        yield Complaint("checksum", f"{who}: the checksum is wrong in every reading of the RFC")
    if seen.ttl != HOP_LIMIT:
        unicast = seen.destination not in GROUPS
        text = f"{who}: TTL {seen.ttl}, not {HOP_LIMIT}: it came through a router, or the sender does not set it"
        yield Complaint("ttl", text, wrong=not (unicast and seen.ipv6))
    if seen.interval == 0:
        yield Complaint("interval_zero", f"{who}: interval 0")
    if seen.auth == "simple":
        yield Complaint("password_visible", f"{who}: a password travels in the clear (not shown)", wrong=False)
    if seen.version not in (2, 3):
        yield Complaint("version_unknown", f"{who}: version {seen.version}")
    if seen.mac.startswith(_VIRTUAL_MAC) and int(seen.mac[-2:], 16) != seen.virtual_router_id:
        yield Complaint("foreign_virtual_mac", f"{who}: sent from {seen.mac}, the MAC of another virtual router")


def _compared(seen: Seen, other: Seen) -> Iterator[Complaint]:
    """What two routers of one virtual router must have in common."""
    pair = f"{_name(seen)}: {seen.source} and {other.source}"
    first, second = sorted((seen, other), key=lambda one: one.source)
    names = f"{_name(seen)}: {first.source} and {second.source}"
    if seen.version != other.version:
        yield Complaint("version_differs", f"{names} speak versions {first.version} and {second.version}")
        return
    if seen.interval != other.interval:
        wrong = seen.version == 2  # noqa: PLR2004 (there it is dropped; version 3 learns it)
        text = f"{names} advertise intervals of {first.interval:g} s and {second.interval:g} s"
        yield Complaint("interval_differs", text, wrong)
    if seen.auth != other.auth:
        yield Complaint("auth_differs", f"{names} use authentication {first.auth} and {second.auth}")
    if set(seen.addresses) != set(other.addresses):
        only = sorted(set(seen.addresses) ^ set(other.addresses))
        yield Complaint("addresses_differ", f"{names} advertise different addresses: {' '.join(only)}")
    if seen.priority == other.priority != 0:
        yield Complaint("same_priority", f"{pair} have the same priority {seen.priority}", wrong=False)
