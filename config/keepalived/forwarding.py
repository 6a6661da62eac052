"""lb_kind (lvs_method): how packets reach a real server. Pure."""

from __future__ import annotations

from typing import Final

from config import codes
from config.keepalived.statements import Statement
from config.keepalived.values import word
from config.reading import Reading, shown
from config.words import Forwarding

METHODS: Final = {"NAT": Forwarding.MASQUERADE, "DR": Forwarding.DIRECT, "TUN": Forwarding.TUNNEL}


def method_of(statement: Statement, default: Forwarding, reading: Reading) -> Forwarding:
    """The forwarding method; keepalived knows it in capitals only. Options of a tunnel other than ipip are refused."""
    at = word(statement, reading)
    if at is None:
        return default
    if at.value not in METHODS:
        taken = next(name for name, method in METHODS.items() if method is default)
        hint = f"keepalived takes {taken}, and so is it here; NAT, DR or TUN"
        reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is not a forwarding method", hint)
        return default
    options = [one.value for one in statement.words[2:]]
    if options and options != ["type", "ipip"]:
        reading.error(codes.NOT_YET, statement.words[2].place, "lvsd knows ipip tunnels only yet", "lvs_method TUN")
    return METHODS[at.value]
