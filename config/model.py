"""The configuration as the program sees it: frozen, complete, every default filled in. Pure.

Addresses are strings in canonical form (`ipaddress` compressed), times are seconds.
"""

from __future__ import annotations

import msgspec

from config.checks import Check
from config.secret import Secret
from config.words import Forwarding, OnFailure, Protocol


class VirtualEndpoint(msgspec.Struct, frozen=True, tag="endpoint"):
    """A virtual service's address, as clients use it."""

    protocol: Protocol
    address: str
    port: int


class FirewallMark(msgspec.Struct, frozen=True, tag="fwmark"):
    """A virtual service by firewall mark; `ipv6` tells the family of the marked packets."""

    mark: int
    ipv6: bool = False


class Persistence(msgspec.Struct, frozen=True):
    """Clients stay with their real server for `seconds`; `netmask` groups them (a prefix length)."""

    seconds: int
    netmask: int


class RealServer(msgspec.Struct, frozen=True):
    """A server behind a virtual service."""

    address: str
    port: int
    weight: int
    forwarding: Forwarding
    check: Check
    upper_threshold: int = 0
    lower_threshold: int = 0


class VirtualService(msgspec.Struct, frozen=True):
    """One virtual service. `flags` are the kernel's bits (config.words.SCHEDULER_FLAGS and 0x4 one-packet)."""

    name: str
    virtual: VirtualEndpoint | FirewallMark
    scheduler: str
    real_servers: tuple[RealServer, ...]
    flags: int = 0
    persistence: Persistence | None = None
    on_failure: OnFailure = OnFailure.REMOVE
    fallback: tuple[RealServer, ...] = ()  # never probed; serve while no real server does


class VirtualAddress(msgspec.Struct, frozen=True):
    """An address VRRP moves, with its prefix length, on `interface` (the instance's unless said)."""

    address: str
    prefix_length: int
    interface: str


class GratuitousArp(msgspec.Struct, frozen=True):
    """Bursts of gratuitous ARP: `repeat` at once, again after `delay` s (0: none), one each `refresh` s (0: no)."""

    repeat: int = 5
    delay: float = 5.0
    refresh: float = 0.0


class VrrpInstance(msgspec.Struct, frozen=True):
    """One virtual router. `advertisement_interval` in seconds (whole ones in version 2)."""

    name: str
    interface: str
    virtual_router_id: int
    priority: int
    version: int
    addresses: tuple[VirtualAddress, ...]
    advertisement_interval: float = 1.0
    password: Secret | None = None
    preempt: bool = True
    gratuitous_arp: GratuitousArp = GratuitousArp()


class Daemon(msgspec.Struct, frozen=True):
    """Settings of the processes themselves."""

    clear_table_on_stop: bool = False
    checker_user: str = "nobody"


class Config(msgspec.Struct, frozen=True):
    """A whole configuration."""

    services: tuple[VirtualService, ...] = ()
    vrrp: tuple[VrrpInstance, ...] = ()
    daemon: Daemon = Daemon()
