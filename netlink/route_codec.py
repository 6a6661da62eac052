"""Links and addresses as rtnetlink messages. Pure.

Layout and numbers are those of include/uapi/linux/rtnetlink.h, if_link.h and if_addr.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from socket import inet_ntop, inet_pton  # text to bytes and back, no socket

from netlink.errors import NetlinkError
from netlink.family import Family
from netlink.interfaces import (
    MACVLAN,
    NO_DAD,
    NO_PREFIX_ROUTE,
    SECONDARY,
    Address,
    AddressAdded,
    AddressRemoved,
    Link,
    LinkChanged,
    RouteEvent,
)
from netlink.wire import Attributes, Message, attribute, attributes, garbled, number, text

NEW_LINK, DELETE_LINK, GET_LINK, SET_LINK = 16, 17, 18, 19
NEW_ADDRESS, DELETE_ADDRESS, GET_ADDRESS = 20, 21, 22

LINK_GROUP, IPV4_ADDRESS_GROUP, IPV6_ADDRESS_GROUP = 0x1, 0x10, 0x100

LINK_HEADER = struct.Struct("=BxHiII")  # family, device type, index, flags, change mask
_ADDRESS_HEADER = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_U32 = struct.Struct("=I")

IFLA_ADDRESS, IFLA_NAME, _IFLA_MTU, IFLA_LINK, IFLA_LINKINFO, IFLA_ALIAS, _IFLA_AF_SPEC = 1, 3, 4, 5, 18, 20, 26
LINKINFO_KIND, LINKINFO_DATA = 1, 2
MACVLAN_MODE = 1
_IFLA_INET_CONF = 1
_PROMOTE_SECONDARIES = 20  # IPV4_DEVCONF_PROMOTE_SECONDARIES
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL, _IFA_BROADCAST, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 3, 4, 6, 8
_DEPRECATED = struct.pack("=IIII", 0, 0xFFFFFFFF, 0, 0)  # preferred for 0 s, valid for ever

_UP, _RUNNING = 0x1, 0x40
_ANY_FAMILY = 0
LABEL_LIMIT = 15  # IFNAMSIZ without the closing NUL
_PREFIX_LIMITS = {Family.INET: 32, Family.INET6: 128}
_SIZES = {Family.INET: 4, Family.INET6: 16}


def dump_links() -> bytes:
    """Ask for all links."""
    return LINK_HEADER.pack(_ANY_FAMILY, 0, 0, 0, 0)


def dump_addresses() -> bytes:
    """Ask for all addresses of both families."""
    return _ADDRESS_HEADER.pack(_ANY_FAMILY, 0, 0, 0, 0)


def new_address(wanted: Address, *, broadcast: str | None = None, deprecated: bool = False) -> bytes:
    """Add the address. Of its flags NO_DAD and NO_PREFIX_ROUTE are sent.

    `deprecated`: nothing chooses it as a source by itself.
    """
    try:
        family = family_of(wanted.address)
        raw = inet_pton(family, wanted.address)
        parts = [_address_header(family, wanted), attribute(_IFA_LOCAL, raw), attribute(_IFA_ADDRESS, raw)]
        if broadcast is not None:
            parts.append(attribute(_IFA_BROADCAST, inet_pton(family, broadcast)))
        if wanted.label:
            parts.append(attribute(_IFA_LABEL, _label(wanted.label)))
        if deprecated:
            parts.append(attribute(_IFA_CACHEINFO, _DEPRECATED))
        if wanted.flags & NO_PREFIX_ROUTE:  # the header's flags have eight bits
            parts.append(attribute(_IFA_FLAGS, _U32.pack(wanted.flags & (NO_DAD | NO_PREFIX_ROUTE))))
    except (ValueError, OSError, struct.error) as error:
        raise _unspeakable(wanted, error) from error
    return b"".join(parts)


def delete_address(unwanted: Address) -> bytes:
    """Delete the address with exactly this prefix length from its interface."""
    try:
        family = family_of(unwanted.address)
        raw = inet_pton(family, unwanted.address)
        header = _address_header(family, unwanted)
    except (ValueError, OSError, struct.error) as error:
        raise _unspeakable(unwanted, error) from error
    return header + attribute(_IFA_LOCAL, raw) + attribute(_IFA_ADDRESS, raw)


def promote_secondaries(index: int) -> bytes:
    """Set the interface's promote_secondaries, so that a primary address can go without its secondaries."""
    setting = attribute(_PROMOTE_SECONDARIES, _U32.pack(1))
    spec = attribute(_IFLA_AF_SPEC, attribute(Family.INET, attribute(_IFLA_INET_CONF, setting)))
    return LINK_HEADER.pack(_ANY_FAMILY, 0, index, 0, 0) + spec


