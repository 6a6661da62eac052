"""use_vmac, accept, no_accept and dont_track_primary: how an instance lives on its interface. Pure."""

from __future__ import annotations

import re
from typing import Final, TypedDict

from config import codes
from config.build_vrrp import OWNER_PRIORITY, usual_mac_interface
from config.keepalived.block import PASSED_OVER, Block, Told, note
from config.keepalived.statements import Statement, no_more
from config.keepalived.values import switch
from config.network import INTERFACE
from config.nodes import At, Scalar
from config.reading import Reading, shown

_MAC: Final = re.compile(r"[0-9A-Fa-f]{1,2}(?:[:-][0-9A-Fa-f]{1,2}){5}")
_WORDS: Final = 3  # use_vmac, a name, a MAC


class Living(TypedDict):
    """What an instance does with its interface."""

    virtual_mac: str
    accept: bool
    track_interface: bool


def read_living(block: Block, router_id: int, priority: int, *, ipv6: bool, reading: Reading) -> Living:
    """All three; nothing said is what lvsd does by default, too."""
    return Living(
        virtual_mac=_virtual_mac(block.get("use_vmac"), router_id, ipv6, reading),
        accept=_accepts(block, priority, reading),
        track_interface=not switch(block.get("dont_track_primary"), reading),
    )


def _virtual_mac(statement: Statement | None, router_id: int, ipv6: bool, reading: Reading) -> str:
    if statement is None:
        return ""
    no_more(statement, _WORDS, reading)
    words = statement.words[1:_WORDS]
    if any(_MAC.fullmatch(at.value) for at in words):
        why = "the MAC is the virtual router's, as RFC 9568 has it; the peer's may be another"
        note(statement, Told(PASSED_OVER, f"the address in it: {why}"), reading)
    name = next((at for at in words if not _MAC.fullmatch(at.value)), None)
    found = _interface(name, reading) if name else None
    return found or usual_mac_interface(router_id, ipv6=ipv6)


def _interface(at: At[str], reading: Reading) -> str | None:
    fits = INTERFACE.read(Scalar(at.value, plain=False, place=at.place), Reading(reading.files))
    if fits is None:
        message = f"{shown(at.value)} is not a name for an interface: it gets the usual one"
        reading.warning(codes.NOT_TAKEN, at.place, message, "up to 15 characters; no / : or space")
    return fits.value if fits else None


def _accepts(block: Block, priority: int, reading: Reading) -> bool:
    """Of both words the last counts; the owner of the addresses takes their packets anyway."""
    said = [one for one in (block.get("accept"), block.get("no_accept")) if one is not None]
    if not said:
        return True
    last = max(said, key=(block.statement.body or ()).index)
    refuses = last.keyword == "no_accept"
    if refuses and priority == OWNER_PRIORITY:
        note(last, Told(PASSED_OVER, "at priority 255 the addresses are the router's own"), reading)
    return not refuses or priority == OWNER_PRIORITY
