"""The vocabulary of the configuration: closed sets and their spellings. Pure."""

from __future__ import annotations

from enum import Enum, IntEnum


class Protocol(IntEnum):
    """Transport protocols IPVS balances, by their IP protocol number."""

    TCP = 6
    UDP = 17
    SCTP = 132


class Forwarding(IntEnum):
    """Forwarding methods, by the kernel's numbers (include/uapi/linux/ip_vs.h)."""

    MASQUERADE = 0
    TUNNEL = 2
    DIRECT = 3


class OnFailure(Enum):
    """What happens to a real server that is found down."""

    REMOVE = "remove"
    QUIESCE = "quiesce"


class Initial(Enum):
    """What is believed of a real server before its first verdict."""

    ADOPT = "adopt"  # in service if the kernel's table has it with a weight, else not
    UNKNOWN = "unknown"  # not in service, and the first outcome decides
    UP = "up"  # in service, as if it had been found up
    DOWN = "down"  # not in service until `rise` successes


class TunnelType(IntEnum):
    """Encapsulations of forwarding method tunnel, by the kernel's numbers (include/uapi/linux/ip_vs.h)."""

    IPIP = 0
    GUE = 1
    GRE = 2


class TunnelChecksum(IntEnum):
    """How a GUE or GRE tunnel is checksummed: the kernel's IP_VS_TUNNEL_ENCAP_FLAG_*."""

    NONE = 0
    CHECKSUM = 1
    REMOTE = 2  # GUE alone


class SyncRole(Enum):
    """Which connection sync daemons run in the kernel."""

    MASTER = "master"
    BACKUP = "backup"
    BOTH = "both"
    FOLLOW = "follow"  # master while the VRRP instance is active, else backup


FORWARDING_WORDS = {
    "direct": Forwarding.DIRECT,
    "gate": Forwarding.DIRECT,
    "dr": Forwarding.DIRECT,
    "route": Forwarding.DIRECT,
    "tunnel": Forwarding.TUNNEL,
    "ipip": Forwarding.TUNNEL,
    "tun": Forwarding.TUNNEL,
    "masquerade": Forwarding.MASQUERADE,
    "masq": Forwarding.MASQUERADE,
    "nat": Forwarding.MASQUERADE,
}
"""Lower-cased spellings of the forwarding methods: ours, ldirectord's, keepalived's, ipvsadm's."""

SCHEDULERS = (
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos",
)  # fmt: skip
"""Every scheduler of Linux 6.1 (net/netfilter/ipvs/Kconfig)."""

HASHING_SCHEDULERS = ("sh", "mh")
"""Schedulers that map a client by hash: a real server's absence moves other servers' clients."""

WEIGHING_SCHEDULERS = ("wrr", "wlc", "sed", "nq", "lblc", "lblcr", "twos")
"""Schedulers to which a weight is a share of the load: to sh and mh it is one of the clients, to fo and ovf a rank."""

UNWEIGHING_SCHEDULERS = ("rr", "lc", "dh")
"""Schedulers that ask of a weight only whether it is 0 (net/netfilter/ipvs/ip_vs_rr.c, ip_vs_lc.c, ip_vs_dh.c)."""

SCHEDULER_FLAGS = {
    "sh-fallback": 0x8,
    "sh-port": 0x10,
    "mh-fallback": 0x8,
    "mh-port": 0x10,
    "flag-1": 0x8,
    "flag-2": 0x10,
    "flag-3": 0x20,
}
"""ipvsadm's words for IP_VS_SVC_F_SCHED1..3 (include/uapi/linux/ip_vs.h)."""
