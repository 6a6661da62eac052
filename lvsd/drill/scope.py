"""What a drill works on: what can be watched from here, who speaks, which connections are kept. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lvsd.control.messages import PortraitsReply
from lvsd.control.portrait import InstancePortrait, Portrait
from lvsd.drill.report import Connections

WATCHED_LIMIT: Final = 64

Target = tuple[str, int]
"""Address and port."""


def moving(instances: Sequence[InstancePortrait]) -> tuple[str, ...]:
    """The addresses that move with these instances, without their prefix lengths."""
    return tuple(address.partition("/")[0] for one in instances for address in one.addresses)


def watched(own: Portrait, instances: Sequence[InstancePortrait]) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """TCP services over IPv4 on the addresses that move, and those that cannot be watched from here."""
    addresses = frozenset(moving(instances))
    targets: list[Target] = []
    others: list[str] = []
    for name in own.services:
        protocol, _, endpoint = name.partition(" ")
        address, _, port = endpoint.rpartition(":")
        if protocol == "tcp" and address in addresses and int(port) and len(targets) < WATCHED_LIMIT:
            targets.append((address, int(port)))
        elif address.strip("[]") in addresses or protocol.startswith("fwmark"):
            others.append(name)
    return tuple(targets), tuple(others)


def source(instances: Sequence[InstancePortrait]) -> str:
    """Whom the probes come from: the address that the active router, which we are, advertises from."""
    found = [one.active_router for one in instances if one.active_router and not one.ipv6]
    return found[0] if found else "127.0.0.1"


def kept(before: PortraitsReply) -> tuple[Connections, ...]:
    """Of the connections at the beginning, how many a peer knew of."""
    peers = [one.portrait for one in before.peers if one.portrait is not None]
    rows = []
    for name, service in before.own.services.items():
        known = max((peer.services[name].connections for peer in peers if name in peer.services), default=0)
        if service.connections:
            rows.append(Connections(name, service.connections, min(known, service.connections)))
    return tuple(rows)
