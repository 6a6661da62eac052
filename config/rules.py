"""Rules across services and VRRP instances. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from config import codes
from config.build_service import Built
from config.build_vrrp import BuiltInstance
from config.checks import FOLLOWED_LIMIT, FollowCheck
from config.model import FirewallMark, TrackedService, VirtualEndpoint, VirtualService, VrrpGroup
from config.nodes import At, Place
from config.reading import Reading, did_you_mean, nearest

INSTANCES_LIMIT: Final = 64
ADDRESSES_LIMIT: Final = 512
"""VRRP instances and all their addresses: so many fit into one message, and a level is told in one."""


def check_services(services: Iterable[Built], reading: Reading) -> None:
    """No two services for the same packets: the kernel would take the second for the first."""
    found: dict[VirtualEndpoint | FirewallMark, Built] = {}
    for built in services:
        virtual = built.service.virtual
        first = found.setdefault(virtual, built)
        if first is not built:
            message = f"{_virtual_words(virtual)} is service `{first.service.name}` already"
            reading.error(
                codes.DUPLICATE_SERVICE, built.place, message, f"it stands at {where(first.place, built.place)}"
            )


def check_follows(services: Sequence[Built], reading: Reading) -> None:
    """A followed service must be there, have the real server, and not follow back."""
    following = [(built, found) for built in services if (found := _following(built.service))]
    if not following:
        return
    by_name = {built.service.name: built for built in services}
    for built, found in following:
        for address, name, port in found:
            _check_follow(built, address, name, port, by_name, reading)
    followed: dict[str, Sequence[str]] = dict.fromkeys(by_name, ())
    for built, found in following:
        own = built.service.name
        if by_name[own] is built:
            followed[own] = sorted({name for _address, name, _port in found if name in by_name and name != own})
    _check_circles(by_name, followed, reading)
    _check_chains(by_name, followed, reading)


def _following(service: VirtualService) -> list[tuple[str, str, int | None]]:
    """Which of its real servers follow another service: address, that service, and the port there if one is said."""
    return [
        (server.address, check.kind.service, check.port)
        for server in (*service.real_servers, *service.fallback)
        for check in server.checks
        if isinstance(check.kind, FollowCheck) and check.kind.service
    ]


def _check_follow(
    built: Built, address: str, name: str, port: int | None, services: Mapping[str, Built], reading: Reading
) -> None:
    place = _place_of_follow(built, name)
    followed = services.get(name)
    if followed is None:
        others = sorted(one for one in services if one != built.service.name)
        hint = did_you_mean(name, others) if others else "there is no other service at all"
        reading.error(codes.FOLLOW, place, f"there is no service `{name}` to follow", hint)
    elif followed is built:
        reading.error(codes.FOLLOW, place, f"service `{name}` follows itself", "follow another service")
    else:
        ports = [one.port for one in followed.service.real_servers if one.address == address]
        if not ports or (port is not None and port not in ports):
            what = address if port is None else f"{address} port {port}"
            message = f"service `{name}` has no real server {what} to follow"
            reading.error(codes.FOLLOW, place, message, "give this real server a check of its own")


def _place_of_follow(built: Built, name: str) -> Place:
    return next((at.place for at in built.follows if at.value == name), built.place)


def _check_chains(services: Mapping[str, Built], followed: Mapping[str, Sequence[str]], reading: Reading) -> None:
    """A verdict is not believed over more services than that, and every one of them is a turn later."""
    pending = {name for name, others in followed.items() if others}
    for _ in range(FOLLOWED_LIMIT):
        pending = {name for name in pending if not pending.isdisjoint(followed[name])}
    if pending and not reading.failed:  # a circle is told already
        first = next(name for name in services if name in pending)
        message = f"service `{first}` follows more than {FOLLOWED_LIMIT} others, one by one"
        place = _place_of_follow(services[first], followed[first][0])
        reading.error(codes.FOLLOW, place, message, "follow the last of them")


def _check_circles(services: Mapping[str, Built], followed: Mapping[str, Sequence[str]], reading: Reading) -> None:
    """Services that follow each other in a circle have nothing to follow; each circle is told once."""
    done: set[str] = set()
    for start in followed:
        path: dict[str, None] = {}  # in its order; thousands may follow each other, one by one
        pending = [(start, 0)]
        while pending:
            name, depth = pending.pop()
            while len(path) > depth:
                path.popitem()
            if name in path:
                names = [*path]
                circle = [*names[names.index(name) :], name]
                message = f"services follow each other in a circle: {', '.join(circle)}"
                place = _place_of_follow(services[circle[0]], circle[1])
                reading.error(codes.FOLLOW, place, message, "one of them needs a check of its own")
            elif name not in done:
                done.add(name)
                path[name] = None
                pending += [(one, depth + 1) for one in followed[name]]


def check_names(services: Iterable[Built], instances: Iterable[BuiltInstance], reading: Reading) -> None:
    """No two services, and no two instances, of one name: files in other languages bring names of their own."""
    named: dict[str, Built] = {}
    for built in services:
        first = named.setdefault(built.service.name, built)
        if first.service.virtual != built.service.virtual:  # equal ones are told by check_services
            _note_name(built.service.name, first.place, built.place, reading)
    moved: dict[str, BuiltInstance] = {}
    for instance in instances:
        mover = moved.setdefault(instance.instance.name, instance)
        if mover is not instance:
            _note_name(instance.instance.name, mover.place, instance.place, reading)


def _note_name(name: str, first: Place, second: Place, reading: Reading) -> None:
    hint = f"the first is at {where(first, second)}"
    reading.error(codes.SAID_TWICE, second, f"the name `{name}` is given twice", hint)


def check_instances(instances: Sequence[BuiltInstance], reading: Reading) -> None:
    """One virtual router id a network, every address with one instance, and an interface for each virtual MAC."""
    _check_size(instances, reading)
    _check_macs(instances, reading)
    routers: dict[tuple[str, int, bool], BuiltInstance] = {}
    movers: dict[str, tuple[BuiltInstance, Place]] = {}
    for built in instances:
        key = built.instance.interface, built.instance.virtual_router_id, built.instance.ipv6
        first = routers.setdefault(key, built)
        if first is not built:
            message = f"virtual router id {key[1]} on {key[0]} is instance `{first.instance.name}` already"
            hint = f"it stands at {where(first.place, built.place)}"
            reading.error(codes.VRRP_DUPLICATE, built.place, message, hint)
        for address, place in zip(built.instance.addresses, built.address_places, strict=True):
            mover, at = movers.setdefault(address.address, (built, place))
            if mover is not built:
                message = f"{address.address} is moved by instance `{mover.instance.name}` already"
                reading.error(codes.VRRP_DUPLICATE, place, message, f"it stands at {where(at, place)}")


def _check_macs(instances: Sequence[BuiltInstance], reading: Reading) -> None:
    taken = {built.instance.interface: built for built in instances}
    for built in instances:
        name = built.instance.virtual_mac
        first = taken.setdefault(name, built)
        if name and (first is not built or name == built.instance.interface):
            message = f"the interface {name} is of instance `{first.instance.name}` already"
            place = built.mac_place or built.place
            hint = "virtual_mac: a name of its own (keepalived.conf: use_vmac NAME)"
            reading.error(codes.VRRP_DUPLICATE, place, message, hint)


def check_groups(instances: Sequence[BuiltInstance], groups: Iterable[At[VrrpGroup]], reading: Reading) -> None:
    """A sync group of one keeps nothing together, and one without members has no role."""
    members: dict[str, list[BuiltInstance]] = {}
    for built in instances:
        if built.instance.sync_group:
            members.setdefault(built.instance.sync_group, []).append(built)
    for name, group in members.items():
        if len(group) == 1:
            message = f"the sync group `{name}` has one member, `{group[0].instance.name}`"
            reading.warning(codes.NO_EFFECT, group[0].place, message, "give its name to the others too")
    first: dict[str, Place] = {}
    for one in groups:
        name = one.value.name
        if name in first:
            _note_name(name, first[name], one.place, reading)
        elif name not in members:
            message = f"no instance is of the sync group `{name}`: its commands never run"
            reading.warning(codes.NO_EFFECT, one.place, message, f"sync_group: {name} in its members")
        first.setdefault(name, one.place)


def check_tracks(services: Iterable[Built], instances: Sequence[BuiltInstance], reading: Reading) -> None:
    """A tracked service must be there."""
    names = {built.service.name for built in services}
    for built in instances:
        for track in built.instance.tracks:
            if isinstance(track, TrackedService) and track.name not in names:
                message = f"instance `{built.instance.name}` tracks service `{track.name}`, which is not there"
                known = nearest(track.name, sorted(names))
                reading.error(codes.VRRP_TRACK, built.place, message, f"did you mean `{known}`?" if known else "")


def _check_size(instances: Sequence[BuiltInstance], reading: Reading) -> None:
    addresses = sum(len(built.instance.addresses) for built in instances)
    if len(instances) > INSTANCES_LIMIT or addresses > ADDRESSES_LIMIT:
        message = f"{len(instances)} VRRP instances with {addresses} addresses"
        hint = f"at most {INSTANCES_LIMIT} with {ADDRESSES_LIMIT}; one instance moves as many addresses as go together"
        reading.error(codes.TOO_LARGE, instances[-1].place, message, hint)


def check_virtual_addresses(services: Iterable[Built], instances: Sequence[BuiltInstance], reading: Reading) -> None:
    """Where VRRP is used at all, a virtual address that no instance moves is probably forgotten."""
    if not instances:
        return
    moved = {address.address for built in instances for address in built.instance.addresses}
    for built in services:
        virtual = built.service.virtual
        if isinstance(virtual, VirtualEndpoint) and virtual.address not in moved:
            message = f"no VRRP instance moves {virtual.address}, the address of service `{built.service.name}`"
            reading.warning(codes.VIRTUAL_NOT_MOVED, built.place, message, "add it to `addresses` under `vrrp:`")


def where(place: Place, seen_from: Place) -> str:
    """A place in words, the file only where it is another."""
    return f"line {place.line}" if place.file == seen_from.file else f"{place.file}:{place.line}"


def _virtual_words(virtual: VirtualEndpoint | FirewallMark) -> str:
    if isinstance(virtual, FirewallMark):
        return f"firewall mark {virtual.mark} ({'IPv6' if virtual.ipv6 else 'IPv4'})"
    return f"{virtual.protocol.name.lower()} {virtual.address} port {virtual.port}"
