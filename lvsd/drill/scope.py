"""What a drill works on: what can be watched from here, who speaks, which connections are kept. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

from lvsd.control.messages import Datagram, PortraitsReply
from lvsd.control.portrait import InstancePortrait, Portrait
from lvsd.drill.report import Connections

WATCHED_LIMIT: Final = 64


class Target(NamedTuple):
    """What is asked again and again: a SYN over TCP, or a datagram over UDP."""

    address: str
    port: int
    datagram: bytes = b""

    @property
    def ipv6(self) -> bool:
        """Its family."""
        return ":" in self.address

    @property
    def name(self) -> str:
        """As services are called: `tcp 192.0.2.1:80`."""
        host = f"[{self.address}]" if self.ipv6 else self.address
        return f"{'udp' if self.datagram else 'tcp'} {host}:{self.port}"


class Scope(NamedTuple):
    """What is watched, and why the rest is not."""

    targets: tuple[Target, ...]
    unwatched: tuple[str, ...]


def together(own: Portrait, names: Sequence[str]) -> tuple[str, ...]:
    """The names with those of their sync groups, which move with them; unknown ones as they are."""
    groups = {one.sync_group for one in own.instances if one.name in names} - {""}
    others = (one.name for one in own.instances if one.sync_group in groups and one.name not in names)
    return (*names, *others)


def moving(instances: Sequence[InstancePortrait]) -> tuple[str, ...]:
    """The addresses that move with these instances, without their prefix lengths."""
    return tuple(address.partition("/")[0] for one in instances for address in one.addresses)


def watched(
    own: Portrait,
    instances: Sequence[InstancePortrait],
    datagrams: Mapping[str, Datagram],
    further: Sequence[tuple[str, int]] = (),
) -> Scope:
    """The services on the addresses that move, and what a person wants watched beside them."""
    addresses = frozenset(moving(instances))
    targets = [Target(*one) for one in further]
    unwatched: list[str] = []
    for name in own.services:
        found = _target(name, addresses, datagrams.get(name, Datagram(why="its check is not known")))
        match found:
            case Target() if found in targets:
                pass
            case Target() if len(targets) < WATCHED_LIMIT:
                targets.append(found)
            case Target():
                unwatched.append(f"{name}: {WATCHED_LIMIT} services are watched, not more")
            case str():
                unwatched.append(f"{name}: {found}")
            case None:
                pass
    return Scope(tuple(targets), tuple(unwatched))


def _target(name: str, addresses: frozenset[str], datagram: Datagram) -> Target | str | None:
    """How to watch a service, or why it cannot be; None: it does not move."""
    protocol, _, endpoint = name.partition(" ")
    if protocol == "fwmark":
        return "a firewall mark has no address of its own; `--watch ADDRESS:PORT` names one of a service over TCP"
    host, _, port = endpoint.rpartition(":")
    address = host.strip("[]")
    if address not in addresses:
        return None
    match protocol:
        case "tcp" | "udp" if not int(port):
            return "it takes every port; `--watch ADDRESS:PORT` names one over TCP"
        case "tcp":
            return Target(address, int(port))
        case "udp" if datagram.payload:
            return Target(address, int(port), datagram.payload)
        case "udp":
            return datagram.why
        case _:
            return f"{protocol.upper()} is not probed"


def stray(further: Sequence[tuple[str, int]], instances: Sequence[InstancePortrait]) -> str:
    """The first address that a person wants watched though it does not move; empty: there is none."""
    addresses = moving(instances)
    return next((address for address, _ in further if address not in addresses), "")


def source(instances: Sequence[InstancePortrait]) -> str:
    """Whom probes over IPv4 come from: the address that the active router, which we are, advertises from."""
    found = [one.active_router for one in instances if one.active_router and not one.ipv6]
    return found[0] if found else ""


def towards(own: Portrait, *, ipv6: bool) -> Iterator[str]:
    """Real servers of one family: our address towards one of them is where its answer comes."""
    for service in own.services.values():
        for real in service.real_servers:
            address = real.rpartition(":")[0].strip("[]")
            if (ip_address(address).version == 6) is ipv6:  # noqa: PLR2004 (IPv6)
                yield address


def kept(before: PortraitsReply) -> tuple[Connections, ...]:
    """Of the connections at the beginning, how many a peer knew of."""
    peers = [one.portrait for one in before.peers if one.portrait is not None]
    rows = []
    for name, service in before.own.services.items():
        known = max((peer.services[name].connections for peer in peers if name in peer.services), default=0)
        if service.connections:
            rows.append(Connections(name, service.connections, min(known, service.connections)))
    return tuple(rows)
