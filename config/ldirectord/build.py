"""A `virtual` section of an ldirectord.cf to a virtual service. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from config import codes
from config.build_service import ONE_PACKET_FLAG, Built
from config.checks import Check, Credentials, HttpCheck, NoCheck
from config.ldirectord import directives as d
from config.ldirectord.checks import check_of, note_unused, pings
from config.ldirectord.context import Context
from config.ldirectord.hooks import absolute, quorum_commands
from config.ldirectord.lines import Line
from config.ldirectord.mails import mail_of, note_without_recipient
from config.ldirectord.names import Names
from config.ldirectord.servers import Server, Virtual, read_fallback, read_real, read_virtual
from config.ldirectord.told import note_left_out
from config.ldirectord.values import Said
from config.model import Persistence, RealServer, VirtualEndpoint, VirtualService
from config.nodes import Place
from config.reading import Reading, did_you_mean, shown
from config.words import HASHING_SCHEDULERS, SCHEDULER_FLAGS, SCHEDULERS, Forwarding, OnFailure, Protocol

_IPV4_BITS: Final = 32
_IPV6_BITS: Final = 128


SERVER_LIMIT: Final = 20_000  # real servers in one file, ranges counted in full


class ServerBudget:
    """How many more real servers a file may hold: a few lines of ranges could stand for millions."""

    def __init__(self) -> None:
        """Start with SERVER_LIMIT."""
        self._left = SERVER_LIMIT

    def take(self, servers: tuple[Server, ...]) -> tuple[Server, ...]:
        """The servers, or none once there are too many."""
        self._left -= len(servers)
        return servers if self._left >= 0 else ()


class Shared(msgspec.Struct, frozen=True):
    """What the sections of a file have in common: its global directives, fallback servers by "is IPv6", names."""

    top: Said
    fallbacks: Mapping[bool, Server]
    names: Names
    budget: ServerBudget


def build_section(lines: Sequence[Line], own: Said, shared: Shared, reading: Reading) -> Built | None:
    """The service, complete; None after noting why nobody can tell what clients would reach."""
    head, body = lines[0], lines[1:]
    note_left_out(body, own, reading)
    virtual = read_virtual(head, own.get(d.PROTOCOL), shared.names, reading)
    servers, fallback = _servers(head, body, virtual, shared, reading)
    if virtual is None:
        return None
    context = Context(own, shared.top, virtual, head.place, shared.names)
    real_servers = _real_servers(context, servers, reading)
    fallback = fallback or shared.fallbacks.get(head.name == "virtual6")
    persistence = _persistence(context, reading)
    if isinstance(virtual, VirtualEndpoint) and virtual.port == 0 and persistence is None:
        message = "port 0 (every port) needs persistence: the kernel refuses it otherwise"
        reading.error(codes.PORT_ZERO, head.value_place, message, "persistent=300, or a port")
    scheduler = _scheduler(context, reading)
    on_quorum_down, on_quorum_up = quorum_commands(context, reading)
    service = VirtualService(
        name=_name(virtual),
        virtual=virtual,
        scheduler=scheduler,
        real_servers=real_servers,
        flags=_flags(context, scheduler, reading),
        persistence=persistence,
        on_failure=OnFailure.QUIESCE if quiescent(context) else OnFailure.REMOVE,
        fallback=_fallback(virtual, fallback, real_servers, reading),
        on_quorum_up=on_quorum_up,
        on_quorum_down=on_quorum_down,
        mail=mail_of(context, reading),
        monitor_file=_monitor_file(context, reading),
    )
    _note_secret(context, service, reading)
    _note_unused(context, reading)
    return Built(service, head.value_place)


def _monitor_file(context: Context, reading: Reading) -> str | None:
    said = context.own.get(d.MONITOR_FILE)
    return absolute(said, d.MONITOR_FILE, reading) if said is not None and said.value else None


def _note_unused(context: Context, reading: Reading) -> None:
    """Tell what is said in the section and has no effect as the section is."""
    note_unused(context, reading)
    note_without_recipient(context, reading)
    count = context.own.get(d.CHECK_COUNT)
    if count is not None and not pings(context):
        message = "checkcount: it counts pings, and nothing is pinged"
        reading.warning(codes.LD_IGNORED, count.place, message, "failurecount counts failures of every check")


def quiescent(context: Context) -> bool:
    """Whether a real server that is down keeps its place at weight 0. The program's default is no."""
    return context.own.value(d.QUIESCENT, context.top.value(d.QUIESCENT, default=False))


