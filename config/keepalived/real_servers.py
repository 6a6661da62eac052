"""real_server blocks to real servers. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from config import codes
from config.build_service import Virtual
from config.keepalived.block import Block
from config.keepalived.checkers import Dialled, read_checks
from config.keepalived.commands import hook
from config.keepalived.forwarding import Method, method_of
from config.keepalived.groups import Entry, endpoint
from config.keepalived.values import switch, whole
from config.model import FirewallMark, RealServer, VirtualEndpoint
from config.network import is_ipv6
from config.nodes import Place
from config.reading import Reading
from config.words import Forwarding, OnFailure

WEIGHT_LIMIT: Final = 2**31 - 1
THRESHOLD_LIMIT: Final = 2**32 - 1


class Frame(msgspec.Struct, frozen=True):
    """What a real server inherits: its virtual_server's block, address, forwarding method and port.

    `reals` are the real_server blocks. `grouped`: whether the virtual_server stands for a group's entries.
    """

    block: Block
    reals: tuple[Block, ...]
    virtual: Virtual
    method: Method
    port: int
    on_failure: OnFailure
    weight: int
    grouped: bool = False


def read_real_servers(frame: Frame, reading: Reading) -> tuple[RealServer, ...]:
    """The real servers, each once."""
    found: dict[tuple[str, int], Place] = {}
    servers: list[RealServer] = []
    for block in frame.reals:
        words = block.statement.words
        if len(words) == 1:
            reading.error(codes.NO_VALUE, block.statement.place, "`real_server` names no address")
            continue
        entry = endpoint(words[1:], reading)
        own = block.get("lvs_method", "lb_kind")
        method = method_of(own, frame.method, reading) if own else frame.method
        if entry is None or entry.mark is not None or not fits(entry, method, frame, reading):
            continue
        server = _real_server(entry, method, block, frame, reading)
        key = server.address, server.port
        if key in found:
            message = f"the real server {server.address} port {server.port} is listed twice"
            reading.error(codes.DUPLICATE_REAL_SERVER, entry.place, message, f"the first is on line {found[key].line}")
            continue
        found[key] = entry.place
        servers.append(server)
    return tuple(servers)


def fits(entry: Entry, method: Method, frame: Frame, reading: Reading) -> bool:
    """Whether the address can stand behind the virtual one; keepalived leaves out one of another family."""
    if isinstance(frame.virtual, VirtualEndpoint) and entry.address == frame.virtual.address:
        message = f"the real server {entry.address} is the virtual address itself"
        hint = "it serves from whichever balancer holds the address, as with keepalived"
        reading.warning(codes.REAL_IS_VIRTUAL, entry.place, message, hint)
    ipv6 = frame.virtual.ipv6 if isinstance(frame.virtual, FirewallMark) else is_ipv6(frame.virtual.address)
    if is_ipv6(entry.address) != ipv6 and method.forwarding is not Forwarding.TUNNEL:
        message = f"the real server {entry.address} is of another family than its virtual_server and is left out"
        reading.warning(codes.LEFT_OUT, entry.place, message, "keepalived leaves it out too")
        return False
    return True


def _real_server(entry: Entry, method: Method, block: Block, frame: Frame, reading: Reading) -> RealServer:
    port = entry.port if block.statement.words[2:] else frame.port
    used = served_port(port, method.forwarding, entry, frame, reading)
    upper, lower = _thresholds(block, reading)
    check, further = read_checks(block, frame.block, Dialled(entry.address, port, used), reading)
    return RealServer(
        entry.address,
        used,
        weight_of(block, frame.weight, reading),
        method.forwarding,
        check,
        upper,
        lower,
        method.tunnel,
        further,
        _on_failure(block, frame, reading),
        hook(block, "notify_up", reading),
        hook(block, "notify_down", reading),
    )


def weight_of(block: Block, default: int, reading: Reading) -> int:
    """The weight a real_server, or a virtual_server for all of its own, says."""
    statement = block.get("weight")
    at = whole(statement, 0, WEIGHT_LIMIT, str(default), reading) if statement else None
    return at.value if at else default


def failure_of(block: Block, default: OnFailure, reading: Reading) -> OnFailure:
    """What `inhibit_on_failure` says."""
    stays = switch(block.get("inhibit_on_failure"), reading, default=default is OnFailure.QUIESCE)
    return OnFailure.QUIESCE if stays else OnFailure.REMOVE


def _on_failure(block: Block, frame: Frame, reading: Reading) -> OnFailure | None:
    """None where it does as the virtual_server says."""
    own = failure_of(block, frame.on_failure, reading)
    return None if own is frame.on_failure else own


def served_port(port: int, method: Forwarding, entry: Entry, frame: Frame, reading: Reading) -> int:
    """Direct routing and tunnels do not rewrite ports: keepalived puts the virtual server's there, told."""
    if method is Forwarding.MASQUERADE or port == frame.port:
        return port
    message = f"port {port} of the server becomes {frame.port}, the virtual server's; checks dial the one written"
    if isinstance(frame.virtual, FirewallMark):
        message = f"port {port} of the server counts for checks only: a firewall mark covers every port"
    hint = "keepalived does the same: only NAT rewrites ports"
    reading.warning(codes.FORCED, entry.place, message, hint)
    return frame.port


def _thresholds(block: Block, reading: Reading) -> tuple[int, int]:
    """Upper and lower."""
    upper, lower = _threshold(block, "uthreshold", reading), _threshold(block, "lthreshold", reading)
    if lower > upper:
        message = f"the lower threshold {lower} is above the upper threshold {upper}"
        statement = block.get("lthreshold") or block.statement
        reading.error(codes.THRESHOLDS, statement.place, message, "lower it, or raise the upper")
    return upper, lower


def _threshold(block: Block, keyword: str, reading: Reading) -> int:
    statement = block.get(keyword)
    at = whole(statement, 0, THRESHOLD_LIMIT, "0", reading) if statement else None
    return at.value if at else 0
