"""Where advertisements come from and go to: source, unicast peers, multicast group. Pure.

Measured on keepalived 2.2.7: of several sources the last counts; a peer of another family is left out, one that is the
own address is not; without any peer it is multicast.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Container
from typing import Final

from config import codes
from config.keepalived.block import CHANGES, Block, Told, note
from config.keepalived.statements import Statement
from config.keepalived.values import address, sole_word, without_semicolon
from config.network import is_ipv6
from config.nodes import At
from config.reading import Reading, shown

_GROUPS: Final = {"224.0.0.18", "ff02::12"}
_OF_A_PEER: Final = ("min_ttl", "max_ttl")


def read_source(block: Block, ipv6: bool, reading: Reading) -> str:
    """The address advertisements come from; empty for the interface's own."""
    said = [one for one in (block.get("mcast_src_ip"), block.get("unicast_src_ip")) if one is not None]
    if not said:
        return ""
    statement = max(said, key=lambda one: (one.place.line, one.place.column))
    at = sole_word(statement, reading)
    found = address(at, "an IP address", reading) if at else None
    if found is not None and is_ipv6(found.value) != ipv6:
        message = f"the source {found.value} is not of the family of the addresses"
        reading.error(codes.FAMILY, found.place, message, "keepalived would leave out the addresses")
        return ""
    return found.value if found else ""


def read_peers(block: Block, source: str, moved: Container[str], ipv6: bool, reading: Reading) -> tuple[str, ...]:
    """The unicast peers, each once; none: multicast. `moved`: the addresses the instance moves."""
    found: dict[str, None] = {}
    for statement in block.every("unicast_peer"):
        for line in statement.body or ():
            at = _peer(line, reading)
            if at is not None and _is_another(at, source, moved, found, ipv6, reading):
                found[at.value] = None
    asked = [*block.every("unicast_peer"), *(one for one in (block.get("unicast_src_ip"),) if one is not None)]
    alone = block.get("unicast_fault_no_peer")
    if not found and alone is not None:
        note(alone, Told(CHANGES, "there is no peer, and nothing would ever be sent", "name the peer"), reading)
    elif not found and asked:
        message = "there is no unicast peer: advertisements go to the multicast group"
        reading.warning(codes.NOT_TAKEN, asked[0].place, message, "so does keepalived; unicast_peer { ADDRESS }")
    return tuple(found)


def _peer(line: Statement, reading: Reading) -> At[str] | None:
    words = iter(line.words[1:])
    for at in words:
        if at.value in _OF_A_PEER:
            next(words, None)
            message = f"`{at.value}` of a peer is passed over: lvsd looks at no TTL in unicast"
            reading.warning(codes.PASSED_OVER, at.place, message)
        else:
            message = f"{shown(at.value)} is not known after a peer"
            reading.warning(codes.UNKNOWN_KEYWORD, at.place, message, "one peer a line; keepalived ignores it too")
    return address(without_semicolon(line.words[0], reading), "an IP address", reading)


def _is_another(
    at: At[str], source: str, moved: Container[str], found: dict[str, None], ipv6: bool, reading: Reading
) -> bool:
    if is_ipv6(at.value) != ipv6:
        why = "is not of the family of the addresses"
    elif at.value in found:
        why = "is listed twice"
    elif at.value == source:
        why = "is the address of this balancer"
    elif at.value in moved:
        why = "is a virtual address"
    else:
        return True
    reading.warning(codes.LEFT_OUT, at.place, f"the peer {at.value} {why} and is left out")
    return False


def note_group(statement: Statement | None, reading: Reading) -> None:
    """Only the multicast groups of the RFCs are spoken to."""
    at = sole_word(statement, reading) if statement else None
    if statement is None or at is None or _canonical(at.value) in _GROUPS:
        return
    why = "lvsd advertises to 224.0.0.18 and ff02::12 only; the peer would not hear it"
    note(statement, Told(CHANGES, why, "leave it out, on both balancers, or use unicast_peer"), reading)


def _canonical(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text[:64]))
    except ValueError:
        return text
