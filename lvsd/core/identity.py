"""Names that outlive a reload: a check is known by its virtual service and its real server. Pure."""

from __future__ import annotations

from checkers.core.messages import State
from config.checks import NoCheck
from config.model import FirewallMark, RealServer, VirtualEndpoint, VirtualService
from lvsd.core.state import Director


def virtual_text(virtual: VirtualEndpoint | FirewallMark) -> str:
    """`tcp 1.1.1.12:80`, `udp [2001:db8::1]:53`, `fwmark 7` or `fwmark6 7`, for people and as identity."""
    match virtual:
        case VirtualEndpoint():
            return f"{virtual.protocol.name.lower()} {endpoint_text(virtual.address, virtual.port)}"
        case FirewallMark():
            return f"fwmark{'6' if virtual.ipv6 else ''} {virtual.mark}"


def endpoint_text(address: str, port: int) -> str:
    """`address:port`, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def check_id(virtual: VirtualService, real: RealServer) -> str:
    """Stable over reloads, also when the service's name or the check's settings change."""
    return f"{virtual_text(virtual.virtual)} > {endpoint_text(real.address, real.port)}"


def standing_state(director: Director, identity: str, real: RealServer) -> State:
    """What is believed of a real server: a check of type none is always up, one never heard of is unknown."""
    if isinstance(real.check.kind, NoCheck):
        return State.UP
    verdict = director.verdicts.get(identity)
    return verdict.state if verdict is not None else State.UNKNOWN
