"""virtual_ipaddress and virtual_ipaddress_excluded to the addresses an instance moves. Pure."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from config import codes
from config.keepalived.block import Block
from config.keepalived.statements import Statement
from config.keepalived.values import prefix, without_semicolon
from config.model import VirtualAddress
from config.network import INTERFACE, is_ipv6
from config.nodes import At, Scalar
from config.reading import Reading, shown

_WITH_WORD: Final = frozenset(("brd", "broadcast", "scope", "label", "peer", "preferred_lft", "metric", "proto"))
_ALONE: Final = frozenset(
    ("home", "-nodad", "nodad", "mngtmpaddr", "noprefixroute", "autojoin", "no_track", "use_vmac", "track_group")
)


ADVERTISED_LIMITS: Final = {False: 255, True: 89}
"""Addresses an advertisement names, by whether they are IPv6: one byte counts them, and at an MTU of 1500 keepalived
2.2.7 puts 89 of IPv6 into a packet (measured).
"""


def virtual_addresses(block: Block, interface: str, reading: Reading) -> list[At[VirtualAddress]]:
    """The addresses in the order they are written, each once: those that are advertised, all of one family, first."""
    found: dict[str, At[VirtualAddress]] = {}
    for line in _lines(block, "virtual_ipaddress"):
        at = _address(line, interface, reading)
        if at is not None and _belongs(at, found, reading):
            found[at.value.address] = at
    found = {at.value.address: at for at in _that_fit(list(found.values()), reading)}
    advertised = bool(found)
    for line in _lines(block, "virtual_ipaddress_excluded"):
        at = _address(line, interface, reading)
        if at is not None and _is_new(at, found, reading):
            found[at.value.address] = _unnamed(at)
    if not advertised:
        _note_none(block, bool(found), reading)
    return list(found.values()) if advertised else []


def _lines(block: Block, keyword: str) -> list[Statement]:
    return [line for statement in block.every(keyword) for line in statement.body or ()]


def _that_fit(found: list[At[VirtualAddress]], reading: Reading) -> list[At[VirtualAddress]]:
    """Those that one advertisement has room for; the others move with them without being named."""
    limit = ADVERTISED_LIMITS[bool(found) and is_ipv6(found[0].value.address)]
    if len(found) > limit:
        message = f"an advertisement names {limit} addresses: this one and those after it move without being named"
        hint = "keepalived does so too; make two instances of it"
        reading.warning(codes.NOT_TAKEN, found[limit].place, message, hint)
    return [*found[:limit], *(_unnamed(at) for at in found[limit:])]


def _unnamed(at: At[VirtualAddress]) -> At[VirtualAddress]:
    return At(replace(at.value, advertised=False), at.place)


def _note_none(block: Block, excluded: bool, reading: Reading) -> None:
    place = block.statement.place
    if excluded:
        message = "this instance advertises no address: an advertisement names one at least (RFC 9568 section 5.2.9)"
        reading.error(codes.NO_VALUE, place, message, "move one to virtual_ipaddress, on both balancers")
        return
    message = "this instance moves no address and is left out"
    reading.warning(codes.LEFT_OUT, place, message, "keepalived runs it all the same, for nothing")


def _address(line: Statement, interface: str, reading: Reading) -> At[VirtualAddress] | None:
    at = prefix(line.words[0], reading)
    held_by = _interface(line, interface, reading)
    if at is None:
        return None
    return At(VirtualAddress(at.value.address, at.value.length, held_by), at.place)


def _interface(line: Statement, interface: str, reading: Reading) -> str:
    """The interface of `dev`; what else a line may say about an address is told."""
    words = iter(line.words[1:])
    for at in words:
        keyword = without_semicolon(at, reading).value
        if keyword == "dev":
            interface = _named(next(words, None), at, interface, reading)
        elif keyword in _WITH_WORD or keyword in _ALONE:
            if keyword in _WITH_WORD:
                next(words, None)
            message = f"`{keyword}` of an address is passed over: lvsd sets address, length and interface"
            reading.warning(codes.PASSED_OVER, at.place, message)
        elif keyword:
            message = f"{shown(at.value)} is not known after an address"
            reading.warning(codes.UNKNOWN_KEYWORD, at.place, message, "one address a line; keepalived ignores it too")
    return interface


def _named(at: At[str] | None, dev: At[str], interface: str, reading: Reading) -> str:
    if at is None:
        reading.error(codes.NO_VALUE, dev.place, "`dev` names no interface")
        return interface
    at = without_semicolon(at, reading)
    found = INTERFACE.read(Scalar(at.value, plain=False, place=at.place), reading)
    return found.value if found else interface


def _is_new(at: At[VirtualAddress], found: dict[str, At[VirtualAddress]], reading: Reading) -> bool:
    address = at.value.address
    if address in found:
        line = found[address].place.line
        reading.warning(codes.LEFT_OUT, at.place, f"{address} is listed twice", f"the first is on line {line}")
    return address not in found


def _belongs(at: At[VirtualAddress], found: dict[str, At[VirtualAddress]], reading: Reading) -> bool:
    address = at.value.address
    if not _is_new(at, found, reading):
        return False
    if found and is_ipv6(address) != is_ipv6(next(iter(found))):
        message = f"{address} is of another family than the addresses before it and is left out"
        hint = "keepalived leaves it out too; virtual_ipaddress_excluded takes both families"
        reading.warning(codes.LEFT_OUT, at.place, message, hint)
        return False
    return True
