"""A service's real and fallback servers, with every rule inside one of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from config import codes, shape_checks
from config import shape_services as keys
from config.build_check import Probes, build_checks, dials_a_port, inherit_probes, timing_of
from config.checks import AgentCheck, Check, NoCheck
from config.model import FirewallMark, RealServer, Tunnel, VirtualEndpoint
from config.network import is_ipv6
from config.nodes import At, Place
from config.reading import Reading
from config.sections import Fields
from config.words import Forwarding, Initial, TunnelChecksum, TunnelType


class Frame(msgspec.Struct, frozen=True):
    """What a real server inherits: the service's keys over the defaults, its check's, its virtual side if known.

    `port`: the virtual one, 0 for a firewall mark, which has none. `weight`: of those that say none.
    """

    fields: Fields
    probes: Probes
    virtual: VirtualEndpoint | FirewallMark | None
    port: int
    weight: int


def frame_of(fields: Fields, probes: Probes, virtual: VirtualEndpoint | FirewallMark | None) -> Frame:
    """What the real servers of a service inherit."""
    port = virtual.port if isinstance(virtual, VirtualEndpoint) else 0
    return Frame(fields, probes, virtual, port, fields.value(keys.WEIGHT, 1))


def level_probes(outer: Probes, said: Fields, reading: Reading) -> Probes:
    """What a level's real servers are probed with."""
    return inherit_probes(outer, said.get(keys.CHECK_KEY), said.get(keys.CHECKS_KEY), reading)


def written_checks(said: Fields) -> tuple[Fields, ...]:
    """The checks one level says, as they stand there."""
    one, several = said.get(keys.CHECK_KEY), said.get(keys.CHECKS_KEY)
    return (*((one.value,) if one else ()), *(at.value for at in (several.value if several else ())))


def is_ipv6_service(virtual: VirtualEndpoint | FirewallMark) -> bool:
    """The family of what clients use."""
    return virtual.ipv6 if isinstance(virtual, FirewallMark) else is_ipv6(virtual.address)


def build_real_servers(said: Fields, frame: Frame, reading: Reading) -> tuple[RealServer, ...]:
    """The real servers, every default filled in."""
    listed = said.value(keys.REAL_SERVERS, ())
    shared = not listed or any(not says_checks(at.value) for at in listed)
    checks = build_checks(frame.probes, reading) if shared else _NOT_PROBED
    found: dict[tuple[str, int], Place] = {}
    servers = []
    for at, server in _each(listed, frame, (frame.probes, checks), reading):
        key = server.address, server.port
        if key in found:
            message = f"the real server {server.address} port {server.port} is listed twice"
            reading.error(codes.DUPLICATE_REAL_SERVER, at.place, message, f"the first is on line {found[key].line}")
        found.setdefault(key, at.place)
        servers.append(server)
    return tuple(servers)


def _each(
    listed: Iterable[At[Fields]], frame: Frame, shared: tuple[Probes, tuple[Check, ...]], reading: Reading
) -> Iterator[tuple[At[Fields], RealServer]]:
    """The servers that can be read. Of those that say little the first that is right is the pattern of the others."""
    pattern: RealServer | None = None
    for at in listed:
        says_little = _says_little(at.value)
        if says_little and pattern is not None:
            yield at, _after(pattern, at.value, frame, reading)
            continue
        noted = reading.noted
        server = _real_server(at.value, frame, shared, reading)
        if server is not None:
            if says_little and reading.noted == noted and _is_pattern(server):
                pattern = server
            yield at, server


def _says_little(said: Fields) -> bool:
    """Whether it differs from its like in what `_after` looks at alone, and nothing it says was refused."""
    if not said.key_places.keys() <= _OWN or said.meant:
        return False
    return keys.REAL_ADDRESS.name in said.values and len(said.values) == len(said.key_places)


