"""The IPVS table as the kernel holds it: services and destinations. Pure.

The kernel says destination where people say real server; so does this package, and `lvsd.core.desired`
translates. Only what can be set is compared (`Service`, `Destination`); what the kernel counts is apart.

What a table has thousands of are msgspec structures: made, hashed and compared in C, a tenth of what a frozen
dataclass costs, and left alone by the garbage collector (`gc=False`: they hold no containers, so make no cycles).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec import Struct

from netlink.family import Family as Family  # noqa: PLC0414 (exported: the word is the table's, too)

SETTABLE_FLAGS = 0x3D  # persistent 0x1, one-packet 0x4, scheduler flags 0x8 0x10 0x20; 0x2 (hashed) is the kernel's


IRREGULAR_NETMASK = 1 << 32  # apart from every prefix length, so that no comparison takes one for the other


class ServiceKey(Struct, frozen=True, order=True, gc=False):
    """What identifies a virtual service: (family, protocol, address, port), or (family, fwmark)."""

    family: Family
    protocol: int = 0
    address: str = ""
    port: int = 0
    fwmark: int = 0


class DestinationKey(Struct, frozen=True, order=True, gc=False):
    """What identifies a destination within its service. Its family is the address's own."""

    address: str
    port: int


class Service(Struct, frozen=True, gc=False):
    """The settings of a virtual service.

    `netmask` is a prefix length of the persistence template (32 or 128: none); an IPv4 mask with holes, which
    ipvsadm can set, is `IRREGULAR_NETMASK` + the mask. `timeout` is the persistence timeout in seconds and counts
    only with the persistent flag (0x1).
    """

    key: ServiceKey
    scheduler: str
    flags: int = 0
    timeout: int = 0
    netmask: int = 32
    persistence_engine: str = ""


class Destination(Struct, frozen=True, gc=False):
    """The settings of a destination. `forwarding`: 0 masquerade, 1 local, 2 tunnel, 3 direct."""

    key: DestinationKey
    forwarding: int
    weight: int
    upper_threshold: int = 0
    lower_threshold: int = 0
    tunnel_type: int = 0
    tunnel_port: int = 0
    tunnel_flags: int = 0


_NONE: Mapping[DestinationKey, Destination] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """A virtual service with its destinations, in the kernel's order."""

    service: Service
    destinations: Mapping[DestinationKey, Destination] = field(default_factory=lambda: _NONE)


Table = Mapping[ServiceKey, Entry]
"""A whole table, in the kernel's order."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters (64 bit) and estimated rates per second, as the kernel reports them."""

    connections: int = 0
    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    connections_rate: int = 0
    packets_in_rate: int = 0
    packets_out_rate: int = 0
    bytes_in_rate: int = 0
    bytes_out_rate: int = 0


@dataclass(frozen=True, slots=True)
class DestinationStatus:
    """A destination with what the kernel counts about it."""

    destination: Destination
    active: int = 0
    inactive: int = 0
    persistent: int = 0
    stats: Stats = Stats()


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A virtual service with what the kernel counts about it."""

    service: Service
    destinations: tuple[DestinationStatus, ...] = ()
    stats: Stats = Stats()


@dataclass(frozen=True, slots=True)
class Info:
    """What the kernel says of its IPVS: version as major, minor, patch; size of the connection table."""

    version: tuple[int, int, int]
    connection_table_size: int


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The connection timeouts, in seconds."""

    tcp: int
    tcp_fin: int
    udp: int


@dataclass(frozen=True, slots=True)
class SyncDaemon:
    """A running connection sync daemon; `role` is master or backup, as IPVS calls them."""

    role: str
    interface: str
    sync_id: int
    max_length: int
    group: str
    port: int
    ttl: int
