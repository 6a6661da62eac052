"""The Ethernet frames that tell a network where an address lives now. Pure."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

MAC_BYTES = 6
BROADCAST = b"\xff" * MAC_BYTES

_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_TYPE_ARP = 0x0806
_TYPE_IPV4 = 0x0800
_HARDWARE_ETHERNET = 1
_REQUEST = 1


def gratuitous_arp(mac: bytes, address: str) -> bytes:
    """An ARP request for our own address, to all (RFC 5227 section 3), 42 bytes.

    The target's hardware address is the broadcast address, as keepalived sends it: equipment that has learnt to
    listen to that goes on to.
    """
    packed = IPv4Address(address).packed
    arp = _ARP.pack(_HARDWARE_ETHERNET, _TYPE_IPV4, MAC_BYTES, 4, _REQUEST, mac, packed, BROADCAST, packed)
    return _ETHERNET.pack(BROADCAST, mac, _TYPE_ARP) + arp