def _is_pattern(server: RealServer) -> bool:
    """Whether its checks are those of every other, whatever their addresses and weights."""
    return not any(isinstance(check.kind, AgentCheck) or check.dial.source for check in server.checks)


def _after(pattern: RealServer, said: Fields, frame: Frame, reading: Reading) -> RealServer:
    """What `_real_server` would make of it, nothing being wrong with what it shares with the pattern."""
    address: At[str] = said.values[keys.REAL_ADDRESS.name]
    port = said.value(keys.REAL_PORT, frame.port)
    if frame.virtual is not None:
        _check_address(address, pattern.forwarding, frame.virtual, reading)
        _check_port(said, port, pattern.forwarding, frame, reading)
        if port == 0 == frame.port:
            _check_probe_port(said, pattern.checks, reading)
    return RealServer(
        address=address.value,
        port=port,
        weight=said.value(keys.WEIGHT, frame.weight),
        forwarding=pattern.forwarding,
        check=pattern.check,
        upper_threshold=pattern.upper_threshold,
        lower_threshold=pattern.lower_threshold,
        tunnel=pattern.tunnel,
        further_checks=pattern.further_checks,
        on_up=pattern.on_up,
        on_down=pattern.on_down,
        needed=pattern.needed,
        initial=pattern.initial,
        priority_group=said.value(keys.PRIORITY_GROUP, 1),
    )


def build_fallback(
    said: Fields, frame: Frame, real_servers: tuple[RealServer, ...], defaults: Probes, reading: Reading
) -> tuple[RealServer, ...]:
    """Servers for when no real server serves; one that is a real server too could never step in.

    The service's checks are not theirs, nor what goes with them; of the defaults' they have the timing.
    """
    listed = said.value(keys.FALLBACK, ())
    if not listed:
        return ()
    alone = frame_of(frame.fields.only(_FOR_FALLBACK), timing_of(defaults), frame.virtual)
    taken = {(server.address, server.port) for server in real_servers}
    servers = []
    for at in listed:
        server = _real_server(at.value, alone, (Probes(), _NOT_PROBED), reading)
        if server is None:
            continue
        if (server.address, server.port) in taken:
            message = f"the fallback server {server.address} port {server.port} is listed already"
            reading.error(codes.DUPLICATE_REAL_SERVER, at.place, message, "it can be one or the other, once")
        taken.add((server.address, server.port))
        servers.append(server)
    return tuple(servers)


def _real_server(
    said: Fields, frame: Frame, shared: tuple[Probes, tuple[Check, ...]], reading: Reading
) -> RealServer | None:
    """One server; `shared` are the checks of those that say none."""
    address = said.get(keys.REAL_ADDRESS)
    if address is None:
        return None
    fields = said.over(frame.fields, without=_SERVICE_ONLY)
    forwarding = fields.value(keys.FORWARDING, Forwarding.DIRECT)
    port = said.value(keys.REAL_PORT, frame.port)
    if frame.virtual is not None:
        _check_address(address, forwarding, frame.virtual, reading)
        _check_port(said, port, forwarding, frame, reading)
    upper, lower = fields.value(keys.UPPER_THRESHOLD, 0), fields.value(keys.LOWER_THRESHOLD, 0)
    if lower > upper:  # the kernel's ERANGE (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_add_dest)
        message = f"the lower threshold {lower} is above the upper threshold {upper}"
        reading.error(codes.THRESHOLDS, fields.place_of(keys.LOWER_THRESHOLD), message, "lower it, or raise the upper")
    weight = fields.value(keys.WEIGHT, 1)
    probes, checks = _own_checks(said, frame, reading) if says_checks(said) else shared
    _check_sources(probes, checks, address.value, reading)
    needed = _needed(fields, len(checks), reading)
    _check_agents(probes, checks, needed, reading)
    if port == 0 == frame.port and frame.virtual is not None:
        _check_probe_port(said, checks, reading)
    checks = tuple(_weighed(check, weight) for check in checks)
    on_failure = said.get(keys.ON_FAILURE)
    return RealServer(
        address=address.value,
        port=port,
        weight=weight,
        forwarding=forwarding,
        check=checks[0],
        upper_threshold=upper,
        lower_threshold=lower,
        tunnel=_tunnel(said, fields, forwarding, reading),
        further_checks=checks[1:],
        on_failure=on_failure.value if on_failure else None,
        on_up=fields.value(keys.ON_UP, ()),
        on_down=fields.value(keys.ON_DOWN, ()),
        needed=needed,
        initial=fields.value(keys.INITIAL, Initial.ADOPT),
        priority_group=said.value(keys.PRIORITY_GROUP, 1),
    )


