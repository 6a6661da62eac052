"""/proc/net/ip_vs without its counters: the cheap way to see that somebody changed the table. Pure.

The file shows services (with scheduler, one-packet mark, persistence and its netmask) and destinations (with forwarding
method and weight), and costs a twentieth of a reading over netlink. It shows no scheduler flags, persistence engine,
thresholds or tunnel settings, and persistence timeouts only in ticks of unknown length: those are left out here, and
only a full reading sees them change. Format: ip_vs_info_seq_show in net/netfilter/ipvs/ip_vs_ctl.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from socket import inet_pton  # text to bytes only, no socket
from types import MappingProxyType

from netlink.errors import NetlinkError
from netlink.ipvs_codec import netmask_bytes
from netlink.table import Destination, DestinationKey, Entry, Family, ServiceKey, Table

HEADER_LINES = 3
PERSISTENT = 0x1
ONE_PACKET = 0x4

_PROTOCOLS = MappingProxyType({6: "TCP", 17: "UDP", 132: "SCTP"})
_FORWARDING = MappingProxyType({1: "Local", 2: "Tunnel", 3: "Route"})
_DESTINATION = "\0"  # begins each destination's line within a block
_DESTINATION_FIELDS = 5  # behind its arrow
_MARK_FIELDS = 3  # FWM, mark, scheduler

Print = tuple[str, frozenset[str]]
"""A service with its destinations, as words."""

Fingerprint = frozenset[Print]
"""Each service with its destinations, as words; equal when nothing drifted, whatever the order."""


def fingerprint(text: str) -> Fingerprint:
    """What /proc/net/ip_vs holds but its counters. NetlinkError if it does not read like that file."""
    return frozenset(prints(text))


def prints(text: str) -> Iterator[Print]:
    """The same, service by service, so that a long file can be read with pauses."""
    return map(print_of_block, blocks(text))


def blocks(text: str) -> list[str]:
    """The file in parts, each a service with its destinations and all their counters; nothing is read of them yet."""
    return blocks_of((text,))


def blocks_of(pieces: Iterable[str]) -> list[str]:
    """The same of a file that comes in pieces, cut anywhere: no step of it takes longer than a piece."""
    found: list[str] = []
    left = ""
    for piece in pieces:
        left += piece
        if not found:
            *head, body = left.split("\n", HEADER_LINES)
            if len(head) < HEADER_LINES:
                continue
            found, left = [""], "\n" + body
        end = left.rfind("\n")
        _add(found, left[:end])
        left = left[end:]
    if found:
        _add(found, left.rstrip("\n"))
    return found if found and found[0] else found[1:]


def _add(found: list[str], lines: str) -> None:
    """The first of them goes on where the last block ended."""
    first, *others = lines.replace("\n  ->", _DESTINATION).split("\n")
    found[-1] += first
    found += others


def print_of_block(block: str) -> Print:
    """What one of `blocks` says. NetlinkError if it does not read like such a part."""
    first, *lines = block.split(_DESTINATION)
    words = first.split()
    destinations = [line.split() for line in lines]
    if len(words) < _MARK_FIELDS or words[0] == "->":
        raise _garbled(first)
    for line in destinations:
        if len(line) != _DESTINATION_FIELDS:
            raise _garbled(" ".join(line))
    return _service(words), frozenset([" ".join(line[:3]) for line in destinations])


def _garbled(line: str) -> NetlinkError:
    return NetlinkError(f"garbled /proc/net/ip_vs: {line[:80]!r}")


def fingerprint_of(table: Table) -> Fingerprint:
    """The fingerprint that the kernel's file has while it holds this table."""
    return frozenset(map(print_of, table.values()))


def print_of(entry: Entry) -> Print:
    """What the file says of this service."""
    return _service_words(entry), frozenset(map(_destination_words, entry.destinations.values()))


def _service(words: list[str]) -> str:
    """Without the timeout, which is the word after `persistent`."""
    if "persistent" in words[_MARK_FIELDS:]:
        place = words.index("persistent", _MARK_FIELDS)
        return " ".join((*words[: place + 1], *words[place + 2 :]))
    return " ".join(words)


def _service_words(entry: Entry) -> str:
    service = entry.service
    words = [_service_name(service.key), service.scheduler]
    # the kernel leaves the one-packet mark out for IPv6 addresses
    if service.flags & ONE_PACKET and (service.key.fwmark or service.key.family is Family.INET):
        words.append("ops")
    if service.flags & PERSISTENT:
        netmask = netmask_bytes(service.key.family, service.netmask)
        words += ["persistent", netmask.hex().upper()]  # the IPv6 prefix length is printed as if in network order, too
    return " ".join(words)


def _service_name(key: ServiceKey) -> str:
    if key.fwmark:
        return f"FWM {key.fwmark:08X}"
    protocol = _PROTOCOLS.get(key.protocol, f"IP_{key.protocol}")
    return f"{protocol} {_address(key.family, key.address)}:{key.port:04X}"


def _destination_words(destination: Destination) -> str:
    key: DestinationKey = destination.key
    family = Family.INET6 if ":" in key.address else Family.INET
    method = _FORWARDING.get(destination.forwarding, "Masq")
    return f"{_address(family, key.address)}:{key.port:04X} {method} {destination.weight}"


def _address(family: Family, address: str) -> str:
    raw = inet_pton(family, address)
    if family is Family.INET:
        return raw.hex().upper()
    return f"[{raw.hex(':', 2)}]"
