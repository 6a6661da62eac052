"""virtual_server to virtual services. Pure.

Rules of keepalived 2.2.7, measured: UDP without `protocol`, wlc without `lb_algo`, masquerading without `lb_kind`;
a virtual server without real servers is left out; port 0 makes it persistent; direct routing and tunnels keep the
virtual server's port.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from config import codes
from config.build_service import ONE_PACKET_FLAG, Built, Virtual
from config.keepalived.block import Block
from config.keepalived.forwarding import NAT, Method, method_of
from config.keepalived.globals import Globals
from config.keepalived.groups import Entry, endpoint
from config.keepalived.lvs_words import REAL, SERVER
from config.keepalived.mails import mail_of
from config.keepalived.quorum import read_quorum
from config.keepalived.real_servers import Frame, failure_of, read_real_servers, weight_of
from config.keepalived.scheduling import read_persistence, read_scheduler
from config.keepalived.sorry import read_sorry_server
from config.keepalived.statements import Statement, no_more
from config.keepalived.values import sole_word, word
from config.model import FirewallMark, Mail, VirtualEndpoint, VirtualService
from config.network import is_ipv6
from config.reading import Reading, shown
from config.words import OnFailure, Protocol

_PROTOCOLS: Final = {one.name: one for one in Protocol}
_HOOKS: Final = ("quorum_up", "quorum_down", "notify_up", "notify_down")


class _Settings(msgspec.Struct, frozen=True):
    """What is the same for every address of a virtual_server."""

    protocol: Protocol
    scheduler: str
    flags: int
    method: Method
    on_failure: OnFailure
    weight: int
    mail: Mail | None
    reals: tuple[Block, ...]
    grouped: bool


def read_services(
    found: list[Statement], groups: dict[str, list[Entry]], settings: Globals, reading: Reading
) -> list[Built]:
    """The services of every virtual_server; a group makes one of each of its entries."""
    built: list[Built] = []
    for statement in found:
        entries = _entries(statement, groups, reading)
        block = Block(statement, SERVER, reading)
        inside = _settings(block, settings, reading)
        if len(entries) > 1:
            _note_hooks(block, inside.reals, len(entries), reading)
        for entry in entries:
            service = _service(entry, block, inside, reading)
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


def _settings(block: Block, settings: Globals, reading: Reading) -> _Settings:
    scheduler, flags = read_scheduler(block, reading)
    reals = tuple(Block(one, REAL, reading) for one in block.every("real_server"))
    return _Settings(
        _protocol(block, reading),
        scheduler,
        flags,
        _method(block, reading),
        failure_of(block, OnFailure.REMOVE, reading),
        weight_of(block, 1, reading),
        mail_of(block, reals, settings.mail, settings.mails_by_default, reading),
        reals,
        len(block.statement.words) > 1 and block.statement.words[1].value == "group",
    )


def _note_hooks(block: Block, reals: Sequence[Block], count: int, reading: Reading) -> None:
    """keepalived counts a group's quorum once, lvsd for each of its addresses."""
    for one in (block, *reals):
        for statement in (found for hook in _HOOKS if (found := one.get(hook)) is not None):
            message = f"`{statement.keyword}` runs for each of the group's {count} addresses and marks"
            reading.warning(codes.REPEATED, statement.place, message, "keepalived runs it once for all of them")


def _protocol(block: Block, reading: Reading) -> Protocol:
    statement = block.get("protocol")
    if statement is None:
        if len(block.statement.words) > 1 and block.statement.words[1].value == "fwmark":
            return Protocol.TCP
        message = "no `protocol` is said: this virtual_server is UDP"
        reading.warning(codes.DEFAULTED, block.statement.place, message, "keepalived's default; say `protocol TCP`")
        return Protocol.UDP
    at = sole_word(statement, reading)
    if at is not None and at.value.upper() in _PROTOCOLS:
        return _PROTOCOLS[at.value.upper()]
    if at is not None:
        hint = "keepalived ignores it and takes UDP, and so is it here; TCP, UDP or SCTP"
        reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is not a protocol", hint)
    return Protocol.UDP


def _method(block: Block, reading: Reading) -> Method:
    statement = block.get("lb_kind", "lvs_method")
    if statement is None:
        message = "no `lb_kind` is said: the forwarding method is NAT"
        reading.warning(codes.DEFAULTED, block.statement.place, message, "keepalived's default")
        return NAT
    return method_of(statement, NAT, reading)


def _virtual(entry: Entry, settings: _Settings) -> Virtual:
    if entry.mark is not None:
        return FirewallMark(entry.mark, entry.ipv6)
    return VirtualEndpoint(settings.protocol, entry.address, entry.port)


def _service(entry: Entry, block: Block, settings: _Settings, reading: Reading) -> Built | None:
    family = block.get("ip_family")
    entry = _of_family(entry, family, reading) if family else _of_real_servers(entry, block)
    virtual = _virtual(entry, settings)
    _check_one_packet(entry, block, settings, reading)
    frame = Frame(
        block, settings.reals, virtual, settings.method, entry.port, settings.on_failure, settings.weight,
        settings.grouped,
    )  # fmt: skip
    servers = read_real_servers(frame, reading)
    if not servers:
        message = "this virtual_server has no real server and is left out"
        reading.warning(codes.LEFT_OUT, block.statement.place, message, "keepalived leaves it out too")
        return None
    quorum = read_quorum(block, servers, reading)
    service = VirtualService(
        _name(virtual),
        virtual,
        settings.scheduler,
        servers,
        settings.flags,
        read_persistence(block, virtual, entry.ipv6, entry.place, reading),
        settings.on_failure,
        read_sorry_server(frame, servers, reading),
        quorum.weight,
        quorum.hysteresis,
        quorum.on_up,
        quorum.on_down,
        quorum.on_stop,
        settings.mail,
    )
    return Built(service, entry.place)


def _check_one_packet(entry: Entry, block: Block, settings: _Settings, reading: Reading) -> None:
    if settings.flags & ONE_PACKET_FLAG and entry.mark is None and settings.protocol is not Protocol.UDP:
        ops = block.get("ops") or block.statement
        reading.error(codes.ONE_PACKET, ops.place, f"`ops` needs UDP, this is {settings.protocol.name}", "protocol UDP")


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
