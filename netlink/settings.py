"""The three changes that can be made to IPVS as a whole: its timeouts and its connection sync daemons. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from socket import inet_ntop, inet_pton  # text to bytes and back, no socket

from netlink.table import Family, SyncDaemon

MASTER, BACKUP = "master", "backup"
ROLES = (MASTER, BACKUP)
DEFAULT_GROUP, DEFAULT_PORT, DEFAULT_TTL = "224.0.0.81", 8848, 1
LENGTH_MOST = 65535

_BACKUP_LEAST = 1024


@dataclass(frozen=True, slots=True)
class SetTimeouts:
    """IPVS_CMD_SET_CONFIG: seconds; 0 leaves a timeout as it is."""

    tcp: int = 0
    tcp_fin: int = 0
    udp: int = 0


@dataclass(frozen=True, slots=True)
class StartDaemon:
    """IPVS_CMD_NEW_DAEMON. One of each role can run; its settings cannot be changed while it does.

    `role` is master or backup. Zeros and an empty group are the kernel's defaults.
    """

    role: str
    interface: str
    sync_id: int = 0
    max_length: int = 0
    group: str = ""
    port: int = 0
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class StopDaemon:
    """IPVS_CMD_DEL_DAEMON."""

    role: str


Setting = SetTimeouts | StartDaemon | StopDaemon


def as_kept(wanted: StartDaemon) -> SyncDaemon:
    """What the kernel makes of it: defaults filled in, the length in its bounds.

    `max_length` stays 0 where it is not said: the kernel takes it from the interface.
    """
    group = wanted.group or DEFAULT_GROUP
    family = Family.INET6 if ":" in group else Family.INET
    least = _BACKUP_LEAST if wanted.role == BACKUP else 1
    length = wanted.max_length and min(max(wanted.max_length, least), LENGTH_MOST - header_bytes(group))
    return SyncDaemon(
        role=wanted.role,
        interface=wanted.interface,
        sync_id=wanted.sync_id,
        max_length=length,
        group=inet_ntop(family, inet_pton(family, group)),
        port=wanted.port or DEFAULT_PORT,
        ttl=wanted.ttl or DEFAULT_TTL,
    )


def header_bytes(group: str) -> int:
    """IP and UDP headers of a message to the group."""
    return 48 if ":" in group else 28
