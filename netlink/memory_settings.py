"""IPVS's timeouts and sync daemons in memory with the kernel's manners, for tests and dry runs. Pure.

What net/netfilter/ipvs/ip_vs_ctl.c and ip_vs_sync.c refuse is refused here with the same errno.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import replace
from socket import inet_pton  # text to bytes only, no socket
from types import MappingProxyType

from netlink.errors import SettingRefusal
from netlink.refusals import setting_refusal
from netlink.settings import (
    BACKUP,
    LENGTH_MOST,
    ROLES,
    SetTimeouts,
    Setting,
    StartDaemon,
    StopDaemon,
    as_kept,
    header_bytes,
)
from netlink.settings_codec import encode_setting
from netlink.table import Family, SyncDaemon, Timeouts

KERNEL_TIMEOUTS = Timeouts(900, 120, 300)

_LONGEST_SECONDS = 0x7FFFFFFF // 1000  # in jiffies it has to fit a signed 32 bit number, whatever CONFIG_HZ
_MULTICAST = 0xE
_MULTICAST6 = 0xFF
_ETHERNET_MTU = 1500
_ETH0: Mapping[str, int] = MappingProxyType({"eth0": _ETHERNET_MTU})


class MemorySettings:
    """Timeouts and daemons that take changes as the kernel does. `interfaces`: name to MTU of those that are up."""

    def __init__(self, interfaces: Mapping[str, int] = _ETH0) -> None:
        self._interfaces = interfaces
        self._timeouts = KERNEL_TIMEOUTS
        self._daemons: dict[str, SyncDaemon] = {}

    def timeouts(self) -> Timeouts:
        """The connection timeouts."""
        return self._timeouts

    def daemons(self) -> tuple[SyncDaemon, ...]:
        """The daemons that run, the master first."""
        return tuple(self._daemons[role] for role in ROLES if role in self._daemons)

    def apply_settings(self, settings: Sequence[Setting], *, mixed: bool = False) -> tuple[SettingRefusal, ...]:
        """Make the changes in their order; those that were refused. NetlinkError as `encode_setting` raises it.

        `mixed`: the table has a destination of another family than its service, which no daemon starts beside.
        """
        for setting in settings:
            encode_setting(setting)  # what no message can carry never reaches the kernel
        answers = [(setting, self._one(setting, mixed=mixed)) for setting in settings]
        return tuple(setting_refusal(setting, code) for setting, code in answers if code)

    def _one(self, setting: Setting, *, mixed: bool) -> int:
        match setting:
            case SetTimeouts():
                return self._set_timeouts(setting)
            case StartDaemon():
                return self._start(setting, mixed=mixed)
            case StopDaemon(role):
                return 0 if self._daemons.pop(role, None) else errno.ESRCH

    def _set_timeouts(self, wanted: SetTimeouts) -> int:
        if max(wanted.tcp, wanted.tcp_fin, wanted.udp) > _LONGEST_SECONDS:
            return errno.EINVAL
        held = self._timeouts
        self._timeouts = Timeouts(wanted.tcp or held.tcp, wanted.tcp_fin or held.tcp_fin, wanted.udp or held.udp)
        return 0

    def _start(self, wanted: StartDaemon, *, mixed: bool) -> int:
        if mixed or (wanted.group and not _is_multicast(wanted.group)):
            return errno.EINVAL
        if wanted.interface not in self._interfaces:
            return errno.ENODEV
        if wanted.role in self._daemons:
            return errno.EEXIST
        kept = as_kept(wanted)
        length = kept.max_length or self._default_length(kept)
        self._daemons[wanted.role] = replace(kept, max_length=length)
        return 0

    def _default_length(self, kept: SyncDaemon) -> int:
        mtu = self._interfaces[kept.interface] if kept.role == BACKUP else _ETHERNET_MTU
        return min(max(mtu, _ETHERNET_MTU), LENGTH_MOST) - header_bytes(kept.group)


def _is_multicast(group: str) -> bool:
    if ":" in group:
        return inet_pton(Family.INET6, group)[0] == _MULTICAST6
    return inet_pton(Family.INET, group)[0] >> 4 == _MULTICAST