def _own_checks(said: Fields, frame: Frame, reading: Reading) -> tuple[Probes, tuple[Check, ...]]:
    probes = level_probes(frame.probes, said, reading)
    return probes, build_checks(probes, reading)


def _weighed(check: Check, weight: int) -> Check:
    """An agent's percentages are those of the real server's weight."""
    if not isinstance(check.kind, AgentCheck):
        return check
    return replace(check, kind=replace(check.kind, weight=weight))


def _needed(fields: Fields, checks: int, reading: Reading) -> int:
    needed = fields.value(keys.CHECKS_NEEDED, 0)
    if needed > checks:
        message = f"{needed} checks must be healthy, and there {'is' if checks == 1 else 'are'} {checks}"
        reading.error(codes.OUT_OF_RANGE, fields.place_of(keys.CHECKS_NEEDED), message, "checks_needed: all")
    return needed


def _check_agents(probes: Probes, checks: tuple[Check, ...], needed: int, reading: Reading) -> None:
    """An agent that cannot be asked is no failure: where nothing else is needed, nobody looks after the service."""
    agents = [said for said, check in zip(probes.each(), checks, strict=True) if isinstance(check.kind, AgentCheck)]
    if agents and (len(agents) == len(checks) or 0 < needed <= len(agents)):
        message = "the agent's word alone is enough, and one that cannot be asked is no failure"
        hint = "another check beside it under `checks:`, and `checks_needed: all`"
        reading.warning(codes.AGENT_ALONE, agents[0].place_of(shape_checks.TYPE), message, hint)


def _check_sources(probes: Probes, checks: tuple[Check, ...], address: str, reading: Reading) -> None:
    """A packet has both its addresses of one family."""
    for said, check in zip(probes.each(), checks, strict=True):
        source, target = check.dial.source, check.address or address
        if source and is_ipv6(source) != is_ipv6(target):
            message = f"the source {source} is not of the family of {target}, which is probed"
            place = said.place_of(shape_checks.SOURCE)
            reading.error(codes.FAMILY, place, message, "another `source` there, or `source: false`")


def _tunnel(said: Fields, fields: Fields, forwarding: Forwarding, reading: Reading) -> Tunnel:
    """The encapsulation, where there is one; only what the real server says itself is told when it has no effect."""
    written = fields.get(keys.TUNNEL)
    if forwarding is not Forwarding.TUNNEL:
        if said.said(keys.TUNNEL):
            place = said.place_of(keys.TUNNEL)
            reading.warning(codes.NO_EFFECT, place, "`tunnel` has no effect here", "forwarding: tunnel")
        return Tunnel()
    if written is None:
        return Tunnel()
    own = written.value
    type_ = own.value(keys.TUNNEL_TYPE, TunnelType.IPIP)
    port, checksum = own.value(keys.TUNNEL_PORT, 0), own.value(keys.TUNNEL_CHECKSUM, TunnelChecksum.NONE)
    if type_ is TunnelType.GUE and not own.said(keys.TUNNEL_PORT):
        message = "a gue tunnel needs `port`: the UDP port the real server takes the packets on"
        reading.error(codes.MISSING_KEY, own.place, message, "tunnel: {type: gue, port: 6080}")
    if type_ is not TunnelType.GUE and own.said(keys.TUNNEL_PORT):
        place = own.place_of(keys.TUNNEL_PORT)
        reading.error(codes.CONTRADICTION, place, "`port` belongs to gue alone", "type: gue, or remove it")
    if checksum not in _CHECKSUMS[type_]:
        place, message = (
            own.place_of(keys.TUNNEL_CHECKSUM),
            f"{type_.name.lower()} has no {checksum.name.lower()} checksum",
        )
        reading.error(codes.CONTRADICTION, place, message, "gre: none or checksum; gue: none, checksum or remote")
    return Tunnel(type_, port, checksum)


