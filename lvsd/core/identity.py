"""Names that outlive a reload: a check is known by its virtual service and its real server. Pure."""

from __future__ import annotations

from functools import lru_cache

from config.model import FirewallMark, RealServer, VirtualEndpoint, VirtualService
from netlink.table import Family, ServiceKey

BEHIND = " > "  # between a virtual service and its real server
NAMES_KEPT = 1 << 16  # more services than a table can hold: every event asks for names


@lru_cache(NAMES_KEPT)
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


def real_id(virtual: VirtualService, real: RealServer) -> str:
    """A real server of a virtual service: stable over reloads, also when the service's name changes."""
    return f"{virtual_text(virtual.virtual)}{BEHIND}{endpoint_text(real.address, real.port)}"


def fallback_id(virtual: VirtualService, real: RealServer) -> str:
    """A fallback server of a virtual service: apart from the real server that it may be, too."""
    return f"{real_id(virtual, real)} (fallback)"


def check_id(virtual: VirtualService, real: RealServer, number: int = 1) -> str:
    """One of a real server's checks, counted from 1: stable over reloads, also when the check's settings change."""
    first = real_id(virtual, real)
    return first if number == 1 else f"{first} #{number}"


@lru_cache(NAMES_KEPT)
def service_key(virtual: VirtualEndpoint | FirewallMark) -> ServiceKey:
    """The kernel's key of a virtual service."""
    match virtual:
        case VirtualEndpoint():
            return ServiceKey(_family(virtual.address), int(virtual.protocol), virtual.address, virtual.port)
        case FirewallMark():
            return ServiceKey(Family.INET6 if virtual.ipv6 else Family.INET, fwmark=virtual.mark)


def _family(address: str) -> Family:
    return Family.INET6 if ":" in address else Family.INET
