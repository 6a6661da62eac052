"""The table printed byte for byte as `ipvsadm -S` (1.31) prints it, for `ipvsadm -R` to take back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from lvsd.ctl import spelling
from lvsd.ctl.listing import destinations_in_order, services_in_order
from lvsd.ctl.names import NUMERIC, Names
from netlink.table import Destination, Family, Service, ServiceKey, ServiceStatus

_SERVICE_OPTIONS: Mapping[int, str] = MappingProxyType({6: "-t", 17: "-u", 132: "--sctp-service"})
_OTHER_SERVICE_OPTION = "--xxx-service"  # what ipvsadm prints for a protocol that it does not know
_METHOD_OPTIONS: Mapping[int, str] = MappingProxyType({0: "-m", 1: "-g", 2: "-i", 3: "-g"})
_CHECKSUM_OPTIONS: Mapping[int, str] = MappingProxyType({0: " --tun-nocsum", 1: " --tun-csum", 2: " --tun-remcsum"})
_MASQUERADE, _TUNNEL = 0, 2
_GRE, _GRE_CHECKSUMS = 2, (0, 1)
_ONE_PACKET_PROTOCOLS = (0, 17)  # 0: a firewall mark
_LARGEST_MARK = 2**31 - 1


def render_save(statuses: Sequence[ServiceStatus], names: Names, *, numeric: bool) -> str:
    """A line for each service and destination. `statuses` come in the kernel's order, and leave sorted."""
    if numeric:
        names = NUMERIC
    lines: list[str] = []
    for status in services_in_order(statuses):
        key = status.service.key
        name = _service_name(key, names)
        lines.append(f"-A {name}{_settings(status.service)}\n")
        lines += [
            f"-a {name} {_destination(found.destination, key.protocol, names)}\n"
            for found in destinations_in_order(status.destinations)
        ]
    return "".join(lines)


def not_saved(statuses: Sequence[ServiceStatus]) -> tuple[str, ...]:
    """What of this table `ipvsadm -R` will not give back, a sentence each. ipvsadm -S leaves it out without a word."""
    pairs = [(status.service.key, found.destination) for status in statuses for found in status.destinations]
    counts = (
        (
            sum(1 for _, one in pairs if one.upper_threshold or one.lower_threshold),
            "real servers have thresholds, for which the format has no words",
        ),
        (
            sum(1 for key, one in pairs if _port_changes(key, one)),
            "real servers have a port of their own without masquerading: ipvsadm -R gives them their service's",
        ),
        (
            sum(1 for status in statuses if status.service.key.fwmark > _LARGEST_MARK),
            "firewall marks are above 2147483647, and refused by ipvsadm -R",
        ),
        (
            sum(1 for status in statuses if _strange(status.service)) + sum(1 for _, one in pairs if _unheard(one)),
            "entries are of a kind that ipvsadm does not take, and refused or changed by ipvsadm -R",
        ),
    )
    return tuple(f"{count} {sentence}" for count, sentence in counts if count)


def _port_changes(key: ServiceKey, destination: Destination) -> bool:
    return not key.fwmark and destination.forwarding != _MASQUERADE and destination.key.port != key.port


def _strange(service: Service) -> bool:
    """A protocol or scheduler flags without a name; or what is checked by ipvsadm, though not by the kernel."""
    key = service.key
    if key.protocol not in _SERVICE_OPTIONS and not key.fwmark:
        return True
    nameless = set(spelling.SCHEDULER_FLAGS) - set(spelling.named_flags(service.scheduler))
    if any(service.flags & flag for flag in nameless):
        return True
    everywhere = not key.fwmark and not key.port and not service.flags & spelling.PERSISTENT
    return everywhere or bool(service.flags & spelling.ONE_PACKET and key.protocol not in _ONE_PACKET_PROTOCOLS)


def _unheard(destination: Destination) -> bool:
    if destination.forwarding not in _METHOD_OPTIONS:
        return True
    if destination.forwarding != _TUNNEL or destination.tunnel_type == 0:
        return False
    known = _GRE_CHECKSUMS if destination.tunnel_type == _GRE else tuple(_CHECKSUM_OPTIONS)
    return destination.tunnel_type > _GRE or destination.tunnel_flags not in known


def _service_name(key: ServiceKey, names: Names) -> str:
    if key.fwmark:
        return f"-f {spelling.signed(key.fwmark)}" + (" -6" if key.family is Family.INET6 else "")
    option = _SERVICE_OPTIONS.get(key.protocol, _OTHER_SERVICE_OPTION)
    return f"{option} {spelling.endpoint(names, key.address, key.port, key.protocol)}"


def _settings(service: Service) -> str:
    words = [f"-s {service.scheduler}"]
    if service.flags & spelling.PERSISTENT:
        words.append(f"-p {service.timeout}")
        words += [f"-M {mask}" for mask in spelling.netmask(service)]
    if service.persistence_engine:
        words.append(f"--pe {service.persistence_engine}")
    if service.flags & spelling.ONE_PACKET:
        words.append("-o")
    if any(service.flags & flag for flag in spelling.SCHEDULER_FLAGS):
        words.append(f"-b {spelling.scheduler_flags(service)}")
    return "".join(f" {word}" for word in words)


def _destination(destination: Destination, protocol: int, names: Names) -> str:
    key = destination.key
    name = spelling.endpoint(names, key.address, key.port, protocol)
    method = _METHOD_OPTIONS.get(destination.forwarding, spelling.UNNAMED)
    return f"-r {name} {method} -w {spelling.signed(destination.weight)}{_tunnel(destination)}"


def _tunnel(destination: Destination) -> str:
    checksum = _CHECKSUM_OPTIONS.get(destination.tunnel_flags, "")  # ipvsadm crashes on any other
    match destination.forwarding, destination.tunnel_type:
        case (2, 0):
            return " --tun-type ipip"
        case (2, 1):
            return f" --tun-type gue --tun-port {destination.tunnel_port}{checksum}"
        case (2, 2):
            return f" --tun-type gre{checksum}"
        case _:
            return ""
