"""What an ICMP error says of a SYN, as the kernel hands it over on a socket's error queue. Pure.

struct sock_extended_err of linux/errqueue.h; types and codes of RFC 792, RFC 1122 section 3.2.2, RFC 1812 section
5.2.7.1 and RFC 4443 section 3.
"""

from __future__ import annotations

import struct

_EXTENDED = struct.Struct("=4xBBB9x")  # (errno), origin, type, code
_FROM_ICMP, _FROM_ICMP6 = 2, 3

_KINDS_4 = {
    (3, 0): "network unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 5): "source route failed",
    (3, 6): "network unknown",
    (3, 7): "host unknown",
    (3, 8): "source host isolated",
    (3, 9): "network prohibited",
    (3, 10): "host prohibited",
    (3, 11): "network unreachable for this type of service",
    (3, 12): "host unreachable for this type of service",
    (3, 13): "communication prohibited",
    (3, 14): "host precedence violation",
    (3, 15): "precedence cutoff",
    (11, 0): "too many hops",
    (12, 0): "parameter problem",
}

_KINDS_6 = {
    (1, 0): "no route",
    (1, 1): "communication prohibited",
    (1, 2): "beyond scope of source address",
    (1, 3): "address unreachable",
    (1, 4): "port unreachable",
    (1, 5): "source address failed policy",
    (1, 6): "route rejected",
    (3, 0): "too many hops",
    (4, 0): "parameter problem",
    (4, 1): "parameter problem",
}


def kind(extended: bytes) -> str | None:
    """Why the SYN did not arrive, in words; None for what does not say so (a hint about the path's MTU)."""
    if len(extended) < _EXTENDED.size:
        return None
    origin, number, code = _EXTENDED.unpack_from(extended)
    if origin == _FROM_ICMP:
        return _KINDS_4.get((number, code))
    return _KINDS_6.get((number, code)) if origin == _FROM_ICMP6 else None


def offender(extended: bytes) -> bytes:
    """The packed address of who says so; empty where it is not known."""
    rest = extended[_EXTENDED.size :]
    if extended[4:5] == bytes((_FROM_ICMP,)):
        return rest[4:8]
    return rest[8:24]
