"""Addresses, numbers and flags spelled as ipvsadm 1.31 spells them, byte for byte. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from socket import inet_ntoa
from types import MappingProxyType

from lvsd.ctl.names import Names
from netlink.ipvs_codec import netmask_bytes
from netlink.table import Destination, Family, Service, ServiceKey

PERSISTENT, ONE_PACKET = 0x1, 0x4
SCHEDULER_FLAGS = (0x8, 0x10, 0x20)

UNNAMED = "(null)"  # what C's printf makes of a name that ipvsadm does not have
ENDPOINT_LIMIT = 59  # name and port; what is longer is cut
_PROTOCOLS: Mapping[int, str] = MappingProxyType({6: "TCP", 17: "UDP", 132: "SCTP"})
PROTOCOL_NUMBERS: Mapping[str, int] = MappingProxyType({name: number for number, name in _PROTOCOLS.items()})
_FLAG_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"sh": ("sh-fallback", "sh-port"), "mh": ("mh-fallback", "mh-port")}
)
_OTHER_FLAG_NAMES = ("flag-1", "flag-2", "flag-3")
_METHODS: Mapping[int, str] = MappingProxyType({0: "Masq", 1: "Local", 2: "Tunnel", 3: "Route"})
_CHECKSUMS: Mapping[int, str] = MappingProxyType({0: "-c", 1: "+c", 2: "r+c"})
_WHOLE_IPV4, _WHOLE_IPV6 = b"\xff\xff\xff\xff", 128
_SIGN_BIT, _WORD = 0x80000000, 0x100000000

_COLUMN = 9
# up to where a number is printed whole, and then in which unit
_UNITS = (
    (100_000_000_000_000, 1_000_000_000_000, "T"),
    (100_000_000_000, 1_000_000_000, "G"),
    (1_000_000_000, 1_000_000, "M"),
    (100_000_000, 1_000, "K"),
)


def signed(number: int) -> int:
    """A 32 bit number as C's int prints it: ipvsadm prints marks and weights so."""
    return number - _WORD if number & _SIGN_BIT else number


def endpoint(names: Names, address: str, port: int, protocol: int) -> str:
    """`host:service`, an IPv6 host in brackets; cut as ipvsadm's buffer cuts it."""
    host = names.host(address) or address
    service = names.service(port, protocol) or str(port)
    return (f"[{host}]:{service}" if ":" in address else f"{host}:{service}")[:ENDPOINT_LIMIT]


def service_name(names: Names, key: ServiceKey) -> str:
    """The first words of a service's line."""
    if key.fwmark:
        return f"FWM  {signed(key.fwmark)}" + (" IPv6" if key.family is Family.INET6 else "")
    protocol = _PROTOCOLS.get(key.protocol, "?")
    return f"{protocol:<4} {endpoint(names, key.address, key.port, key.protocol)}"


def service_settings(service: Service) -> str:
    """Scheduler, flags and persistence; each with a blank before it."""
    words = [service.scheduler]
    if any(service.flags & flag for flag in SCHEDULER_FLAGS):
        words.append(f"({scheduler_flags(service)})")
    if service.flags & PERSISTENT:
        words.append(f"persistent {service.timeout}")
        words += [f"mask {mask}" for mask in netmask(service)]
        words += [f"pe {service.persistence_engine}"] if service.persistence_engine else []
    if service.flags & ONE_PACKET:
        words.append("ops")
    return "".join(f" {word}" for word in words)


def scheduler_flags(service: Service) -> str:
    """The names of the scheduler flags. The third has none for sh and mh, and is then not shown."""
    return ",".join(name for flag, name in named_flags(service.scheduler).items() if service.flags & flag)


def named_flags(scheduler: str) -> Mapping[int, str]:
    """The scheduler flags that have a name for this scheduler."""
    return dict(zip(SCHEDULER_FLAGS, _FLAG_NAMES.get(scheduler, _OTHER_FLAG_NAMES), strict=False))


def netmask(service: Service) -> tuple[str, ...]:
    """The netmask, where it is not the whole address: dotted for IPv4, a prefix length for IPv6."""
    if service.key.family is Family.INET6:
        return (str(service.netmask),) if service.netmask != _WHOLE_IPV6 else ()
    raw = netmask_bytes(Family.INET, service.netmask)
    return (inet_ntoa(raw),) if raw != _WHOLE_IPV4 else ()


def method(destination: Destination) -> str:
    """The forwarding method."""
    return _METHODS.get(destination.forwarding, UNNAMED)


def tunnel(destination: Destination) -> str:
    """The kind of tunnel, its port and how it sums."""
    checksum = _CHECKSUMS.get(destination.tunnel_flags, UNNAMED)
    match destination.forwarding, destination.tunnel_type:
        case (2, 0):
            return "ipip"
        case (2, 1):
            return f"gue:{destination.tunnel_port}:{checksum}"
        case (2, 2):
            return f"gre:{checksum}"
        case _:
            return "n/a"


def large(number: int, *, exact: bool) -> str:
    """A counter in nine columns, in thousands and above where it would not fit; or whole with at least one blank."""
    if exact:
        digits = str(number)
        return digits.rjust(max(_COLUMN, len(digits) + 1))
    for limit, unit, letter in _UNITS:
        if number >= limit:
            return f"{number // unit:>{_COLUMN - 1}}{letter}"
    return f"{number:>{_COLUMN}}"