def _name(virtual: Virtual) -> str:
    """ldirectord's own name of it in its log, without brackets."""
    if isinstance(virtual, VirtualEndpoint):
        return f"{virtual.protocol.name.lower()}:{virtual.address}:{virtual.port}"
    return f"fwm{'6' if virtual.ipv6 else ''}:{virtual.mark}"


def _servers(
    head: Line, body: Sequence[Line], virtual: Virtual | None, shared: Shared, reading: Reading
) -> tuple[tuple[Server, ...], Server | None]:
    """The real servers, and the fallback server if one is said: the last counts."""
    protocol = virtual.protocol if isinstance(virtual, VirtualEndpoint) else Protocol.TCP
    six = "6" if head.name == "virtual6" else ""
    found: list[Server] = []
    fallback: Server | None = None
    for line in body:
        if line.name not in d.SERVER_LINES or line.value is None:
            continue  # read_directives has told what it is
        if line.name.endswith("6") is not bool(six):
            message = f"`{line.name}` cannot be said in a `{head.name}`"
            reading.error(codes.LD_REAL, line.place, message, f"{line.name.removesuffix('6')}{six}")
        elif line.name.startswith("real"):
            servers = read_real(line, protocol, shared.names, reading)
            if servers and not shared.budget.take(servers):
                reading.error(codes.TOO_MUCH, line.place, f"more than {SERVER_LIMIT} real servers in one file")
                break
            found.extend(servers)
        else:
            fallback = read_fallback(line, shared.names, reading) or fallback
    return tuple(found), fallback


def _fallback(
    virtual: Virtual, server: Server | None, real_servers: Sequence[RealServer], reading: Reading
) -> tuple[RealServer, ...]:
    if server is None:
        return ()
    port = server.port
    if isinstance(virtual, VirtualEndpoint) and (server.forwarding is not Forwarding.MASQUERADE or not port):
        port = virtual.port
    if any((real.address, real.port) == (server.address, port) for real in real_servers):
        message = f"the fallback server {server.address} port {port} is a real server too: it cannot step in"
        reading.warning(codes.LD_OTHERWISE, server.place, message, "it can be one or the other")
        return ()
    return (RealServer(server.address, port, server.weight, server.forwarding, Check(NoCheck())),)


def _real_servers(context: Context, servers: Sequence[Server], reading: Reading) -> tuple[RealServer, ...]:
    if not servers and not reading.failed:
        reading.warning(codes.NO_REAL_SERVERS, context.place, "the virtual service has no real server", "real=...")
    built: dict[tuple[str, int], RealServer] = {}
    places: dict[tuple[str, int], Place] = {}
    for server in servers:
        real = _real_server(context, server, reading)
        key = real.address, real.port
        if key in built:
            message = f"the real server {real.address} port {real.port} is listed twice: the first counts"
            hint = f"it is on line {places[key].line}"
            reading.warning(codes.DUPLICATE_REAL_SERVER, server.place, message, hint)
            continue
        built[key], places[key] = real, server.place
    if context.check_type == "off":
        return _switched_off(context, tuple(built.values()), reading)
    return tuple(built.values())


def _switched_off(context: Context, reals: tuple[RealServer, ...], reading: Reading) -> tuple[RealServer, ...]:
    """Nothing is checked and no real server is up: weight 0, or not in the table."""
    message = "checktype=off: no real server gets a client"
    reading.warning(codes.LD_IGNORED, context.place_of(d.CHECK_TYPE), message, "checktype=on serves without a check")
    if not quiescent(context):
        return ()
    return tuple(
        RealServer(real.address, real.port, 0, real.forwarding, Check(NoCheck()), real.upper_threshold,
                   real.lower_threshold)
        for real in reals
    )  # fmt: skip


def _real_server(context: Context, server: Server, reading: Reading) -> RealServer:
    port = _kernel_port(context.virtual, server, reading)
    check = check_of(context, server, port, reading)
    return RealServer(server.address, port, server.weight, server.forwarding, check, server.upper, server.lower)


def _kernel_port(virtual: Virtual, server: Server, reading: Reading) -> int:
    """The port in the kernel's table, where only masquerading keeps one that differs from the service's."""
    if not isinstance(virtual, VirtualEndpoint):
        return server.port
    if server.port in (0, virtual.port):
        return virtual.port
    if server.forwarding is Forwarding.MASQUERADE and virtual.port:
        return server.port
    message = f"packets reach {server.address} on port {virtual.port or '(any)'}: {server.port} is probed only"
    hint = "the forwarding method does not rewrite ports; checkport= says the same more clearly"
    reading.warning(codes.PORT_REWRITE, server.place, message, hint)
    return virtual.port


