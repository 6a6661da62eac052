"""The PROXY protocol's header of a check: what comes first on a connection that nobody is proxied over. Pure.

Version 1 names the connection's own two ends, as the protocol's specification asks of health checks: Postfix
refuses its word UNKNOWN. Version 2 says LOCAL. So does HAProxy.
"""

from __future__ import annotations

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
VERSION_AND_LOCAL = 0x20
LOCAL = SIGNATURE + bytes((VERSION_AND_LOCAL, 0, 0, 0))  # no family, no addresses

End = tuple[str, int]
"""An address, without scope, and a port."""


def header(version: int, own: End, peer: End) -> bytes:
    """The header of that version, 1 or 2."""
    if version != 1:
        return LOCAL
    family = "TCP6" if ":" in peer[0] else "TCP4"
    return f"PROXY {family} {own[0]} {peer[0]} {own[1]} {peer[1]}\r\n".encode()
