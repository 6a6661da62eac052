"""The table's operations as the kernel's generic netlink messages. Pure.

Attribute numbers are those of include/uapi/linux/ip_vs.h. Destinations are packed with one `struct` call a message and
what comes before them once a service: the codec must not be what limits a table of thousands.
"""

from __future__ import annotations

import struct
import sys
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton  # text to bytes only, no socket

from netlink.errors import NetlinkError
from netlink.operations import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    SetDestination,
    SetService,
)
from netlink.table import (
    IRREGULAR_NETMASK,
    SETTABLE_FLAGS,
    Destination,
    DestinationKey,
    Family,
    Service,
    ServiceKey,
)
from netlink.wire import attribute, generic

NEW_SERVICE, SET_SERVICE, DELETE_SERVICE, GET_SERVICE = 1, 2, 3, 4
NEW_DESTINATION, SET_DESTINATION, DELETE_DESTINATION, GET_DESTINATION = 5, 6, 7, 8
NEW_DAEMON, DELETE_DAEMON, GET_DAEMON, SET_CONFIG, GET_CONFIG, GET_INFO = 9, 10, 11, 12, 13, 15

ATTR_SERVICE, ATTR_DESTINATION, ATTR_DAEMON = 1, 2, 3
ATTR_TIMEOUT_TCP, ATTR_TIMEOUT_TCP_FIN, ATTR_TIMEOUT_UDP = 4, 5, 6

SVC_AF, SVC_PROTOCOL, SVC_ADDRESS, SVC_PORT, SVC_FWMARK = 1, 2, 3, 4, 5
SVC_SCHEDULER, SVC_FLAGS, SVC_TIMEOUT, SVC_NETMASK, SVC_STATS, SVC_ENGINE, SVC_STATS64 = 6, 7, 8, 9, 10, 11, 12

DEST_ADDRESS, DEST_PORT, DEST_FORWARDING, DEST_WEIGHT = 1, 2, 3, 4
DEST_UPPER, DEST_LOWER, DEST_ACTIVE, DEST_INACTIVE, DEST_PERSISTENT, DEST_STATS = 5, 6, 7, 8, 9, 10
DEST_FAMILY, DEST_STATS64, DEST_TUNNEL_TYPE, DEST_TUNNEL_PORT, DEST_TUNNEL_FLAGS = 11, 12, 13, 14, 15

NAME_LIMIT = 15  # IP_VS_SCHEDNAME_MAXLEN and IP_VS_PENAME_MAXLEN, without the closing NUL

_FULL_MASK = 0xFFFFFFFF
_PREFIX_LIMIT = 32
_FLAGS = struct.Struct("=II")
_U32 = struct.Struct("=I")

# length and type of each attribute, then its value padded to 4 bytes
_KEY4 = struct.Struct("=HHHxx HHHxx HH4s HH2sxx")  # family, protocol, address, port
_KEY6 = struct.Struct("=HHHxx HHHxx HH16s HH2sxx")
_MARK = struct.Struct("=HHHxx HHI")  # family, fwmark
_DEST_KEY4 = struct.Struct("=HHHxx HH4s HH2sxx")  # family, address, port
_DEST_KEY6 = struct.Struct("=HHHxx HH16s HH2sxx")
_DEST_REST = "4sI 4sI 4sI 4sI 4sBxxx 4s2sxx 4sHxx"  # forwarding, weight, thresholds, tunnel
_DEST4 = struct.Struct(f"=12s 4s4s 4s2sxx {_DEST_REST}")  # first the nest's own header with the family
_DEST6 = struct.Struct(f"=12s 4s16s 4s2sxx {_DEST_REST}")

HEADS_KEPT = 1024  # a plan speaks of one service after another, a reading too


def _heads(*sizes_and_kinds: tuple[int, int]) -> tuple[bytes, ...]:
    """The headers of attributes, made once: a `struct` call is the cheaper the fewer arguments it has."""
    return tuple(struct.pack("=HH", 4 + size, kind) for size, kind in sizes_and_kinds)


_IN4, _IN6 = (
    struct.pack("=HHHHHxx", size, ATTR_DESTINATION, 6, DEST_FAMILY, family)
    for size, family in ((_DEST4.size, Family.INET), (_DEST6.size, Family.INET6))
)
_ADDRESS4, _ADDRESS6, _PORT = _heads((4, DEST_ADDRESS), (16, DEST_ADDRESS), (2, DEST_PORT))
_FORWARDING, _WEIGHT, _UPPER, _LOWER = _heads((4, DEST_FORWARDING), (4, DEST_WEIGHT), (4, DEST_UPPER), (4, DEST_LOWER))
_TUNNEL_TYPE, _TUNNEL_PORT, _TUNNEL_FLAGS = _heads((1, DEST_TUNNEL_TYPE), (2, DEST_TUNNEL_PORT), (2, DEST_TUNNEL_FLAGS))


