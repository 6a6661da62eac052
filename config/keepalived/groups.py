"""What clients reach: the addresses and marks of virtual_server and virtual_server_group. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from config import codes
from config.keepalived.statements import Statement, no_more
from config.keepalived.values import address, whole_word, without_semicolon, word
from config.network import PORT_LIMIT, is_ipv6
from config.nodes import At, Place
from config.reading import Reading, shown

RANGE_LIMIT: Final = 256
"""Addresses one line of a group may stand for."""
ENTRIES_LIMIT: Final = 4096
"""Entries one group may have."""
MARK_LIMIT: Final = 2**32 - 1
_RANGE: Final = re.compile(r"(.+)[-](\w{1,4})|(.+)/([0-9]{1,3})")


class Entry(msgspec.Struct, frozen=True):
    """An address with its port, or a firewall mark (`mark`; then `ipv6` tells the family of its packets)."""

    place: Place
    address: str = ""
    port: int = 0
    mark: int | None = None
    ipv6: bool = False


def endpoint(words: Sequence[At[str]], reading: Reading) -> Entry | None:
    """`IP [PORT]` or `fwmark N`. Without a port every port is meant."""
    if words[0].value == "fwmark":
        return _mark(words, reading)
    _no_more(words, 2, reading)
    found = address(without_semicolon(words[0], reading), "an IP address", reading)
    port = _port(words, reading)
    if found is None or port is None:
        return None
    return Entry(found.place, found.value, port, ipv6=is_ipv6(found.value))


def _mark(words: Sequence[At[str]], reading: Reading) -> Entry | None:
    _no_more(words, 2, reading)
    if len(words) == 1:
        reading.error(codes.NO_VALUE, words[0].place, "`fwmark` has no value")
        return None
    at = without_semicolon(words[1], reading)
    if re.fullmatch(r"[0-9]{1,10}", at.value) and 1 <= int(at.value) <= MARK_LIMIT:
        return Entry(at.place, mark=int(at.value))
    hint = f"from 1 to {MARK_LIMIT}; keepalived leaves it out, and so is it here"
    reading.warning(codes.LEFT_OUT, at.place, f"{shown(at.value)} is not a firewall mark", hint)
    return None


def _port(words: Sequence[At[str]], reading: Reading) -> int | None:
    """The port, 0 when none is written; None, told, when it is none: keepalived leaves such a server out."""
    if len(words) == 1:
        return 0
    at = without_semicolon(words[1], reading)
    if re.fullmatch(r"[0-9]{1,5}", at.value) and int(at.value) <= PORT_LIMIT:
        return int(at.value)
    hint = f"from 0 to {PORT_LIMIT}; keepalived leaves it out, and so is it here"
    reading.warning(codes.LEFT_OUT, at.place, f"{shown(at.value)} is not a port", hint)
    return None


def _no_more(words: Sequence[At[str]], wanted: int, reading: Reading) -> None:
    no_more(Statement(tuple(words)), wanted, reading)


def read_groups(found: Sequence[Statement], reading: Reading) -> dict[str, list[Entry]]:
    """The groups by name, each with what it stands for."""
    groups: dict[str, list[Entry]] = {}
    for statement in found:
        no_more(statement, 2, reading)
        name = word(statement, reading)
        if name is not None and name.value in groups:
            message = f"virtual_server_group {shown(name.value)} is here for the second time"
            reading.error(codes.SAID_TWICE, name.place, message, "keep one")
        elif name is not None:
            entries = (entry for line in statement.body or () for entry in _of_line(line, reading))
            groups[name.value] = list(islice(entries, ENTRIES_LIMIT))
            if next(entries, None) is not None:
                message = f"virtual_server_group {shown(name.value)} has more than {ENTRIES_LIMIT} entries"
                reading.error(codes.TOO_MUCH, name.place, message, "use a firewall mark")
    return groups


def _of_line(line: Statement, reading: Reading) -> Iterator[Entry]:
    first = without_semicolon(line.words[0], reading)
    found = _RANGE.fullmatch(first.value[:64])
    if found is None:
        entry = endpoint(line.words, reading)
        yield from () if entry is None else (entry,)
        return
    _no_more(line.words, 2, reading)
    port = _port(line.words, reading)
    start = address(At(found[1] or found[3], first.place), "an IP address", reading)
    if start is None or port is None:
        return
    lowest = ipaddress.ip_address(start.value)
    count = _count(lowest, found, first, reading)
    if count > RANGE_LIMIT:
        message = f"{shown(first.value)} stands for more than {RANGE_LIMIT} addresses"
        reading.error(codes.TOO_MUCH, first.place, message, "use a firewall mark")
        return
    for number in range(count):
        yield Entry(first.place, str(lowest + number), port, ipv6=is_ipv6(start.value))


def _count(
    lowest: ipaddress.IPv4Address | ipaddress.IPv6Address, found: re.Match[str], at: At[str], reading: Reading
) -> int:
    """How many addresses a range has: `192.0.2.1-9` by its last number, `192.0.2.0/30` by its length."""
    if found[2] is not None:
        base, size, digits = (16, 65536, r"[0-9A-Fa-f]+") if is_ipv6(str(lowest)) else (10, 256, r"[0-9]+")
        last = int(found[2], base) if re.fullmatch(digits, found[2]) else -1
        if int(lowest) % size <= last < size:
            return last - int(lowest) % size + 1
    else:
        length = whole_word(At(found[4], at.place), 1, lowest.max_prefixlen, f"/{lowest.max_prefixlen}", reading)
        return 2 ** (lowest.max_prefixlen - length.value) if length else 1
    hint = "keepalived leaves it out, and so is it here"
    reading.warning(codes.LEFT_OUT, at.place, f"{shown(at.value)} is not a range of addresses", hint)
    return 0
