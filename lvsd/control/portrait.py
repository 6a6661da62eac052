"""How a balancer describes itself to its peer: what a failover depends on, and no secret. Pure.

One type for both ways: the peer's answer over the network (lvsd.control.peer), and lvsctl's question at home.
"""

from __future__ import annotations

import msgspec


class RealServerPortrait(msgspec.Struct, frozen=True):
    """A real server of a service: as configured, as found, as the kernel has it."""

    state: str  # up, down, unknown
    reason: str
    weight: int  # configured
    settings: str  # what the kernel is to know of it beside the weight
    wanted: int | None  # weight; None: not in the table
    held: int | None


class ServicePortrait(msgspec.Struct, frozen=True):
    """A virtual service; `settings` and `held_settings` in one line, as it is to be and as the kernel has it.

    `mark`: a digest of all that is configured of it, keyed with the secret of the peers; empty: there is none.
    """

    settings: str
    held_settings: str
    real_servers: dict[str, RealServerPortrait]  # by address:port
    strangers: tuple[str, ...] = ()  # destinations in the kernel that nobody configured
    connections: int = 0  # active ones that the kernel knows of
    mark: str = ""


class InstancePortrait(msgspec.Struct, frozen=True):
    """A VRRP instance. Balancers may name it differently: the virtual router id and the family tell it.

    `password`: a digest of it, keyed with the secret of the peers; empty: there is none.
    """

    name: str
    virtual_router_id: int
    ipv6: bool
    version: int
    interval: float
    addresses: tuple[str, ...]
    priority: int
    preempt: bool
    role: str
    active_router: str
    fault: str = ""
    yielded: bool = False
    standbys: tuple[str, ...] = ()
    interface: str = ""
    password: str = ""
    accept: bool = True
    virtual_mac: bool = False
    sync_group: str = ""


class Portrait(msgspec.Struct, frozen=True):
    """A whole balancer."""

    node: str
    services: dict[str, ServicePortrait]  # by virtual service, as `tcp 192.0.2.1:80`
    instances: tuple[InstancePortrait, ...]
    sync_wanted: str = ""  # the role, as configured; empty: none
    sync_running: tuple[str, ...] = ()  # `master eth0 syncid 1`
    sysctls: dict[str, int] = {}
    troubles: tuple[str, ...] = ()  # processes that are gone, operations the kernel refused, a table it cannot read
    present: tuple[str, ...] = ()  # virtual addresses that are there: `192.0.2.100 on eth0`
    time: float = 0.0  # seconds since 1970
