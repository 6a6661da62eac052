"""A service's keys to a virtual service, with every rule inside one service. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from config import codes
from config import shape_services as keys
from config.build_check import Probes
from config.build_pool import build_pool_rules
from config.build_real_servers import (
    Frame,
    build_fallback,
    build_real_servers,
    frame_of,
    level_probes,
    says_checks,
    written_checks,
)
from config.build_settings import build_mail, build_persistence, build_quorum
from config.checks import TcpCheck
from config.model import FirewallMark, Persistence, RealServer, VirtualEndpoint, VirtualService
from config.network import Endpoint
from config.nodes import At, Place
from config.reading import Reading
from config.sections import Fields, Key
from config.shape_checks import FOLLOWED_SERVICE
from config.shape_checks import TYPE as CHECK_TYPE
from config.words import HASHING_SCHEDULERS, SCHEDULER_FLAGS, OnFailure, Protocol

ONE_PACKET_FLAG: Final = 0x4  # IP_VS_SVC_F_ONEPACKET, include/uapi/linux/ip_vs.h

Virtual = VirtualEndpoint | FirewallMark


class Built(msgspec.Struct, frozen=True):
    """A service, the place of its virtual address, and where it names services to follow."""

    service: VirtualService
    place: Place
    follows: tuple[At[str], ...] = ()


class Defaults(msgspec.Struct, frozen=True):
    """What every service inherits, the check apart: it has rules of its own."""

    fields: Fields
    probes: Probes


def read_defaults(fields: Fields, reading: Reading) -> Defaults:
    """The defaults; the keys of their check must belong to the type it says."""
    return Defaults(fields, level_probes(Probes(), fields, reading))


def build_service(name: str, said: Fields, defaults: Defaults, reading: Reading) -> Built | None:
    """The service, every default filled in; None when it has no usable virtual side."""
    fields = said.over(defaults.fields)
    virtual = _virtual(said, reading)
    persistence = build_persistence(fields, virtual, reading)
    scheduler = fields.value(keys.SCHEDULER, "" if fields.said(keys.SCHEDULER) else "wrr")
    flags = _flags(said, defaults.fields, scheduler, reading) | _one_packet(said, virtual, reading)
    _check_port_zero(fields, virtual, persistence, reading)
    frame = frame_of(fields, level_probes(defaults.probes, said, reading), virtual)
    real_servers = build_real_servers(said, frame, reading)
    fallback = build_fallback(said, frame, real_servers, defaults.probes, reading)
    if virtual is None:
        return None
    _check_type_said(said, frame, real_servers, virtual, reading)
    quorum = build_quorum(fields, real_servers, reading)
    monitor_file = fields.get(keys.MONITOR_FILE)
    service = VirtualService(
        name=name,
        virtual=virtual,
        scheduler=scheduler,
        real_servers=real_servers,
        flags=flags,
        persistence=persistence,
        on_failure=fields.value(keys.ON_FAILURE, OnFailure.REMOVE),
        fallback=fallback,
        quorum=quorum.weight,
        hysteresis=quorum.hysteresis,
        on_quorum_up=fields.value(keys.ON_QUORUM_UP, ()),
        on_quorum_down=fields.value(keys.ON_QUORUM_DOWN, ()),
        hooks_on_stop=fields.value(keys.HOOKS_ON_STOP, default=False),
        mail=build_mail(fields),
        monitor_file=monitor_file.value if monitor_file else None,
        rules=build_pool_rules(fields, scheduler, (real_servers, fallback), reading),
    )
    return Built(service, _virtual_place(said), tuple(_follows(said, frame)))


def _follows(said: Fields, frame: Frame) -> Iterator[At[str]]:
    """The names its checks follow, as they are written."""
    checks = list(frame.probes.each())
    for server in (*said.value(keys.REAL_SERVERS, ()), *said.value(keys.FALLBACK, ())):
        if says_checks(server.value):
            checks += written_checks(server.value)
    found = (check.get(FOLLOWED_SERVICE) for check in checks)
    yield from (at for at in found if at is not None)


def _check_type_said(
    said: Fields, frame: Frame, real_servers: tuple[RealServer, ...], virtual: Virtual, reading: Reading
) -> None:
    """Whoever says no type of check gets connections over TCP, which few services of another protocol take."""
    if isinstance(virtual, FirewallMark) or virtual.protocol is Protocol.TCP:
        return
    plain = all(isinstance(check.kind, TcpCheck) for one in real_servers for check in one.checks)
    if real_servers and plain and not any(one.said(CHECK_TYPE) for one in frame.probes.each()):
        protocol = virtual.protocol.name
        message = f"its real servers are checked over TCP, as no `type` is said, and the service speaks {protocol}"
        others = "udp, dns, ntp, sip, radius, ping" if virtual.protocol is Protocol.UDP else "ping, external"
        reading.warning(codes.CHECKED_BY_TCP, said.place_of(keys.PROTOCOL), message, f"check: {{type: ...}}: {others}")


def _virtual_place(said: Fields) -> Place:
    endpoint, mark = said.get(keys.VIRTUAL), said.get(keys.FWMARK)
    if endpoint is not None:
        return endpoint.place
    return mark.place if mark is not None else said.place


def _virtual(said: Fields, reading: Reading) -> Virtual | None:
    """What clients reach, or None after noting why it is not known."""
    if said.said(keys.VIRTUAL) and said.said(keys.FWMARK):
        place = said.place_of(keys.FWMARK)
        reading.error(
            codes.CONTRADICTION, place, "`virtual` and `fwmark` cannot both be said", "make two services of it"
        )
        return None
    if not said.said(keys.VIRTUAL) and not said.said(keys.FWMARK):
        hint = "virtual: 1.1.1.12:443, or fwmark: 7"
        reading.error(codes.MISSING_KEY, said.place, "a service needs `virtual` or `fwmark`", hint)
        return None
    mark = said.get(keys.FWMARK)
    if said.said(keys.FWMARK):
        _contradicts(said, keys.PROTOCOL, "a firewall mark covers every protocol", reading)
        return FirewallMark(mark.value, said.value(keys.FAMILY_KEY, default=False)) if mark else None
    _contradicts(said, keys.FAMILY_KEY, "the address tells the family", reading)
    endpoint: At[Endpoint] | None = said.get(keys.VIRTUAL)
    if endpoint is None:
        return None
    return VirtualEndpoint(said.value(keys.PROTOCOL, Protocol.TCP), endpoint.value.address, endpoint.value.port or 0)


def _contradicts(said: Fields, key: Key[object], why: str, reading: Reading) -> None:
    if said.said(key):
        reading.error(codes.CONTRADICTION, said.place_of(key), f"`{key.name}` cannot be said here: {why}", "remove it")


def _check_port_zero(
    fields: Fields, virtual: Virtual | None, persistence: Persistence | None, reading: Reading
) -> None:
    """The kernel refuses port 0, which means every port, unless clients are kept together."""
    if isinstance(virtual, VirtualEndpoint) and virtual.port == 0 and persistence is None:
        if fields.said(keys.PERSISTENCE) and fields.get(keys.PERSISTENCE) is None:
            return  # it was meant, and what is wrong with it is noted already
        hint = "add `persistence: 5m`, or name a port"
        reading.error(codes.PORT_ZERO, _virtual_place(fields), "port 0 (every port) needs persistence", hint)


def _flags(said: Fields, defaults: Fields, scheduler: str, reading: Reading) -> int:
    """The scheduler's flags as the kernel's bits.

    A hashing scheduler falls back to another real server unless told otherwise: its real servers leave by weight 0,
    and without the flag their clients would be dropped (net/netfilter/ipvs/ip_vs_sh.c, ip_vs_mh.c).
    """
    own = said.get(keys.FLAGS)
    for flag in own.value if own else ():
        if not _flag_fits(flag.value, scheduler):
            message = f"`{flag.value}` is no flag of the scheduler {scheduler}"
            reading.error(codes.FLAG_OF_OTHER_SCHEDULER, flag.place, message, "flag-1, flag-2 and flag-3 fit any")
    inherited = defaults.get(keys.FLAGS)
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
    at = said.get(keys.ONE_PACKET)
    if at is None or not at.value:
        return 0
    if isinstance(virtual, VirtualEndpoint) and virtual.protocol is not Protocol.UDP:
        message = f"`one_packet` needs UDP, this service is {virtual.protocol.name}"
        reading.error(codes.ONE_PACKET, said.place_of(keys.ONE_PACKET), message, "protocol: udp")
    return ONE_PACKET_FLAG
