"""The Ethernet frames that tell a network where an address lives now. Pure."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from lvsd.vrrp.ip import checksum, group_of, ipv6_packet

MAC_BYTES = 6
BROADCAST = b"\xff" * MAC_BYTES

_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_TYPE_ARP = 0x0806
_TYPE_IPV4 = 0x0800
_HARDWARE_ETHERNET = 1
_REQUEST = 1
_TYPE_IPV6 = 0x86DD
_IPV6 = struct.Struct("!IHBB16s16s")
_PSEUDO = struct.Struct("!16s16sI3xB")
_ADVERTISEMENT = struct.Struct("!BBHI16sBB6s")
_ICMPV6, _HOP_LIMIT = 58, 255
_NEIGHBOUR_ADVERTISEMENT, _TARGET_LINK_LAYER_ADDRESS = 136, 2
_ROUTER, _OVERRIDE = 0x80000000, 0x20000000
_ALL_NODES = IPv6Address("ff02::1").packed
_ALL_NODES_MAC = bytes.fromhex("333300000001")
_GROUP_MAC, _GROUP6_MAC = bytes.fromhex("01005e000012"), bytes.fromhex("333300000012")


def multicast(mac: bytes, source: bytes, packet: bytes) -> bytes:
    """An advertisement to the group from that MAC. `packet`: as lvsd.vrrp.packet.encode makes it."""
    if len(source) == 4:  # noqa: PLR2004 (an IPv4 address's bytes)
        return _ETHERNET.pack(_GROUP_MAC, mac, _TYPE_IPV4) + packet
    return _ETHERNET.pack(_GROUP6_MAC, mac, _TYPE_IPV6) + ipv6_packet(source, group_of(ipv6=True), packet)


def announcement(mac: bytes, address: str, *, router: bool) -> bytes:
    """What tells the network of an address of either family."""
    return neighbour_advertisement(mac, address, router=router) if ":" in address else gratuitous_arp(mac, address)


def neighbour_advertisement(mac: bytes, address: str, *, router: bool) -> bytes:
    """An unsolicited neighbour advertisement to all nodes (RFC 4861 section 7.2.6, RFC 9568 section 8.2.2).

    `router`: whether this machine forwards IPv6. Said wrongly, neighbours would drop routes through it or learn some.
    """
    packed = IPv6Address(address).packed
    head = [
        _NEIGHBOUR_ADVERTISEMENT,
        0,
        0,
        _OVERRIDE | (_ROUTER if router else 0),
        packed,
        _TARGET_LINK_LAYER_ADDRESS,
        1,
        mac,
    ]
    pseudo = _PSEUDO.pack(packed, _ALL_NODES, _ADVERTISEMENT.size, _ICMPV6)
    head[2] = checksum(pseudo + _ADVERTISEMENT.pack(*head))
    body = _ADVERTISEMENT.pack(*head)
    ip = _IPV6.pack(6 << 28, len(body), _ICMPV6, _HOP_LIMIT, packed, _ALL_NODES)
    return _ETHERNET.pack(_ALL_NODES_MAC, mac, _TYPE_IPV6) + ip + body


def gratuitous_arp(mac: bytes, address: str) -> bytes:
    """An ARP request for our own address, to all (RFC 5227 section 3), 42 bytes.

    The target's hardware address is the broadcast address, as keepalived sends it: equipment that has learnt to
    listen to that goes on to.
    """
    packed = IPv4Address(address).packed
    arp = _ARP.pack(_HARDWARE_ETHERNET, _TYPE_IPV4, MAC_BYTES, 4, _REQUEST, mac, packed, BROADCAST, packed)
    return _ETHERNET.pack(BROADCAST, mac, _TYPE_ARP) + arp
