"""Network interfaces and their addresses as rtnetlink shows them, and what can be heard of their changes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

SECONDARY = 0x01  # IFA_F_SECONDARY of IPv4; the same bit means temporary for IPv6
NO_DAD = 0x02
TENTATIVE = 0x40
DAD_FAILED = 0x08
NO_PREFIX_ROUTE = 0x200

MACVLAN = "macvlan"
MACVLAN_BRIDGE = 4  # MACVLAN_MODE_BRIDGE of if_link.h


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface. `running` is the carrier: up and plugged in; `kind` is bridge, veth, ... or empty.

    `parent` is the index of the interface it lives on (0: none), `mode` a macvlan's, `alias` a text for people.
    """

    index: int
    name: str
    mac: bytes
    mtu: int
    up: bool
    running: bool
    kind: str = ""
    parent: int = 0
    mode: int = 0
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """An address on an interface. `flags` are the kernel's IFA_F_; scope 0 is global, 253 link, 254 host."""

    index: int
    address: str
    prefix_length: int
    label: str = ""
    flags: int = 0
    scope: int = 0


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """An interface came, changed, or (not `present`) went."""

    link: Link
    present: bool = True


@dataclass(frozen=True, slots=True)
class AddressAdded:
    """An address came, or one that was there changed."""

    address: Address


@dataclass(frozen=True, slots=True)
class AddressRemoved:
    """An address went."""

    address: Address


@dataclass(frozen=True, slots=True)
class Overrun:
    """Notifications were lost: read everything again."""


RouteEvent = LinkChanged | AddressAdded | AddressRemoved | Overrun
