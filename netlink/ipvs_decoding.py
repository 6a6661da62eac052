"""The kernel's answers about the IPVS table, as our types. Pure.

Nothing is believed about lengths: `netlink.wire` checks each before it is read, and a missing attribute that
should be there is a NetlinkError like any other garbled answer. A destination laid out as by Linux 5.3 and later
(ip_vs_genl_fill_dest), which one comparison tells, is read in one go; any other attribute by attribute.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from socket import inet_ntop  # bytes to text only, no socket
from types import MappingProxyType

from netlink import ipvs_codec as codec
from netlink.settings_codec import (
    DAEMON_GROUP,
    DAEMON_GROUP6,
    DAEMON_INTERFACE,
    DAEMON_LENGTH,
    DAEMON_PORT,
    DAEMON_ROLES,
    DAEMON_STATE,
    DAEMON_SYNC_ID,
    DAEMON_TTL,
)
from netlink.table import (
    SETTABLE_FLAGS,
    Destination,
    DestinationKey,
    DestinationStatus,
    Family,
    Info,
    Service,
    ServiceKey,
    ServiceStatus,
    Stats,
    SyncDaemon,
    Timeouts,
)
from netlink.wire import GENERIC_SIZE, KIND_MASK, Attributes, attributes, garbled, number, port_number, text

_FAMILIES: Mapping[int, Family] = MappingProxyType({int(family): family for family in Family})
_ADDRESS_SIZES: Mapping[Family, int] = MappingProxyType({Family.INET: 4, Family.INET6: 16})
_ABSENT = memoryview(bytes(8))  # an attribute that older kernels leave out reads as zero

# the ten statistics in the order of their attributes, which is that of the fields of Stats; 32 and 64 bit sizes
_STATS_SIZES = ((1, 4), (2, 4), (3, 4), (4, 8), (5, 8), (6, 4), (7, 4), (8, 4), (9, 4), (10, 4))
_STATS64_SIZES = tuple((kind, 8) for kind, _ in _STATS_SIZES)

_INFO_VERSION, _INFO_SIZE = 1, 2
_DAEMON_ROLES: Mapping[int, str] = MappingProxyType({number: role for role, number in DAEMON_ROLES.items()})

# what a destination begins with: each attribute's number and size, and how its value is read
_LAYOUT = (
    (codec.DEST_ADDRESS, 16, "16s"),
    (codec.DEST_PORT, 2, "BBxx"),
    (codec.DEST_FORWARDING, 4, "I"),
    (codec.DEST_WEIGHT, 4, "I"),
    (codec.DEST_TUNNEL_TYPE, 1, "Bxxx"),
    (codec.DEST_TUNNEL_PORT, 2, "BBxx"),
    (codec.DEST_TUNNEL_FLAGS, 2, "Hxx"),
    (codec.DEST_UPPER, 4, "I"),
    (codec.DEST_LOWER, 4, "I"),
    (codec.DEST_ACTIVE, 4, "4x"),
    (codec.DEST_INACTIVE, 4, "4x"),
    (codec.DEST_PERSISTENT, 4, "4x"),
    (codec.DEST_FAMILY, 2, "Hxx"),
)
_LAID_OUT = struct.Struct("=4x HH" + "".join(f"4x{values}" for _, _, values in _LAYOUT))
_HEADERS = b"".join(struct.pack("=HH", 4 + size, kind) + bytes((size + 3) & ~3) for kind, size, _ in _LAYOUT)
_HEADERS_MASK = b"".join(b"\xff" * 4 + bytes((size + 3) & ~3) for _, size, _ in _LAYOUT)
_EXPECTED, _MASK = int.from_bytes(_HEADERS), int.from_bytes(_HEADERS_MASK)
_LAYOUT_START, _LAYOUT_SIZE = 8, _LAID_OUT.size


def decode_service(body: memoryview) -> Service:
    """A service's settings, from one message of a dump."""
    return _service(_nested(body, codec.ATTR_SERVICE))


def decode_service_status(body: memoryview) -> ServiceStatus:
    """A service's settings and counters; its destinations come by a dump of their own."""
    found = _nested(body, codec.ATTR_SERVICE)
    return ServiceStatus(_service(found), stats=_stats(found, codec.SVC_STATS64, codec.SVC_STATS))


def decode_destination(body: memoryview, family: Family) -> Destination:
    """A destination's settings; `family` is its service's, for kernels that do not name the destination's own."""
    return _laid_out(body) or _destination(_nested(body, codec.ATTR_DESTINATION), family)


def _laid_out(body: memoryview) -> Destination | None:
    """A destination that is laid out as expected; None: it is not."""
    if len(body) < _LAYOUT_SIZE or int.from_bytes(body[_LAYOUT_START:_LAYOUT_SIZE]) & _MASK != _EXPECTED:
        return None
    (
        length,
        kind,
        raw,
        high,
        low,
        forwarding,
        weight,
        tunnel_type,
        tunnel_high,
        tunnel_low,
        tunnel_flags,
        upper,
        lower,
        number,
    ) = _LAID_OUT.unpack_from(body)
    if (
        kind & KIND_MASK != codec.ATTR_DESTINATION
        or not _LAYOUT_SIZE - GENERIC_SIZE <= length <= len(body) - GENERIC_SIZE
    ):
        return None
    family = _FAMILIES.get(number)
    if family is None:
        return None
    address = inet_ntop(family, raw[: _ADDRESS_SIZES[family]])
    key = DestinationKey(address, high << 8 | low)
    return Destination(key, forwarding, weight, upper, lower, tunnel_type, tunnel_high << 8 | tunnel_low, tunnel_flags)


