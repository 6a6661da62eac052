"""What a drill may send to services over UDP so that a real server answers: what their checks ask. Pure."""

from __future__ import annotations

import struct

from config.checks import AnyCheck, DnsCheck, Expect, NtpCheck, RadiusCheck, SipCheck, UdpCheck
from config.model import Config, VirtualEndpoint, VirtualService
from config.words import Protocol
from lvsd.control.messages import Datagram
from lvsd.core.identity import virtual_text

_NTP_QUESTION = bytes([0x23]) + bytes(47)  # RFC 5905: version 4, mode 3
_DNS_HEADER = struct.pack("!HHHHHH", 0x6C76, 0x0100, 1, 0, 0, 0)  # RFC 1035 section 4.1.1: one question, recursion
_DNS_IN = 1
_DNS_TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "ANY": 255}


def datagrams(config: Config) -> dict[str, Datagram]:
    """For each service over UDP what to send, or why nothing can be."""
    return {
        virtual_text(one.virtual): _datagram(one)
        for one in config.services
        if isinstance(one.virtual, VirtualEndpoint) and one.virtual.protocol is Protocol.UDP
    }


def _datagram(virtual: VirtualService) -> Datagram:
    kinds = [check.kind for real in virtual.real_servers for check in real.checks]
    found = [_asked(kind) for kind in kinds]
    good = next((one for one in found if one.payload), None)
    return good or next(iter(found), Datagram(why="it has no real server"))


def _asked(kind: AnyCheck) -> Datagram:
    match kind:
        case DnsCheck(name=name, record=record, tcp=False) if record in _DNS_TYPES:
            return Datagram(_dns(name, _DNS_TYPES[record]))
        case NtpCheck():
            return Datagram(_NTP_QUESTION)
        case SipCheck(user=user, tcp=False):
            return Datagram(_sip(user))
        case UdpCheck(payload=payload) if payload and _is_answered(kind):
            return Datagram(payload)
        case UdpCheck():
            return Datagram(why="its check does not need a reply, and silence tells nothing (`reply_needed`)")
        case RadiusCheck():
            return Datagram(why="its check speaks with a password, which does not leave the daemon")
        case _:
            return Datagram(why="no check of it asks by a datagram")


def _is_answered(check: UdpCheck) -> bool:
    said = (check.reply_needed, check.expect != Expect(), check.reply_hex is not None, check.reply_length is not None)
    return any(said)


def _dns(name: str, kind: int) -> bytes:
    labels = [label.encode("idna") for label in name.strip(".").split(".") if label]
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _DNS_HEADER + question + struct.pack("!HH", kind, _DNS_IN)


def _sip(user: str) -> bytes:
    """RFC 3261 section 11.1; the answer comes to whence this came (RFC 3581), whatever address is said."""
    who = user if "@" in user else f"{user}@drill.invalid"
    lines = (
        f"OPTIONS sip:{who} SIP/2.0",
        "Via: SIP/2.0/UDP drill.invalid;branch=z9hG4bKlvsddrill;rport",
        "Max-Forwards: 70",
        "From: <sip:lvsd@drill.invalid>;tag=drill",
        f"To: <sip:{who}>",
        "Call-ID: drill@lvsd",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()
