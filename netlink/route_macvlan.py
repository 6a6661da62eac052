"""Interfaces with a MAC of their own upon another one, as rtnetlink messages. Pure.

Layout and numbers are those of include/uapi/linux/if_link.h.
"""

from __future__ import annotations

import struct

from netlink import route_codec as codec
from netlink.errors import NetlinkError
from netlink.interfaces import MACVLAN, MACVLAN_BRIDGE
from netlink.wire import attribute

ALIAS_LIMIT = 255  # IFALIASZ less one
_MAC_BYTES = 6
_ANY_FAMILY = 0
_UP = 0x1
_U32 = struct.Struct("=I")


def new_macvlan(name: str, parent: int, mac: bytes) -> bytes:
    """Make a macvlan in bridge mode on the interface `parent`. It is down. Raises NetlinkError."""
    mode = attribute(codec.MACVLAN_MODE, _U32.pack(MACVLAN_BRIDGE))
    info = attribute(codec.LINKINFO_KIND, MACVLAN.encode() + b"\0") + attribute(codec.LINKINFO_DATA, mode)
    if len(mac) != _MAC_BYTES:
        message = f"not the MAC of an interface: {mac.hex(':')}"
        raise NetlinkError(message)
    return (
        _header(0)
        + attribute(codec.IFLA_NAME, _text(name, codec.LABEL_LIMIT))
        + attribute(codec.IFLA_LINK, _U32.pack(parent))
        + attribute(codec.IFLA_ADDRESS, mac)
        + attribute(codec.IFLA_LINKINFO, info)
    )


def delete_link(index: int) -> bytes:
    """Remove an interface, with its addresses."""
    return _header(index)


def set_up(index: int, *, up: bool) -> bytes:
    """Raise or lower an interface."""
    return codec.LINK_HEADER.pack(_ANY_FAMILY, 0, index, _UP if up else 0, _UP)


def set_alias(index: int, alias: str) -> bytes:
    """Write a text for people on an interface. Raises NetlinkError."""
    return _header(index) + attribute(codec.IFLA_ALIAS, _text(alias, ALIAS_LIMIT))


def _header(index: int) -> bytes:
    return codec.LINK_HEADER.pack(_ANY_FAMILY, 0, index, 0, 0)


def _text(text: str, limit: int) -> bytes:
    if not text.isascii() or not text.isprintable() or not 0 < len(text) <= limit:
        message = f"cannot be said to the kernel: {text!r}"
        raise NetlinkError(message)
    return text.encode("ascii") + b"\0"
