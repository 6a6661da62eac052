"""What the kernel's refusals mean: an errno is understood together with its operation. Pure.

The same number says different things: ENOENT is a missing destination to one command and an unknown scheduler to
another (net/netfilter/ipvs/ip_vs_ctl.c).
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType

from netlink.errors import Refusal, SettingRefusal
from netlink.operations import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    SetDestination,
    SetService,
)
from netlink.settings import SetTimeouts, Setting, StartDaemon, StopDaemon

_GENERAL: Mapping[int, str] = MappingProxyType(
    {
        errno.EPERM: "not permitted: CAP_NET_ADMIN is needed",
        errno.ENOMEM: "the kernel is out of memory",
        errno.EAFNOSUPPORT: "this kernel's IPVS does not know the address family",
        errno.EINTR: "interrupted by a signal",
    }
)
_UNKNOWN_NAME = "scheduler or persistence engine not found"
_NO_SERVICE = "no such virtual service"
_NO_DESTINATION = "no such destination"
_OUT_OF_RANGE = "weight out of range, or lower threshold above upper threshold"
_BAD_SERVICE = "the kernel takes no such virtual service: netmask, protocol or flags"
_BAD_DESTINATION = (
    "the kernel takes no such destination: its address is not unicast, it is of another family than the "
    "service without being a tunnel, or so while a sync daemon runs, or a GUE tunnel has no port"
)
_SPECIAL: Mapping[type[Operation], Mapping[int, str]] = MappingProxyType(
    {
        AddService: {
            errno.EEXIST: "virtual service exists already",
            errno.ENOENT: _UNKNOWN_NAME,
            errno.EINVAL: _BAD_SERVICE,
        },
        SetService: {errno.ESRCH: _NO_SERVICE, errno.ENOENT: _UNKNOWN_NAME, errno.EINVAL: _BAD_SERVICE},
        DeleteService: {errno.ESRCH: _NO_SERVICE},
        AddDestination: {
            errno.ESRCH: _NO_SERVICE,
            errno.EEXIST: "destination exists already",
            errno.ERANGE: _OUT_OF_RANGE,
            errno.EINVAL: _BAD_DESTINATION,
        },
        SetDestination: {
            errno.ESRCH: _NO_SERVICE,
            errno.ENOENT: _NO_DESTINATION,
            errno.ERANGE: _OUT_OF_RANGE,
            errno.EINVAL: _BAD_DESTINATION,
        },
        DeleteDestination: {errno.ESRCH: _NO_SERVICE, errno.ENOENT: _NO_DESTINATION},
    }
)


def refusal(operation: Operation, number: int) -> Refusal:
    """The kernel's errno for this operation, with its meaning in words."""
    special = _SPECIAL[type(operation)].get(number)
    name = errno.errorcode.get(number, str(number))
    return Refusal(operation, number, special or _GENERAL.get(number) or f"refused with {name}")


_SETTINGS: Mapping[type[Setting], Mapping[int, str]] = MappingProxyType(
    {
        SetTimeouts: {errno.EINVAL: "a timeout is longer than the kernel can count"},
        StartDaemon: {
            errno.EEXIST: "a sync daemon of this role runs already",
            errno.ENODEV: "no such interface",
            errno.ENETUNREACH: "the interface is down, or has no route to the multicast group",
            errno.EADDRNOTAVAIL: "the interface has no address",
            errno.EADDRINUSE: "the port is in use",
            errno.EINVAL: (
                "the kernel takes no such sync daemon: its group is not multicast, or there is a real server of "
                "another family than its virtual service, which connection sync does not know"
            ),
        },
        StopDaemon: {errno.ESRCH: "no such sync daemon runs"},
    }
)


def setting_refusal(setting: Setting, number: int) -> SettingRefusal:
    """The kernel's errno for this change of IPVS as a whole, with its meaning in words."""
    special = _SETTINGS[type(setting)].get(number)
    name = errno.errorcode.get(number, str(number))
    return SettingRefusal(setting, number, special or _GENERAL.get(number) or f"refused with {name}")