def dependents(held: Iterable[Address], target: Address) -> tuple[Address, ...]:
    """The secondary addresses that the kernel would delete together with `target`, if that is their primary.

    The first IPv4 address of a subnet on an interface is primary and carries the others, unless promote_secondaries
    is set (__inet_del_ifa in net/ipv4/devinet.c).
    """
    subnet = _subnet(target)
    if subnet is None:
        return ()
    mine = [found for found in held if found.index == target.index and _subnet(found) == subnet]
    primary = any(found.address == target.address and not found.flags & SECONDARY for found in mine)
    return tuple(found for found in mine if found.flags & SECONDARY) if primary else ()


def decode_link(body: memoryview) -> Link:
    """A link, from one message of a dump or a notification."""
    found = attributes(body, LINK_HEADER.size)
    _, _, index, flags, _ = LINK_HEADER.unpack_from(body)
    if IFLA_NAME not in found:
        raise garbled("link without a name")
    info = attributes(found[IFLA_LINKINFO]) if IFLA_LINKINFO in found else {}
    kind = text(info[LINKINFO_KIND]) if LINKINFO_KIND in info else ""
    return Link(
        index=index,
        name=text(found[IFLA_NAME]),
        mac=bytes(found.get(IFLA_ADDRESS, b"")),
        mtu=number(found[_IFLA_MTU], 4) if _IFLA_MTU in found else 0,
        up=bool(flags & _UP),
        running=bool(flags & _UP and flags & _RUNNING),
        kind=kind,
        parent=number(found[IFLA_LINK], 4) if IFLA_LINK in found else 0,
        mode=_macvlan_mode(info) if kind == MACVLAN else 0,
        alias=text(found[IFLA_ALIAS]) if IFLA_ALIAS in found else "",
    )


def _macvlan_mode(info: Attributes) -> int:
    data = attributes(info[LINKINFO_DATA]) if LINKINFO_DATA in info else {}
    return number(data[MACVLAN_MODE], 4) if MACVLAN_MODE in data else 0


def decode_address(body: memoryview) -> Address | None:
    """An address, from one message of a dump or a notification; None for families that are not IP."""
    found = attributes(body, _ADDRESS_HEADER.size)
    number_of_family, prefix_length, flags, scope, index = _ADDRESS_HEADER.unpack_from(body)
    if number_of_family not in _SIZES:
        return None
    family = Family(number_of_family)
    raw = found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS))  # the second is the peer's on a point-to-point link
    if raw is None or len(raw) < _SIZES[family] or prefix_length > _PREFIX_LIMITS[family]:
        raise garbled("interface address")
    return Address(
        index=index,
        address=inet_ntop(family, raw[: _SIZES[family]]),
        prefix_length=prefix_length,
        label=text(found[_IFA_LABEL]) if _IFA_LABEL in found else "",
        flags=number(found[_IFA_FLAGS], 4) if _IFA_FLAGS in found else flags,
        scope=scope,
    )


def decode_event(message: Message) -> RouteEvent | None:
    """What a notification says; None for what is not about links or addresses.

    A bridge tells of its ports with link messages of its own family; a port that leaves it is no link that went.
    """
    match message.type:
        case kind if kind in {NEW_LINK, DELETE_LINK}:
            if len(message.body) and message.body[0] != _ANY_FAMILY:
                return None
            return LinkChanged(decode_link(message.body), present=kind == NEW_LINK)
        case kind if kind in {NEW_ADDRESS, DELETE_ADDRESS}:
            address = decode_address(message.body)
            if address is None:
                return None
            return AddressAdded(address) if kind == NEW_ADDRESS else AddressRemoved(address)
        case _:
            return None


def family_of(address: str) -> Family:
    """The family of an address, by its spelling."""
    return Family.INET6 if ":" in address else Family.INET


def _subnet(address: Address) -> tuple[int, int] | None:
    """Prefix and its length; None for IPv6, which knows no secondary addresses."""
    if family_of(address.address) is not Family.INET:
        return None
    raw = int.from_bytes(inet_pton(Family.INET, address.address))
    return raw >> (_PREFIX_LIMITS[Family.INET] - address.prefix_length), address.prefix_length


def _address_header(family: Family, address: Address) -> bytes:
    if not 0 <= address.prefix_length <= _PREFIX_LIMITS[family]:
        message = "prefix length out of range"
        raise ValueError(message)
    return _ADDRESS_HEADER.pack(family, address.prefix_length, address.flags & NO_DAD, address.scope, address.index)


def _label(label: str) -> bytes:
    encoded = label.encode("ascii")
    if len(encoded) > LABEL_LIMIT:
        message = f"label of more than {LABEL_LIMIT} characters"
        raise ValueError(message)
    return encoded + b"\0"


def _unspeakable(address: Address, error: Exception) -> NetlinkError:
    return NetlinkError(f"cannot be said to the kernel: {address} ({error})")
