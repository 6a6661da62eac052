"""virtual_ipaddress to the addresses an instance moves. Pure."""

from __future__ import annotations

from typing import Final

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


def virtual_addresses(block: Block, interface: str, reading: Reading) -> list[At[VirtualAddress]]:
    """The addresses in the order they are written, each once and all of the first one's family."""
    found: dict[str, At[VirtualAddress]] = {}
    for statement in block.every("virtual_ipaddress"):
        for line in statement.body or ():
            at = _address(line, interface, reading)
            if at is not None and _belongs(at, found, reading):
                found[at.value.address] = at
    if not found:
        message = "this instance moves no address and is left out"
        hint = "keepalived runs it all the same, for nothing"
        reading.warning(codes.LEFT_OUT, block.statement.place, message, hint)
    return list(found.values())


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


def _belongs(at: At[VirtualAddress], found: dict[str, At[VirtualAddress]], reading: Reading) -> bool:
    address = at.value.address
    if address in found:
        line = found[address].place.line
        reading.warning(codes.LEFT_OUT, at.place, f"{address} is listed twice", f"the first is on line {line}")
        return False
    if found and is_ipv6(address) != is_ipv6(next(iter(found))):
        message = f"{address} is of another family than the addresses before it and is left out"
        hint = "keepalived leaves it out too; make an instance of its own for it"
        reading.warning(codes.LEFT_OUT, at.place, message, hint)
        return False
    return True