_CHECKSUMS: Final = {
    TunnelType.IPIP: (TunnelChecksum.NONE,),
    TunnelType.GRE: (TunnelChecksum.NONE, TunnelChecksum.CHECKSUM),
    TunnelType.GUE: (TunnelChecksum.NONE, TunnelChecksum.CHECKSUM, TunnelChecksum.REMOTE),
}


_NOT_PROBED: Final = (Check(NoCheck()),)
_FOR_FALLBACK: Final = frozenset(
    key.name for key in (keys.FORWARDING, keys.TUNNEL, keys.WEIGHT, keys.UPPER_THRESHOLD, keys.LOWER_THRESHOLD)
)


def says_checks(said: Fields) -> bool:
    """Whether this level says how to probe."""
    return said.said(keys.CHECK_KEY) or said.said(keys.CHECKS_KEY)


_OWN: Final = frozenset(key.name for key in (keys.REAL_ADDRESS, keys.REAL_PORT, keys.WEIGHT, keys.PRIORITY_GROUP))
_SERVICE_ONLY: Final = frozenset((keys.PERSISTENCE.name, keys.FLAGS.name, keys.SCHEDULER.name))
"""Keys whose values have no place in a real server; the others are read from it by their names."""


def _check_address(
    address: At[str], forwarding: Forwarding, virtual: VirtualEndpoint | FirewallMark, reading: Reading
) -> None:
    if isinstance(virtual, VirtualEndpoint) and address.value == virtual.address:
        message = f"the real server {address.value} is the virtual address itself"
        reading.error(codes.REAL_IS_VIRTUAL, address.place, message, "give the real server's own address")
    elif is_ipv6(address.value) != is_ipv6_service(virtual) and forwarding is not Forwarding.TUNNEL:
        mine, other = ("IPv6", "IPv4") if is_ipv6(address.value) else ("IPv4", "IPv6")
        message = f"the real server {address.value} is {mine}, its service {other}"
        reading.error(codes.FAMILY, address.place, message, "only `forwarding: tunnel` crosses families")


def _check_port(said: Fields, port: int, forwarding: Forwarding, frame: Frame, reading: Reading) -> None:
    """Under a firewall mark the kernel takes any port with any method: it stands in the connection's entry alone."""
    if port == frame.port or isinstance(frame.virtual, FirewallMark):
        return
    place = said.place_of(keys.REAL_PORT)
    if forwarding is not Forwarding.MASQUERADE:
        message = f"port {port} of the real server differs from the virtual port {frame.port or '(any)'}"
        hint = f"{forwarding.name.lower()} does not rewrite ports: leave it out, or forwarding: masquerade"
        reading.error(codes.PORT_REWRITE, place, message, hint)
    elif port == 0 or frame.port == 0:
        message = f"port {port} of the real server does not go with the virtual port {frame.port}"
        reading.error(codes.PORT_ZERO, place, message, "leave it out")


def _check_probe_port(said: Fields, checks: tuple[Check, ...], reading: Reading) -> None:
    """A real server without a port of its own leaves its checks without one too."""
    if any(check.port is None and dials_a_port(check.kind) for check in checks):
        hint = "check: {port: 25}, or check: {type: none}"
        reading.error(codes.CHECK_WITHOUT_PORT, said.place, "the check does not know which port to probe", hint)