def _scheduler(context: Context, reading: Reading) -> str:
    said = context.own.get(d.SCHEDULER)
    if said is not None and said.value not in SCHEDULERS:
        message = f"no scheduler {shown(said.value)}: the kernel would refuse the service"
        reading.error(codes.UNKNOWN_WORD, said.place, message, did_you_mean(said.value, SCHEDULERS))
    return said.value if said is not None else "wrr"


def _flags(context: Context, scheduler: str, reading: Reading) -> int:
    """The kernel's bits. Hashing schedulers fall back unless told otherwise, as in lvsd.yaml."""
    said = context.own.get(d.SCHEDFLAGS)
    words = [f"{scheduler}-fallback"] if said is None and scheduler in HASHING_SCHEDULERS else []
    for word in said.value.split(",") if said is not None else ():
        if word not in SCHEDULER_FLAGS or word.partition("-")[0] not in ("flag", scheduler):
            message = f"{shown(word)} is no flag of the scheduler {scheduler}"
            place = context.place_of(d.SCHEDFLAGS)
            reading.error(codes.FLAG_OF_OTHER_SCHEDULER, place, message, "sh-fallback, sh-port, mh-fallback, mh-port")
        else:
            words.append(word)
    bits = _one_packet(context, reading)
    for word in words:
        bits |= SCHEDULER_FLAGS[word]
    return bits


def _one_packet(context: Context, reading: Reading) -> int:
    said = context.own.get(d.ONE_PACKET)
    if said is None or not said.value:
        return 0
    if isinstance(context.virtual, VirtualEndpoint) and context.virtual.protocol is Protocol.UDP:
        return ONE_PACKET_FLAG
    reading.warning(codes.LD_IGNORED, said.place, "ops: ignored for what is not UDP, as ldirectord does", "remove it")
    return 0


def _persistence(context: Context, reading: Reading) -> Persistence | None:
    said, virtual = context.own.get(d.PERSISTENT), context.virtual
    ipv6 = ":" in virtual.address if isinstance(virtual, VirtualEndpoint) else virtual.ipv6
    bits = _netmask(context, _IPV6_BITS if ipv6 else _IPV4_BITS, reading)
    if said is None:
        return None
    if said.value == 0:
        reading.error(codes.OUT_OF_RANGE, said.place, "persistent: ipvsadm refuses 0 seconds", "remove it")
    return Persistence(said.value, bits)


def _netmask(context: Context, longest: int, reading: Reading) -> int:
    """The prefix length that groups clients: its form matters always, its value where it is used."""
    netmask = context.own.get(d.NETMASK)
    if netmask is None:
        return longest
    bits, used = _prefix_length(netmask.value, longest), context.own.get(d.PERSISTENT) is not None
    if (bits is None and used) or ("." in netmask.value) is (longest == _IPV6_BITS):
        hint = "a prefix length from 1 to 128" if longest == _IPV6_BITS else "255.255.255.0, ones and then zeros"
        reading.error(codes.LD_VALUE, netmask.place, f"netmask: {shown(netmask.value)} is not a netmask here", hint)
    elif not used:
        message = "netmask: no effect without `persistent`, as in ldirectord"
        reading.warning(codes.LD_IGNORED, netmask.place, message, "persistent=300")
    return bits or longest


def _prefix_length(text: str, longest: int) -> int | None:
    if longest == _IPV6_BITS:
        return int(text) if re.fullmatch(r"[1-9][0-9]{0,2}", text) and int(text) <= longest else None
    try:
        mask = int(ipaddress.IPv4Address(text))
    except ValueError:
        return None
    length = mask.bit_count()
    return length if length and mask == (0xFFFFFFFF << (_IPV4_BITS - length)) & 0xFFFFFFFF else None


def _note_secret(context: Context, service: VirtualService, reading: Reading) -> None:
    password = context.own.get(d.PASSWORD) or context.own.get(d.SECRET)
    kinds = (real.check.kind for real in service.real_servers)
    used = any(isinstance(getattr(kind, "credentials", None), Credentials) for kind in kinds)
    if password is not None and used and reading.files.exposed(context.place.file):
        message = "every user of this machine can read the secret in this file"
        reading.warning(codes.EXPOSED, password.place, message, f"chmod o-r {context.place.file}")


def asks_pages(service: VirtualService) -> bool:
    """Whether a page is asked for over HTTP."""
    return any(isinstance(real.check.kind, HttpCheck) for real in service.real_servers)
