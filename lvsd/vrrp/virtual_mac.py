"""The virtual router's MAC: an interface of its own for the addresses (a macvlan). Pure. RFC 9568 section 7.3.

The interface is there as long as the instance is configured, and up only while it is active: one that is down answers
nobody and sends nothing, so that no switch learns the MAC at a backup's port. It is a macvlan in bridge mode: one in
private mode would take what other routers say with the same MAC away from the interface that advertisements are heard
on (macvlan_handle_frame in drivers/net/macvlan.c).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from config.model import VrrpInstance
from lvsd.vrrp.sight import Interface, Sight

MARK = "lvsd"
"""Begins the alias of an interface that is ours, also of a predecessor's."""

QUIET = (1, 2)
"""arp_ignore and arp_announce of the interface below: it neither answers for the addresses nor asks in their name."""

_PREFIX4, _PREFIX6 = bytes.fromhex("00005e0001"), bytes.fromhex("00005e0002")


@dataclass(frozen=True, slots=True)
class Macvlan:
    """An interface that an instance needs. `quiet`: the one below must not speak of the IPv4 addresses on it."""

    name: str
    parent: str
    mac: bytes
    quiet: bool


def mac_of(virtual_router_id: int, *, ipv6: bool) -> bytes:
    """00-00-5E-00-01-{VRID} for IPv4, 00-00-5E-00-02-{VRID} for IPv6."""
    return (_PREFIX6 if ipv6 else _PREFIX4) + bytes((virtual_router_id,))


def wanted(configs: Iterable[VrrpInstance]) -> dict[str, Macvlan]:
    """The interfaces that these need (as `placed`), by name; of two with one name the first: the other has a fault."""
    needed: dict[str, Macvlan] = {}
    for config in configs:
        if config.virtual_mac and 0 <= config.virtual_router_id <= 255:  # noqa: PLR2004 (one octet)
            needed.setdefault(config.virtual_mac, _macvlan(config))
    return needed


def _macvlan(config: VrrpInstance) -> Macvlan:
    mac = mac_of(config.virtual_router_id, ipv6=config.ipv6)
    quiet = any(one.interface == config.virtual_mac and ":" not in one.address for one in config.addresses)
    return Macvlan(config.virtual_mac, config.interface, mac, quiet)


def placed(config: VrrpInstance) -> VrrpInstance:
    """The instance with those addresses on its macvlan that are not for another interface."""
    if not config.virtual_mac:
        return config
    addresses = tuple(
        msgspec.structs.replace(one, interface=config.virtual_mac) if one.interface == config.interface else one
        for one in config.addresses
    )
    return msgspec.structs.replace(config, addresses=addresses)


def fits(needed: Macvlan, there: Interface, sight: Sight) -> bool:
    """Whether the interface of that name is what is needed."""
    below = sight.interfaces.get(needed.parent)
    return below is not None and there.parent == below.index and there.mac == needed.mac


def fault(config: VrrpInstance, sight: Sight) -> str:
    """Why the instance cannot have its virtual MAC; empty: it can."""
    if not config.virtual_mac:
        return ""
    needed, there = _macvlan(config), sight.interfaces.get(config.virtual_mac)
    if there is None or (fits(needed, there, sight) and not is_ours(there)):
        return f"interface {config.virtual_mac} could not be made"
    if fits(needed, there, sight):
        return ""
    return (
        f"interface {config.virtual_mac} exists and is no macvlan (mode bridge) of {config.interface} with the MAC "
        f"{needed.mac.hex(':')}: remove it, or give virtual_mac another name"
    )


def unwanted(needed: Iterable[str], sight: Sight) -> list[str]:
    """The interfaces that are ours and nobody needs."""
    return sorted(name for name, one in sight.interfaces.items() if is_ours(one) and name not in frozenset(needed))


def is_ready(needed: Macvlan, there: Interface, sight: Sight) -> bool:
    """Whether it is what is needed, and marked as ours."""
    return fits(needed, there, sight) and is_ours(there) and (not needed.quiet or before_of(there) is not None)


def is_ours(there: Interface) -> bool:
    """Whether we, or a predecessor, made it."""
    return there.parent != 0 and there.alias.split(" ", 1)[0] == MARK


def alias_of(before: tuple[int, int] | None) -> str:
    """What marks an interface as ours, with what arp_ignore and arp_announce were below it (None: left alone)."""
    return MARK if before is None else f"{MARK} arp_ignore={before[0]} arp_announce={before[1]}"


def before_of(there: Interface) -> tuple[int, int] | None:
    """What `alias_of` noted."""
    if not is_ours(there):
        return None
    said = dict(word.split("=", 1) for word in there.alias.split(" ") if "=" in word)
    numbers = [said.get(key, "") for key in ("arp_ignore", "arp_announce")]
    return (int(numbers[0]), int(numbers[1])) if all(one.isdecimal() for one in numbers) else None


def noted_below(parent: int, sight: Sight, but: str) -> tuple[int, int] | None:
    """What another of our interfaces upon the same one has noted; None: there is none."""
    others = (before_of(one) for name, one in sight.interfaces.items() if one.parent == parent and name != but)
    return next((found for found in others if found is not None), None)
