"""Frames to what is seen in them, by scapy: a reading of VRRP that has nothing in common with the daemon's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from scapy.layers import l2
from scapy.layers.inet import IP, in4_chksum
from scapy.layers.inet6 import ICMPv6ND_NA, IPv6, in6_chksum
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRP, VRRPv3
from scapy.utils import PcapReader, checksum

from lvsd.drill.seen import (
    ADVERTISEMENT,
    ARP,
    HANDOVER,
    MALFORMED,
    NEIGHBOUR,
    PLAIN,
    PSEUDO,
    RIGHT,
    STANDBY,
    WRONG,
    Seen,
)

PROTOCOL: Final = 112
_VERSION_2: Final = 2
_HEADER_BYTES, _AUTH_BYTES, _AH = 8, 8, 2
_KINDS: Final = {1: ADVERTISEMENT, 2: STANDBY, 3: HANDOVER}
_AUTHS: Final = {0: "none", 1: "simple", 2: "ah"}
_ALL_NODES: Final = "ff02::1"


def recorded(path: Path) -> Iterator[Seen]:
    """What is seen in a capture file (pcap or pcapng). Raises OSError, and Scapy_Exception for what is no capture."""
    with path.open("rb") as file, PcapReader(file) as reader:  # by its name it leaves a wrong file open
        for packet in reader:
            seen = _seen(packet, float(packet.time))
            if seen is not None:
                yield seen


def dissected(frame: bytes, at: float) -> Seen | None:
    """What is seen in an Ethernet frame; None: nothing of ours."""
    return _seen(Ether(frame), at)


def _seen(packet: Any, at: float) -> Seen | None:  # noqa: ANN401 (scapy has no types)
    if l2.ARP in packet:
        return _arp(packet, at)
    if IP in packet and packet[IP].proto == PROTOCOL:
        return _vrrp(packet, packet[IP], at)
    if IPv6 in packet and packet[IPv6].nh == PROTOCOL:
        return _vrrp(packet, packet[IPv6], at)
    return _neighbour(packet, at) if ICMPv6ND_NA in packet else None


def _arp(packet: Any, at: float) -> Seen | None:  # noqa: ANN401 (scapy has no types)
    arp = packet[l2.ARP]
    if arp.psrc != arp.pdst:
        return None
    return Seen(at, ARP, arp.psrc, packet.dst if Ether in packet else "", arp.hwsrc, addresses=(arp.psrc,))


def _neighbour(packet: Any, at: float) -> Seen | None:  # noqa: ANN401 (scapy has no types)
    head, advertised = packet[IPv6], packet[ICMPv6ND_NA]
    if head.dst != _ALL_NODES:
        return None
    mac = getattr(advertised.payload, "lladdr", None) or (packet.src if Ether in packet else "")
    return Seen(at, NEIGHBOUR, head.src, head.dst, mac, head.hlim, addresses=(advertised.tgt,))


def _vrrp(packet: Any, head: Any, at: float) -> Seen:  # noqa: ANN401 (scapy has no types)
    ipv6 = head.name == "IPv6"
    ttl = head.hlim if ipv6 else head.ttl
    mac = packet.src if Ether in packet else ""
    message = bytes(head.payload)
    fault = _fault(message, ipv6=ipv6)
    if fault:
        return Seen(at, MALFORMED, head.src, head.dst, mac, ttl, detail=fault)
    version, size = message[0] >> 4, 16 if ipv6 else 4
    # by the version's own layer: scapy chooses by the length too, which is not the version's
    found = head.copy()
    found.remove_payload()
    layer = (VRRP if version == _VERSION_2 else VRRPv3)(_without_padding(message, size, version), _underlayer=found)
    return Seen(
        at,
        _KINDS.get(layer.type, MALFORMED),
        head.src,
        head.dst,
        mac,
        ttl,
        version,
        layer.vrid,
        layer.priority,
        float(layer.adv) if version == _VERSION_2 else layer.adv / 100,
        tuple(str(one) for one in layer.addrlist),
        _checksum(found, message, version, ipv6=ipv6),
        _AUTHS.get(layer.authtype, f"type {layer.authtype}") if version == _VERSION_2 else "",
        "" if layer.type in _KINDS else f"type {layer.type}",
    )


def _fault(message: bytes, *, ipv6: bool) -> str:
    if len(message) < _HEADER_BYTES:
        return f"{len(message)} bytes are too few"
    if message[0] >> 4 not in (2, 3):
        return f"version {message[0] >> 4}"
    needed = _HEADER_BYTES + message[3] * (16 if ipv6 else 4) + _trailer(message)
    return f"{len(message)} bytes, {needed} are needed for {message[3]} addresses" if len(message) < needed else ""


def _trailer(message: bytes) -> int:
    return _AUTH_BYTES if message[0] >> 4 == _VERSION_2 else 0


def _without_padding(message: bytes, size: int, version: int) -> bytes:
    return message[: _HEADER_BYTES + message[3] * size + (_AUTH_BYTES if version == _VERSION_2 else 0)]


def _checksum(head: Any, message: bytes, version: int, *, ipv6: bool) -> str:  # noqa: ANN401 (scapy has no types)
    """Version 3 over IPv4 is summed with a pseudo header (keepalived) or without (RFC 9568); over IPv6 always with."""
    if ipv6:
        return RIGHT if in6_chksum(PROTOCOL, head, message) == 0 else WRONG
    plain = checksum(message) == 0
    if version == _VERSION_2:
        return RIGHT if plain else WRONG
    if in4_chksum(PROTOCOL, head, message) == 0:
        return PSEUDO
    return PLAIN if plain else WRONG