def encode(operation: Operation) -> bytes:
    """The generic netlink request (command and attributes) that carries out the operation.

    Raises NetlinkError for what no message can carry: a malformed address, a number or a name out of range.
    """
    try:
        match operation:  # the most frequent first
            case AddDestination(key, destination):
                return _head(NEW_DESTINATION, key) + _destination(destination)
            case SetDestination(key, destination):
                return _head(SET_DESTINATION, key) + _destination(destination)
            case DeleteDestination(key, destination_key):
                nested = attribute(ATTR_DESTINATION, _destination_key(destination_key))
                return _head(DELETE_DESTINATION, key) + nested
            case AddService(service):
                return generic(NEW_SERVICE, _service(service))
            case SetService(service):
                return generic(SET_SERVICE, _service(service))
            case DeleteService(key):
                return _head(DELETE_SERVICE, key)
    except (ValueError, OverflowError, OSError, struct.error) as error:
        message = f"cannot be said to the kernel: {operation} ({error})"
        raise NetlinkError(message) from error


def dump_services() -> bytes:
    """Ask for all services."""
    return generic(GET_SERVICE)


def get_service(key: ServiceKey) -> bytes:
    """Ask for one service."""
    return _head(GET_SERVICE, key)


def dump_destinations(key: ServiceKey) -> bytes:
    """Ask for all destinations of one service."""
    return _head(GET_DESTINATION, key)


def dump_daemons() -> bytes:
    """Ask for the connection sync daemons."""
    return generic(GET_DAEMON)


def get_info() -> bytes:
    """Ask for the version and the size of the connection table."""
    return generic(GET_INFO)


def get_timeouts() -> bytes:
    """Ask for the connection timeouts."""
    return generic(GET_CONFIG)


@lru_cache(HEADS_KEPT)
def _head(command: int, key: ServiceKey) -> bytes:
    """A request about a service that is named by its key only."""
    return generic(command, attribute(ATTR_SERVICE, _service_key(key)))


def _service_key(key: ServiceKey) -> bytes:
    if key.fwmark:
        return _MARK.pack(6, SVC_AF, key.family, 8, SVC_FWMARK, key.fwmark)
    address = inet_pton(key.family, key.address)
    port = key.port.to_bytes(2)
    head = (6, SVC_AF, key.family, 6, SVC_PROTOCOL, key.protocol)
    if key.family is Family.INET:
        return _KEY4.pack(*head, 8, SVC_ADDRESS, address, 6, SVC_PORT, port)
    return _KEY6.pack(*head, 20, SVC_ADDRESS, address, 6, SVC_PORT, port)


def _service(service: Service) -> bytes:
    engine = service.persistence_engine
    return attribute(
        ATTR_SERVICE,
        _service_key(service.key)
        + attribute(SVC_SCHEDULER, _name(service.scheduler))
        + attribute(SVC_FLAGS, _FLAGS.pack(service.flags & SETTABLE_FLAGS, SETTABLE_FLAGS))
        + attribute(SVC_TIMEOUT, _U32.pack(service.timeout))
        + attribute(SVC_NETMASK, netmask_bytes(service.key.family, service.netmask))
        + (attribute(SVC_ENGINE, _name(engine)) if engine else b""),
    )


def _destination_key(key: DestinationKey) -> bytes:
    port = key.port.to_bytes(2)
    if ":" in key.address:
        address = inet_pton(Family.INET6, key.address)
        return _DEST_KEY6.pack(6, DEST_FAMILY, Family.INET6, 20, DEST_ADDRESS, address, 6, DEST_PORT, port)
    address = inet_pton(Family.INET, key.address)
    return _DEST_KEY4.pack(6, DEST_FAMILY, Family.INET, 8, DEST_ADDRESS, address, 6, DEST_PORT, port)


def _destination(destination: Destination) -> bytes:
    key = destination.key
    if ":" in key.address:
        pack, nest, head, address = _DEST6.pack, _IN6, _ADDRESS6, inet_pton(AF_INET6, key.address)
    else:
        pack, nest, head, address = _DEST4.pack, _IN4, _ADDRESS4, inet_pton(AF_INET, key.address)
    return pack(
        nest,
        head,
        address,
        _PORT,
        key.port.to_bytes(2),
        _FORWARDING,
        destination.forwarding,
        _WEIGHT,
        destination.weight,
        _UPPER,
        destination.upper_threshold,
        _LOWER,
        destination.lower_threshold,
        _TUNNEL_TYPE,
        destination.tunnel_type,
        _TUNNEL_PORT,
        destination.tunnel_port.to_bytes(2),
        _TUNNEL_FLAGS,
        destination.tunnel_flags,
    )


def _name(name: str) -> bytes:
    encoded = name.encode("ascii")
    if not 0 < len(encoded) <= NAME_LIMIT:
        message = f"name of 1 to {NAME_LIMIT} characters wanted"
        raise ValueError(message)
    return encoded + b"\0"


def netmask_bytes(family: Family, netmask: int) -> bytes:
    """The kernel's netmask attribute: for IPv6 the prefix length itself, for IPv4 the mask in network order."""
    if family is Family.INET6:
        return _U32.pack(netmask)
    if netmask & IRREGULAR_NETMASK:
        return (netmask - IRREGULAR_NETMASK).to_bytes(4)
    if netmask > _PREFIX_LIMIT:
        message = "IPv4 prefix length out of range"
        raise ValueError(message)
    return (_FULL_MASK ^ (_FULL_MASK >> netmask)).to_bytes(4)


def netmask_of(family: Family, value: bytes) -> int:
    """The inverse of `netmask_bytes`."""
    if family is Family.INET6:
        return int.from_bytes(value, sys.byteorder)
    mask = int.from_bytes(value)
    prefix = mask.bit_count()
    return prefix if netmask_bytes(family, prefix) == value else IRREGULAR_NETMASK + mask
