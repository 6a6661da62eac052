"""virtual_server to virtual services. Pure.

Rules of keepalived 2.2.7, measured: UDP without `protocol`, wlc without `lb_algo`, masquerading without `lb_kind`;
a virtual server without real servers is left out; port 0 makes it persistent; direct routing and tunnels keep the
virtual server's port.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from config import codes
from config.build_service import ONE_PACKET_FLAG, Built, Virtual
from config.keepalived.block import Block
from config.keepalived.forwarding import method_of
from config.keepalived.groups import Entry, endpoint
from config.keepalived.lvs_words import SERVER
from config.keepalived.real_servers import Frame, read_real_servers
from config.keepalived.sorry import read_sorry_server
from config.keepalived.statements import Statement, no_more
from config.keepalived.values import sole_word, switch, whole, word
from config.model import FirewallMark, Persistence, VirtualEndpoint, VirtualService
from config.network import Netmask, is_ipv6
from config.nodes import At, Scalar
from config.reading import Reading, did_you_mean, shown
from config.words import SCHEDULER_FLAGS, SCHEDULERS, Forwarding, Protocol

BARE_PERSISTENCE: Final = 360
PERSISTENCE_LIMIT: Final = 31 * 86400
_PROTOCOLS: Final = {one.name: one for one in Protocol}


@dataclass(frozen=True, slots=True)
class _Settings:
    """What is the same for every address of a virtual_server."""

    protocol: Protocol
    scheduler: str
    flags: int
    method: Forwarding
    persistence_seconds: int
    granularity: At[int] | None


def read_services(found: list[Statement], groups: dict[str, list[Entry]], reading: Reading) -> list[Built]:
    """The services of every virtual_server; a group makes one of each of its entries."""
    built: list[Built] = []
    for statement in found:
        entries = _entries(statement, groups, reading)
        block = Block(statement, SERVER, reading)
        settings = _settings(block, reading)
        for entry in entries:
            service = _service(entry, block, settings, reading)
            if service is not None:
                built.append(service)
    return _without_doubles(built, reading)


def _entries(statement: Statement, groups: dict[str, list[Entry]], reading: Reading) -> list[Entry]:
    """What clients reach: `IP [PORT]`, `fwmark N` or `group NAME`."""
    at = word(statement, reading)
    if at is None:
        return []
    if at.value != "group":
        entry = endpoint(statement.words[1:], reading)
        return [entry] if entry else []
    name = word(statement, reading, 2)
    no_more(statement, 3, reading)
    if name is None:
        return []
    if name.value not in groups:
        message = f"there is no virtual_server_group {shown(name.value)}: this virtual_server is left out"
        reading.warning(codes.LEFT_OUT, name.place, message, "keepalived leaves it out too")
    return groups.get(name.value, [])


def _settings(block: Block, reading: Reading) -> _Settings:
    scheduler, words = _scheduler(block, reading)
    return _Settings(
        _protocol(block, reading),
        scheduler,
        _flags(block, words, reading),
        _method(block, reading),
        _persistence_seconds(block, reading),
        _granularity(block, reading),
    )


def _protocol(block: Block, reading: Reading) -> Protocol:
    statement = block.get("protocol")
    if statement is None:
        if len(block.statement.words) > 1 and block.statement.words[1].value == "fwmark":
            return Protocol.TCP
        message = "no `protocol` is said: this virtual_server is UDP"
        reading.warning(codes.DEFAULTED, block.statement.place, message, "keepalived's default; say `protocol TCP`")
        return Protocol.UDP
    at = sole_word(statement, reading)
    if at is not None and at.value in _PROTOCOLS:
        return _PROTOCOLS[at.value]
    if at is not None:
        hint = "keepalived ignores it and takes UDP, and so is it here; TCP, UDP or SCTP"
        reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is not a protocol", hint)
    return Protocol.UDP


def _scheduler(block: Block, reading: Reading) -> tuple[str, tuple[At[str], ...]]:
    """The scheduler and the words after it, which are its flags."""
    statement = block.get("lb_algo", "lvs_sched")
    at = word(statement, reading) if statement else None
    if statement is None or at is None:
        message = "no `lb_algo` is said: the scheduler is wlc"
        reading.warning(codes.DEFAULTED, block.statement.place, message, "keepalived's default")
        return "wlc", ()
    if at.value not in SCHEDULERS:
        hint = f"keepalived takes wlc, and so is it here; {did_you_mean(at.value, SCHEDULERS)}"
        reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is not a scheduler", hint)
        return "wlc", ()
    return at.value, statement.words[2:]


def _flags(block: Block, words: tuple[At[str], ...], reading: Reading) -> int:
    bits = ONE_PACKET_FLAG if switch(block.get("ops"), reading) else 0
    for flag, bit in SCHEDULER_FLAGS.items():
        if switch(block.get(flag), reading):
            bits |= bit
    for at in words:
        if at.value not in SCHEDULER_FLAGS:
            hint = did_you_mean(at.value, SCHEDULER_FLAGS)
            reading.warning(codes.UNKNOWN_KEYWORD, at.place, f"{shown(at.value)} is not a scheduler's flag", hint)
        bits |= SCHEDULER_FLAGS.get(at.value, 0)
    return bits


def _method(block: Block, reading: Reading) -> Forwarding:
    statement = block.get("lb_kind", "lvs_method")
    if statement is None:
        message = "no `lb_kind` is said: the forwarding method is NAT"
        reading.warning(codes.DEFAULTED, block.statement.place, message, "keepalived's default")
        return Forwarding.MASQUERADE
    return method_of(statement, Forwarding.MASQUERADE, reading)


def _persistence_seconds(block: Block, reading: Reading) -> int:
    """0 for none."""
    statement = block.get("persistence_timeout")
    if statement is None:
        return 0
    if len(statement.words) == 1:
        return BARE_PERSISTENCE
    at = whole(statement, 0, PERSISTENCE_LIMIT, "none", reading)
    return at.value if at else 0


def _granularity(block: Block, reading: Reading) -> At[int] | None:
    statement = block.get("persistence_granularity")
    at = sole_word(statement, reading) if statement else None
    return None if at is None else Netmask().read(Scalar(at.value, plain=True, place=at.place), reading)


def _persistence(entry: Entry, settings: _Settings, reading: Reading) -> Persistence | None:
    virtual = _virtual(entry, settings)
    longest = 128 if entry.ipv6 else 32
    seconds = settings.persistence_seconds
    if not seconds and isinstance(virtual, VirtualEndpoint) and virtual.port == 0:
        message = f"port 0 (every port) needs persistence: {BARE_PERSISTENCE} s are taken"
        reading.warning(codes.DEFAULTED, entry.place, message, "keepalived's default; say `persistence_timeout`")
        seconds = BARE_PERSISTENCE
    if not seconds:
        if settings.granularity is not None:
            message = "`persistence_granularity` has no effect without `persistence_timeout`"
            reading.warning(codes.NO_EFFECT, settings.granularity.place, message)
        return None
    netmask = settings.granularity
    if netmask is not None and netmask.value > longest:
        message = f"a netmask of {netmask.value} bits does not fit the service's family"
        reading.error(codes.OUT_OF_RANGE, netmask.place, message, f"from 1 to {longest}")
    return Persistence(seconds, netmask.value if netmask else longest)


def _virtual(entry: Entry, settings: _Settings) -> Virtual:
    if entry.mark is not None:
        return FirewallMark(entry.mark, entry.ipv6)
    return VirtualEndpoint(settings.protocol, entry.address, entry.port)


def _service(entry: Entry, block: Block, settings: _Settings, reading: Reading) -> Built | None:
    family = block.get("ip_family")
    entry = _of_family(entry, family, reading) if family else _of_real_servers(entry, block)
    virtual = _virtual(entry, settings)
    if settings.flags & ONE_PACKET_FLAG and entry.mark is None and settings.protocol is not Protocol.UDP:
        ops = block.get("ops") or block.statement
        reading.error(codes.ONE_PACKET, ops.place, f"`ops` needs UDP, this is {settings.protocol.name}", "protocol UDP")
    frame = Frame(block, virtual, settings.method, entry.port)
    servers, on_failure = read_real_servers(frame, reading)
    if not servers:
        message = "this virtual_server has no real server and is left out"
        reading.warning(codes.LEFT_OUT, block.statement.place, message, "keepalived leaves it out too")
        return None
    persistence = _persistence(entry, settings, reading)
    fallback = read_sorry_server(frame, servers, reading)
    service = VirtualService(
        _name(virtual), virtual, settings.scheduler, servers, settings.flags, persistence, on_failure, fallback
    )
    return Built(service, entry.place)


def _of_family(entry: Entry, family: Statement, reading: Reading) -> Entry:
    at = sole_word(family, reading)
    if at is None or entry.mark is None:
        return entry
    if at.value not in ("inet", "inet6"):
        reading.error(codes.UNKNOWN_WORD, at.place, f"{shown(at.value)} is not a family", "inet or inet6")
    return Entry(entry.place, entry.address, entry.port, entry.mark, at.value == "inet6")


def _of_real_servers(entry: Entry, block: Block) -> Entry:
    """A firewall mark is of its real servers' family."""
    if entry.mark is None:
        return entry
    first = next((one.words[1].value for one in block.every("real_server") if len(one.words) > 1), "")
    return Entry(entry.place, entry.address, entry.port, entry.mark, is_ipv6(first))


def _name(virtual: Virtual) -> str:
    """keepalived names no virtual server: its protocol, address and port do, or its mark."""
    if isinstance(virtual, FirewallMark):
        return f"fwm{'6' if virtual.ipv6 else ''}:{virtual.mark}"
    return f"{virtual.protocol.name.lower()}:{virtual.address}:{virtual.port}"


def _without_doubles(built: list[Built], reading: Reading) -> list[Built]:
    """A virtual_server that stands twice alike is one; keepalived runs both, the kernel holds one."""
    found: dict[VirtualService, Built] = {}
    for one in built:
        first = found.setdefault(one.service, one)
        if first is not one:
            message = "this virtual_server is here for the second time, alike in everything, and left out"
            reading.warning(codes.LEFT_OUT, one.place, message, f"the first is on line {first.place.line}")
    return list(found.values())
