"""IPVS's timeouts and sync daemons as the kernel's generic netlink messages. Pure.

Attribute numbers are those of include/uapi/linux/ip_vs.h (IPVS_CMD_ATTR_* and IPVS_DAEMON_ATTR_*).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from socket import inet_pton  # text to bytes only, no socket
from types import MappingProxyType

from netlink.errors import NetlinkError
from netlink.ipvs_codec import (
    ATTR_DAEMON,
    ATTR_TIMEOUT_TCP,
    ATTR_TIMEOUT_TCP_FIN,
    ATTR_TIMEOUT_UDP,
    DELETE_DAEMON,
    NEW_DAEMON,
    SET_CONFIG,
)
from netlink.settings import BACKUP, MASTER, SetTimeouts, Setting, StartDaemon, StopDaemon
from netlink.table import Family
from netlink.wire import attribute, generic

DAEMON_STATE, DAEMON_INTERFACE, DAEMON_SYNC_ID, DAEMON_LENGTH = 1, 2, 3, 4
DAEMON_GROUP, DAEMON_GROUP6, DAEMON_PORT, DAEMON_TTL = 5, 6, 7, 8
DAEMON_ROLES: Mapping[str, int] = MappingProxyType({MASTER: 1, BACKUP: 2})

INTERFACE_NAME_LIMIT = 15  # IP_VS_IFNAME_MAXLEN and IFNAMSIZ, without the closing NUL

_U32 = struct.Struct("=I")
_U16 = struct.Struct("=H")
_U8 = struct.Struct("=B")


def encode_setting(setting: Setting) -> bytes:
    """The generic netlink request (command and attributes) that makes the change.

    Raises NetlinkError for what no message can carry: an unknown role, a malformed group, a number out of range.
    """
    try:
        match setting:
            case SetTimeouts():
                return generic(SET_CONFIG, _timeouts(setting))
            case StartDaemon():
                return generic(NEW_DAEMON, attribute(ATTR_DAEMON, _daemon(setting)))
            case StopDaemon(role):
                return generic(DELETE_DAEMON, attribute(ATTR_DAEMON, _role(role)))
    except (KeyError, ValueError, OSError, struct.error) as error:
        message = f"cannot be said to the kernel: {setting} ({error})"
        raise NetlinkError(message) from error


def _timeouts(wanted: SetTimeouts) -> bytes:
    kinds = (ATTR_TIMEOUT_TCP, wanted.tcp), (ATTR_TIMEOUT_TCP_FIN, wanted.tcp_fin), (ATTR_TIMEOUT_UDP, wanted.udp)
    return b"".join(attribute(kind, _U32.pack(seconds)) for kind, seconds in kinds if seconds)


def _daemon(wanted: StartDaemon) -> bytes:
    return (
        _role(wanted.role)
        + attribute(DAEMON_INTERFACE, _interface(wanted.interface))
        + attribute(DAEMON_SYNC_ID, _U32.pack(wanted.sync_id))
        + (attribute(DAEMON_LENGTH, _U16.pack(wanted.max_length)) if wanted.max_length else b"")
        + (_group(wanted.group) if wanted.group else b"")
        + (attribute(DAEMON_PORT, _U16.pack(wanted.port)) if wanted.port else b"")
        + (attribute(DAEMON_TTL, _U8.pack(wanted.ttl)) if wanted.ttl else b"")
    )


def _role(role: str) -> bytes:
    return attribute(DAEMON_STATE, _U32.pack(DAEMON_ROLES[role]))


def _group(group: str) -> bytes:
    if ":" in group:
        return attribute(DAEMON_GROUP6, inet_pton(Family.INET6, group))
    return attribute(DAEMON_GROUP, inet_pton(Family.INET, group))


def _interface(name: str) -> bytes:
    encoded = name.encode("ascii")
    if not 0 < len(encoded) <= INTERFACE_NAME_LIMIT or b"\0" in encoded:
        message = f"interface name of 1 to {INTERFACE_NAME_LIMIT} characters wanted"
        raise ValueError(message)
    return encoded + b"\0"
