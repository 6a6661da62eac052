"""lb_kind (lvs_method): how packets reach a real server. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec

from config import codes
from config.keepalived.statements import Statement, no_more
from config.keepalived.values import whole_word, without_semicolon, word
from config.model import Tunnel
from config.network import PORT_LIMIT
from config.nodes import At
from config.reading import Reading, shown
from config.words import Forwarding, TunnelChecksum, TunnelType

METHODS: Final = {"NAT": Forwarding.MASQUERADE, "DR": Forwarding.DIRECT, "TUN": Forwarding.TUNNEL}
_CHECKSUMS: Final = {
    "nocsum": TunnelChecksum.NONE,
    "csum": TunnelChecksum.CHECKSUM,
    "remcsum": TunnelChecksum.REMOTE,
}
_TYPES: Final = {one.name.lower(): one for one in TunnelType}
_ALLOWED: Final = {
    TunnelType.IPIP: frozenset(("nocsum",)),
    TunnelType.GUE: frozenset(_CHECKSUMS),
    TunnelType.GRE: frozenset(("nocsum", "csum")),
}
_FORM: Final = "TUN type ipip, TUN type gre [nocsum|csum], TUN type gue port NUMBER [nocsum|csum|remcsum]"

IPIP: Final = Tunnel()


class Method(msgspec.Struct, frozen=True):
    """A forwarding method, and how a tunnel encapsulates."""

    forwarding: Forwarding
    tunnel: Tunnel = IPIP


NAT: Final = Method(Forwarding.MASQUERADE)


def method_of(statement: Statement, default: Method, reading: Reading) -> Method:
    """The forwarding method; keepalived knows it in capitals only."""
    at = word(statement, reading)
    if at is None:
        return default
    if at.value not in METHODS:
        taken = next(name for name, method in METHODS.items() if method is default.forwarding)
        hint = f"keepalived takes {taken}, and so is it here; NAT, DR or TUN"
        reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is not a forwarding method", hint)
        return default
    method = METHODS[at.value]
    if method is not Forwarding.TUNNEL:
        no_more(statement, 2, reading)
        return Method(method)
    return Method(method, _tunnel(statement.words[2:], reading))


def _tunnel(words: Sequence[At[str]], reading: Reading) -> Tunnel:
    """What follows TUN."""
    said = [without_semicolon(at, reading) for at in words]
    if not said:
        return IPIP
    kind = _TYPES.get(said[1].value) if said[0].value == "type" and len(said) > 1 else None
    if kind is None:
        reading.error(codes.MALFORMED, said[0].place, f"{shown(said[-1].value)} is not a type of tunnel", _FORM)
        return IPIP
    port, checksum = 0, TunnelChecksum.NONE
    rest = iter(said[2:])
    for at in rest:
        if at.value == "port" and kind is TunnelType.GUE:
            port = _port(list(islice(rest, 1)), at, reading)
        elif at.value in _ALLOWED[kind]:
            checksum = _CHECKSUMS[at.value]
        else:
            message = f"{shown(at.value)} does not go with a tunnel of type {kind.name.lower()}"
            reading.error(codes.MALFORMED, at.place, message, _FORM)
    if kind is TunnelType.GUE and not port:
        reading.error(codes.MALFORMED, said[1].place, "a gue tunnel needs a port", _FORM)
    return Tunnel(kind, port, checksum)


def _port(words: list[At[str]], before: At[str], reading: Reading) -> int:
    if not words:
        reading.error(codes.NO_VALUE, before.place, "`port` has no value")
        return 0
    found = whole_word(words[0], 1, PORT_LIMIT, "none", reading)
    return found.value if found else 0
