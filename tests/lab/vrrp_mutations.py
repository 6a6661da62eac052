"""Recorded advertisements with one thing wrong each, everything around it repaired. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lvsd.vrrp.drops import Drop
from lvsd.vrrp.ip import checksum, pseudo_header

ETHERNET_BYTES = 14


@dataclass(frozen=True, slots=True)
class Recorded:
    """An Ethernet frame of keepalived's, taken apart. The version is that of the recording, whatever is changed."""

    frame: bytes
    version: int

    @property
    def ipv6(self) -> bool:
        return self.frame[12:14] == b"\x86\xdd"

    @property
    def message_at(self) -> int:
        return ETHERNET_BYTES + (40 if self.ipv6 else 20)

    @property
    def message(self) -> bytes:
        return self.frame[self.message_at :]

    def with_message(self, message: bytes, *, repaired: bool = True) -> bytes:
        """The frame with another message: IP's length, and (`repaired`) the message's checksum."""
        head = bytearray(self.frame[: self.message_at])
        length_at = ETHERNET_BYTES + (4 if self.ipv6 else 2)
        length = len(message) + (0 if self.ipv6 else 20)
        head[length_at : length_at + 2] = length.to_bytes(2, "big")
        return _summed(bytes(head), self.ipv6) + (self._repaired(message) if repaired else message)

    def _repaired(self, message: bytes) -> bytes:
        ends = (22, 38, 54) if self.ipv6 else (26, 30, 34)
        source, destination = self.frame[ends[0] : ends[1]], self.frame[ends[1] : ends[2]]
        covered = b"" if self.version == 2 else pseudo_header(source, destination, len(message))
        blank = message[:6] + b"\0\0" + message[8:]
        return message[:6] + checksum(covered + blank).to_bytes(2, "big") + message[8:]

    def with_byte(self, at: int, value: int) -> bytes:
        """The frame with another byte of the message."""
        return self.with_message(self.message[:at] + bytes([value]) + self.message[at + 1 :])

    def with_ttl(self, ttl: int) -> bytes:
        """The frame with another time to live, or hop limit."""
        at = ETHERNET_BYTES + (7 if self.ipv6 else 8)
        changed = self.frame[:at] + bytes([ttl]) + self.frame[at + 1 :]
        return _summed(changed[: self.message_at], self.ipv6) + changed[self.message_at :]


def _summed(head: bytes, ipv6: bool) -> bytes:
    if ipv6:
        return head
    blank = head[:24] + b"\0\0" + head[26:]
    return blank[:24] + checksum(blank[ETHERNET_BYTES:]).to_bytes(2, "big") + blank[26:]


Mutation = Callable[[Recorded], bytes]

EVERY: dict[str, tuple[Drop, Mutation]] = {
    "ttl 254": (Drop.TTL, lambda one: one.with_ttl(254)),
    "ttl 1": (Drop.TTL, lambda one: one.with_ttl(1)),
    "four bytes less": (Drop.TOO_SHORT, lambda one: one.with_message(one.message[:-4])),
    "eight bytes in all": (Drop.TOO_SHORT, lambda one: one.with_message(one.message[:8])),
    "four bytes more": (Drop.TOO_LONG, lambda one: one.with_message(one.message + bytes(4))),
    "255 addresses": (Drop.TOO_SHORT, lambda one: one.with_byte(3, 255)),
    "no address": (Drop.TOO_LONG, lambda one: one.with_byte(3, 0)),
    "type 4": (Drop.TYPE, lambda one: one.with_byte(0, one.version << 4 | 4)),
    "type 0": (Drop.TYPE, lambda one: one.with_byte(0, one.version << 4)),
    "checksum 0": (
        Drop.CHECKSUM,
        lambda one: one.with_message(one.message[:6] + b"\0\0" + one.message[8:], repaired=False),
    ),
    "priority after the sum": (
        Drop.CHECKSUM,
        lambda one: one.with_message(one.message[:2] + b"\xfe" + one.message[3:], repaired=False),
    ),
}
VERSION_2: dict[str, tuple[Drop, Mutation]] = {
    "interval 0": (Drop.INTERVAL, lambda one: one.with_byte(5, 0)),
    "interval 2": (Drop.INTERVAL, lambda one: one.with_byte(5, 2)),
    "no authentication": (Drop.AUTH_TYPE_MISMATCH, lambda one: one.with_byte(4, 0)),
    "authentication header": (Drop.AUTH_TYPE_MISMATCH, lambda one: one.with_byte(4, 2)),
    "authentication 7": (Drop.AUTH_TYPE_UNKNOWN, lambda one: one.with_byte(4, 7)),
    "another password": (Drop.AUTH_FAILURE, lambda one: one.with_message(one.message[:-8] + b"S3cret12")),
    "no password": (Drop.AUTH_FAILURE, lambda one: one.with_message(one.message[:-8] + bytes(8))),
    "version 3": (Drop.VERSION, lambda one: one.with_message(b"\x31" + one.message[1:-8])),
}
VERSION_3: dict[str, tuple[Drop, Mutation]] = {
    "interval 0": (Drop.INTERVAL, lambda one: one.with_message(one.message[:4] + b"\0\0" + one.message[6:])),
    "version 4": (Drop.VERSION, lambda one: one.with_byte(0, 0x41)),
}


def mutations(version: int) -> dict[str, tuple[Drop, Mutation]]:
    """What can be wrong with an advertisement of that version, and the counter it belongs to."""
    return EVERY | (VERSION_2 if version == 2 else VERSION_3)


def other_addresses(one: Recorded) -> bytes:
    """Another list of addresses, in order otherwise: believed, told and counted."""
    size = 16 if one.ipv6 else 4
    first = bytearray(one.message[8 : 8 + size])
    first[-1] ^= 1
    return one.with_message(one.message[:8] + bytes(first) + one.message[8 + size :])