def decode_destination_status(body: memoryview, family: Family) -> DestinationStatus:
    """A destination's settings and counters."""
    found = _nested(body, codec.ATTR_DESTINATION)
    return DestinationStatus(
        _destination(found, family),
        active=_u32(found, codec.DEST_ACTIVE),
        inactive=_u32(found, codec.DEST_INACTIVE),
        persistent=_u32(found, codec.DEST_PERSISTENT),
        stats=_stats(found, codec.DEST_STATS64, codec.DEST_STATS),
    )


def decode_info(body: memoryview) -> Info:
    """The answer to `get_info`."""
    found = attributes(body, GENERIC_SIZE)
    version = number(_need(found, _INFO_VERSION), 4)
    return Info((version >> 16 & 0xFF, version >> 8 & 0xFF, version & 0xFF), number(_need(found, _INFO_SIZE), 4))


def decode_timeouts(body: memoryview) -> Timeouts:
    """The answer to `get_timeouts`."""
    found = attributes(body, GENERIC_SIZE)
    kinds = (codec.ATTR_TIMEOUT_TCP, codec.ATTR_TIMEOUT_TCP_FIN, codec.ATTR_TIMEOUT_UDP)
    return Timeouts(*(_u32(found, kind) for kind in kinds))


def decode_daemon(body: memoryview) -> SyncDaemon:
    """One connection sync daemon."""
    found = _nested(body, codec.ATTR_DAEMON)
    role = _DAEMON_ROLES.get(number(_need(found, DAEMON_STATE), 4))
    if role is None:
        raise garbled("sync daemon's role")
    return SyncDaemon(
        role=role,
        interface=text(_need(found, DAEMON_INTERFACE)),
        sync_id=_u32(found, DAEMON_SYNC_ID),
        max_length=number(found.get(DAEMON_LENGTH, _ABSENT), 2),
        group=_group(found),
        port=number(found.get(DAEMON_PORT, _ABSENT), 2),
        ttl=number(found.get(DAEMON_TTL, _ABSENT), 1),
    )


def _group(found: Attributes) -> str:
    if DAEMON_GROUP6 in found:
        return _address(found[DAEMON_GROUP6], Family.INET6)
    return _address(found.get(DAEMON_GROUP, _ABSENT), Family.INET)


def _service(found: Attributes) -> Service:
    family = _family(number(_need(found, codec.SVC_AF), 2))
    netmask = _need(found, codec.SVC_NETMASK)
    number(netmask, 4)  # its length is checked there
    return Service(
        key=_service_key(found, family),
        scheduler=text(_need(found, codec.SVC_SCHEDULER)),
        flags=number(_need(found, codec.SVC_FLAGS), 4) & SETTABLE_FLAGS,
        timeout=_u32(found, codec.SVC_TIMEOUT),
        netmask=codec.netmask_of(family, bytes(netmask[:4])),
        persistence_engine=text(found.get(codec.SVC_ENGINE, _ABSENT)),
    )


def _service_key(found: Attributes, family: Family) -> ServiceKey:
    mark = _u32(found, codec.SVC_FWMARK)
    if mark:
        return ServiceKey(family, fwmark=mark)
    return ServiceKey(
        family,
        protocol=number(_need(found, codec.SVC_PROTOCOL), 2),
        address=_address(_need(found, codec.SVC_ADDRESS), family),
        port=port_number(_need(found, codec.SVC_PORT)),
    )


def _destination(found: Attributes, service_family: Family) -> Destination:
    family = _family(number(found[codec.DEST_FAMILY], 2)) if codec.DEST_FAMILY in found else service_family
    address = _address(_need(found, codec.DEST_ADDRESS), family)
    return Destination(
        DestinationKey(address, port_number(_need(found, codec.DEST_PORT))),
        forwarding=number(_need(found, codec.DEST_FORWARDING), 4),
        weight=number(_need(found, codec.DEST_WEIGHT), 4),
        upper_threshold=_u32(found, codec.DEST_UPPER),
        lower_threshold=_u32(found, codec.DEST_LOWER),
        tunnel_type=number(found.get(codec.DEST_TUNNEL_TYPE, _ABSENT), 1),
        tunnel_port=port_number(found.get(codec.DEST_TUNNEL_PORT, _ABSENT)),
        tunnel_flags=number(found.get(codec.DEST_TUNNEL_FLAGS, _ABSENT), 2),
    )


def _stats(found: Attributes, wide: int, narrow: int) -> Stats:
    if wide in found:
        inner, sizes = attributes(found[wide]), _STATS64_SIZES
    elif narrow in found:
        inner, sizes = attributes(found[narrow]), _STATS_SIZES
    else:
        return Stats()
    return Stats(*(number(inner.get(kind, _ABSENT), size) for kind, size in sizes))


def _nested(body: memoryview, kind: int) -> dict[int, memoryview]:
    return attributes(_need(attributes(body, GENERIC_SIZE), kind))


def _need(found: Attributes, kind: int) -> memoryview:
    value = found.get(kind)
    if value is None:
        raise garbled(f"attribute {kind} is missing")
    return value


def _u32(found: Attributes, kind: int) -> int:
    return number(found.get(kind, _ABSENT), 4)


def _family(value: int) -> Family:
    family = _FAMILIES.get(value)
    if family is None:
        raise garbled("address family")
    return family


def _address(value: memoryview, family: Family) -> str:
    size = _ADDRESS_SIZES[family]
    if len(value) < size:
        raise garbled("short address")
    return inet_ntop(family, value[:size])
