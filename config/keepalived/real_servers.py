"""real_server blocks to real servers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from config import codes
from config.build_service import Virtual
from config.keepalived.block import Block
from config.keepalived.checkers import read_check
from config.keepalived.forwarding import method_of
from config.keepalived.groups import Entry, endpoint
from config.keepalived.lvs_words import REAL
from config.keepalived.values import switch, whole
from config.model import FirewallMark, RealServer, VirtualEndpoint
from config.network import is_ipv6
from config.nodes import Place
from config.reading import Reading
from config.words import Forwarding, OnFailure

WEIGHT_LIMIT: Final = 2**31 - 1
THRESHOLD_LIMIT: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Frame:
    """What a real server inherits: its virtual_server's block, address, forwarding method and port."""

    block: Block
    virtual: Virtual
    method: Forwarding
    port: int


def read_real_servers(frame: Frame, reading: Reading) -> tuple[tuple[RealServer, ...], OnFailure]:
    """The real servers, each once, and what happens to one that fails."""
    found: dict[tuple[str, int], Place] = {}
    servers: list[RealServer] = []
    stays: dict[bool, Place] = {}
    for statement in frame.block.every("real_server"):
        if len(statement.words) == 1:
            reading.error(codes.NO_VALUE, statement.place, "`real_server` names no address")
            continue
        entry = endpoint(statement.words[1:], reading)
        block = Block(statement, REAL, reading)
        if entry is None or entry.mark is not None or not fits(entry, frame, reading):
            continue
        server = _real_server(entry, bool(statement.words[2:]), block, frame, reading)
        key = server.address, server.port
        if key in found:
            message = f"the real server {server.address} port {server.port} is listed twice"
            reading.error(codes.DUPLICATE_REAL_SERVER, entry.place, message, f"the first is on line {found[key].line}")
            continue
        found[key] = entry.place
        outer = switch(frame.block.get("inhibit_on_failure"), reading)
        stays.setdefault(switch(block.get("inhibit_on_failure"), reading, default=outer), entry.place)
        servers.append(server)
    return tuple(servers), _on_failure(stays, reading)


def _on_failure(stays: dict[bool, Place], reading: Reading) -> OnFailure:
    if len(stays) > 1:
        message = "`inhibit_on_failure` is said for some real servers only: here all of them stay with weight 0"
        reading.warning(codes.MIXED, stays[True], message, "say it for the whole virtual_server, or for none")
    return OnFailure.QUIESCE if True in stays else OnFailure.REMOVE


def fits(entry: Entry, frame: Frame, reading: Reading) -> bool:
    """Whether the address can stand behind the virtual one; keepalived leaves out one of another family."""
    if isinstance(frame.virtual, VirtualEndpoint) and entry.address == frame.virtual.address:
        message = f"the real server {entry.address} is the virtual address itself"
        reading.error(codes.REAL_IS_VIRTUAL, entry.place, message, "give the real server's own address")
        return False
    ipv6 = frame.virtual.ipv6 if isinstance(frame.virtual, FirewallMark) else is_ipv6(frame.virtual.address)
    if is_ipv6(entry.address) != ipv6 and frame.method is not Forwarding.TUNNEL:
        message = f"the real server {entry.address} is of another family than its virtual_server and is left out"
        reading.warning(codes.LEFT_OUT, entry.place, message, "keepalived leaves it out too")
        return False
    return True


def _real_server(entry: Entry, port_said: bool, block: Block, frame: Frame, reading: Reading) -> RealServer:
    own = block.get("lvs_method", "lb_kind")
    method = method_of(own, frame.method, reading) if own else frame.method
    port = entry.port if port_said else frame.port
    used = served_port(port, method, entry, frame, reading)
    weight = block.get("weight")
    at = whole(weight, 0, WEIGHT_LIMIT, "1", reading) if weight else None
    upper, lower = _threshold(block, "uthreshold", reading), _threshold(block, "lthreshold", reading)
    if lower > upper:
        message = f"the lower threshold {lower} is above the upper threshold {upper}"
        statement = block.get("lthreshold") or block.statement
        reading.error(codes.THRESHOLDS, statement.place, message, "lower it, or raise the upper")
    check = read_check(block, frame.block, port, used, reading)
    return RealServer(entry.address, used, at.value if at else 1, method, check, upper, lower)


def served_port(port: int, method: Forwarding, entry: Entry, frame: Frame, reading: Reading) -> int:
    """Direct routing and tunnels do not rewrite ports: keepalived puts the virtual server's there, told."""
    if isinstance(frame.virtual, FirewallMark) or method is Forwarding.MASQUERADE or port == frame.port:
        return port
    message = f"port {port} of the real server becomes {frame.port}, the virtual server's; checks still dial {port}"
    hint = "keepalived does the same: only NAT rewrites ports"
    reading.warning(codes.FORCED, entry.place, message, hint)
    return frame.port


def _threshold(block: Block, keyword: str, reading: Reading) -> int:
    statement = block.get(keyword)
    at = whole(statement, 0, THRESHOLD_LIMIT, "0", reading) if statement else None
    return at.value if at else 0
