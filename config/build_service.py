"""A service's keys to a virtual service, with every rule inside one service. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from config import codes, shape
from config.build_check import Probes, build_checks, dials_a_port, inherit_probes
from config.checks import Check, NoCheck
from config.model import FirewallMark, Persistence, RealServer, VirtualEndpoint, VirtualService
from config.network import Endpoint, is_ipv6
from config.nodes import At, Place
from config.reading import Reading
from config.sections import Fields, Key
from config.words import HASHING_SCHEDULERS, SCHEDULER_FLAGS, Forwarding, OnFailure, Protocol

ONE_PACKET_FLAG: Final = 0x4  # IP_VS_SVC_F_ONEPACKET, include/uapi/linux/ip_vs.h
_LONGEST = {False: 32, True: 128}  # prefix lengths by "is IPv6"

Virtual = VirtualEndpoint | FirewallMark


@dataclass(frozen=True, slots=True)
class Built:
    """A service and the place of its virtual address."""

    service: VirtualService
    place: Place


@dataclass(frozen=True, slots=True)
class Defaults:
    """What every service inherits, the check apart: it has rules of its own."""

    fields: Fields
    probes: Probes


@dataclass(frozen=True, slots=True)
class Frame:
    """What a real server inherits: the service's keys over the defaults, its check's, its virtual side if known."""

    fields: Fields
    probes: Probes
    virtual: Virtual | None

    @property
    def port(self) -> int:
        """The virtual port; 0 for a firewall mark, which has none."""
        return self.virtual.port if isinstance(self.virtual, VirtualEndpoint) else 0


def read_defaults(fields: Fields, reading: Reading) -> Defaults:
    """The defaults; the keys of their check must belong to the type it says."""
    return Defaults(fields, _inherited(Probes(), fields, reading))


def _inherited(outer: Probes, said: Fields, reading: Reading) -> Probes:
    return inherit_probes(outer, said.get(shape.CHECK_KEY), said.get(shape.CHECKS_KEY), reading)


def build_service(name: str, said: Fields, defaults: Defaults, reading: Reading) -> Built | None:
    """The service, every default filled in; None when it has no usable virtual side."""
    fields = said.over(defaults.fields)
    virtual = _virtual(said, reading)
    persistence = _persistence(fields, virtual, reading)
    scheduler = fields.value(shape.SCHEDULER, "" if fields.said(shape.SCHEDULER) else "wrr")
    flags = _flags(said, defaults.fields, scheduler, reading) | _one_packet(said, virtual, reading)
    _check_port_zero(fields, virtual, persistence, reading)
    frame = Frame(fields, _inherited(defaults.probes, said, reading), virtual)
    real_servers = _real_servers(said, frame, reading)
    fallback = _fallback(said, frame, real_servers, reading)
    if virtual is None:
        return None
    on_failure = fields.value(shape.ON_FAILURE, OnFailure.REMOVE)
    service = VirtualService(name, virtual, scheduler, real_servers, flags, persistence, on_failure, fallback)
    return Built(service, _virtual_place(said))


def _virtual_place(said: Fields) -> Place:
    endpoint, mark = said.get(shape.VIRTUAL), said.get(shape.FWMARK)
    if endpoint is not None:
        return endpoint.place
    return mark.place if mark is not None else said.place


def _virtual(said: Fields, reading: Reading) -> Virtual | None:
    """What clients reach, or None after noting why it is not known."""
    if said.said(shape.VIRTUAL) and said.said(shape.FWMARK):
        place = said.place_of(shape.FWMARK)
        reading.error(
            codes.CONTRADICTION, place, "`virtual` and `fwmark` cannot both be said", "make two services of it"
        )
        return None
    if not said.said(shape.VIRTUAL) and not said.said(shape.FWMARK):
        hint = "virtual: 1.1.1.12:443, or fwmark: 7"
        reading.error(codes.MISSING_KEY, said.place, "a service needs `virtual` or `fwmark`", hint)
        return None
    mark = said.get(shape.FWMARK)
    if said.said(shape.FWMARK):
        _contradicts(said, shape.PROTOCOL, "a firewall mark covers every protocol", reading)
        return FirewallMark(mark.value, said.value(shape.FAMILY_KEY, default=False)) if mark else None
    _contradicts(said, shape.FAMILY_KEY, "the address tells the family", reading)
    endpoint: At[Endpoint] | None = said.get(shape.VIRTUAL)
    if endpoint is None:
        return None
    return VirtualEndpoint(said.value(shape.PROTOCOL, Protocol.TCP), endpoint.value.address, endpoint.value.port or 0)


def _contradicts(said: Fields, key: Key[object], why: str, reading: Reading) -> None:
    if said.said(key):
        reading.error(codes.CONTRADICTION, said.place_of(key), f"`{key.name}` cannot be said here: {why}", "remove it")


def _ipv6(virtual: Virtual) -> bool:
    return virtual.ipv6 if isinstance(virtual, FirewallMark) else is_ipv6(virtual.address)


def _persistence(fields: Fields, virtual: Virtual | None, reading: Reading) -> Persistence | None:
    said = fields.value(shape.PERSISTENCE, None)
    if said is None or virtual is None:
        return None
    longest = _LONGEST[_ipv6(virtual)]
    netmask = said.get(shape.NETMASK)
    if netmask is not None and netmask.value > longest:
        message = f"a netmask of {netmask.value} bits does not fit the service's family"
        reading.error(codes.OUT_OF_RANGE, netmask.place, message, f"from 1 to {longest}")
    seconds = int(said.value(shape.PERSISTENCE_TIMEOUT, 1.0))
    return Persistence(seconds, netmask.value if netmask else longest)


def _check_port_zero(
    fields: Fields, virtual: Virtual | None, persistence: Persistence | None, reading: Reading
) -> None:
    """The kernel refuses port 0, which means every port, unless clients are kept together."""
    if isinstance(virtual, VirtualEndpoint) and virtual.port == 0 and persistence is None:
        if fields.said(shape.PERSISTENCE) and fields.get(shape.PERSISTENCE) is None:
            return  # it was meant, and what is wrong with it is noted already
        hint = "add `persistence: 5m`, or name a port"
        reading.error(codes.PORT_ZERO, _virtual_place(fields), "port 0 (every port) needs persistence", hint)


def _flags(said: Fields, defaults: Fields, scheduler: str, reading: Reading) -> int:
    """The scheduler's flags as the kernel's bits.

    A hashing scheduler falls back to another real server unless told otherwise: its real servers leave by weight 0,
    and without the flag their clients would be dropped (net/netfilter/ipvs/ip_vs_sh.c, ip_vs_mh.c).
    """
    own = said.get(shape.FLAGS)
    for flag in own.value if own else ():
        if not _flag_fits(flag.value, scheduler):
            message = f"`{flag.value}` is no flag of the scheduler {scheduler}"
            reading.error(codes.FLAG_OF_OTHER_SCHEDULER, flag.place, message, "flag-1, flag-2 and flag-3 fit any")
    inherited = defaults.get(shape.FLAGS)
    words = [flag.value for flag in (own or inherited or At((), said.place)).value if _flag_fits(flag.value, scheduler)]
    silent = own is None and (inherited is None or (not words and bool(inherited.value)))
    if silent and scheduler in HASHING_SCHEDULERS:
        words = [f"{scheduler}-fallback"]
    bits = 0
    for word in words:
        bits |= SCHEDULER_FLAGS[word]
    return bits


def _flag_fits(flag: str, scheduler: str) -> bool:
    """Whether the scheduler knows the flag; one that was refused (empty) is taken to know all."""
    return not scheduler or flag.partition("-")[0] in ("flag", scheduler)


def _one_packet(said: Fields, virtual: Virtual | None, reading: Reading) -> int:
    at = said.get(shape.ONE_PACKET)
    if at is None or not at.value:
        return 0
    if isinstance(virtual, VirtualEndpoint) and virtual.protocol is not Protocol.UDP:
        message = f"`one_packet` needs UDP, this service is {virtual.protocol.name}"
        reading.error(codes.ONE_PACKET, said.place_of(shape.ONE_PACKET), message, "protocol: udp")
    return ONE_PACKET_FLAG


def _real_servers(said: Fields, frame: Frame, reading: Reading) -> tuple[RealServer, ...]:
    listed = said.value(shape.REAL_SERVERS, ())
    shared = not listed or any(not _says_checks(at.value) for at in listed)
    checks = build_checks(frame.probes, reading) if shared else _NOT_PROBED
    found: dict[tuple[str, int], Place] = {}
    servers = []
    for at in listed:
        server = _real_server(at.value, frame, checks, reading)
        if server is None:
            continue
        key = server.address, server.port
        if key in found:
            message = f"the real server {server.address} port {server.port} is listed twice"
            reading.error(codes.DUPLICATE_REAL_SERVER, at.place, message, f"the first is on line {found[key].line}")
        found.setdefault(key, at.place)
        servers.append(server)
    return tuple(servers)


def _fallback(
    said: Fields, frame: Frame, real_servers: tuple[RealServer, ...], reading: Reading
) -> tuple[RealServer, ...]:
    """Servers for when no real server serves; one that is a real server too could never step in."""
    taken = {(server.address, server.port) for server in real_servers}
    servers = []
    for at in said.value(shape.FALLBACK, ()):
        server = _real_server(at.value, frame, _NOT_PROBED, reading, probed=False)
        if server is None:
            continue
        if (server.address, server.port) in taken:
            message = f"the fallback server {server.address} port {server.port} is listed already"
            reading.error(codes.DUPLICATE_REAL_SERVER, at.place, message, "it can be one or the other, once")
        taken.add((server.address, server.port))
        servers.append(server)
    return tuple(servers)


def _real_server(
    said: Fields, frame: Frame, shared: tuple[Check, ...], reading: Reading, *, probed: bool = True
) -> RealServer | None:
    address = said.get(shape.REAL_ADDRESS)
    if address is None:
        return None
    fields = said.over(frame.fields, without=_SERVICE_ONLY)
    forwarding = fields.value(shape.FORWARDING, Forwarding.DIRECT)
    port = said.value(shape.REAL_PORT, frame.port)
    if frame.virtual is not None:
        _check_address(address, forwarding, frame.virtual, reading)
        _check_port(said, port, forwarding, frame, reading)
    upper, lower = fields.value(shape.UPPER_THRESHOLD, 0), fields.value(shape.LOWER_THRESHOLD, 0)
    if lower > upper:  # the kernel's ERANGE (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_add_dest)
        message = f"the lower threshold {lower} is above the upper threshold {upper}"
        reading.error(codes.THRESHOLDS, fields.place_of(shape.LOWER_THRESHOLD), message, "lower it, or raise the upper")
    checks = build_checks(_inherited(frame.probes, said, reading), reading) if _says_checks(said) else shared
    if probed and port == 0 == frame.port and frame.virtual is not None:
        _check_probe_port(said, checks, reading)
    return RealServer(
        address.value, port, fields.value(shape.WEIGHT, 1), forwarding, checks[0], upper, lower,
        further_checks=checks[1:],
    )  # fmt: skip


_NOT_PROBED: Final = (Check(NoCheck()),)


def _says_checks(said: Fields) -> bool:
    return said.said(shape.CHECK_KEY) or said.said(shape.CHECKS_KEY)


_SERVICE_ONLY: Final = frozenset((shape.PERSISTENCE.name, shape.FLAGS.name, shape.SCHEDULER.name))


def _check_address(address: At[str], forwarding: Forwarding, virtual: Virtual, reading: Reading) -> None:
    if isinstance(virtual, VirtualEndpoint) and address.value == virtual.address:
        message = f"the real server {address.value} is the virtual address itself"
        reading.error(codes.REAL_IS_VIRTUAL, address.place, message, "give the real server's own address")
    elif is_ipv6(address.value) != _ipv6(virtual) and forwarding is not Forwarding.TUNNEL:
        mine, other = ("IPv6", "IPv4") if is_ipv6(address.value) else ("IPv4", "IPv6")
        message = f"the real server {address.value} is {mine}, its service {other}"
        reading.error(codes.FAMILY, address.place, message, "only `forwarding: tunnel` crosses families")


def _check_port(said: Fields, port: int, forwarding: Forwarding, frame: Frame, reading: Reading) -> None:
    if port == frame.port:
        return
    place = said.place_of(shape.REAL_PORT)
    if forwarding is not Forwarding.MASQUERADE:
        message = f"port {port} of the real server differs from the virtual port {frame.port or '(any)'}"
        hint = f"{forwarding.name.lower()} does not rewrite ports: leave it out, or forwarding: masquerade"
        if isinstance(frame.virtual, FirewallMark):
            hint = "a firewall mark has no port to rewrite: leave it out; to probe it: check: {port: ...}"
        reading.error(codes.PORT_REWRITE, place, message, hint)
    elif port == 0 or (isinstance(frame.virtual, VirtualEndpoint) and frame.port == 0):
        message = f"port {port} of the real server does not go with the virtual port {frame.port}"
        reading.error(codes.PORT_ZERO, place, message, "leave it out")


def _check_probe_port(said: Fields, checks: tuple[Check, ...], reading: Reading) -> None:
    """A real server without a port of its own leaves its checks without one too."""
    if any(check.port is None and dials_a_port(check.kind) for check in checks):
        hint = "check: {port: 25}, or check: {type: none}"
        reading.error(codes.CHECK_WITHOUT_PORT, said.place, "the check does not know which port to probe", hint)
