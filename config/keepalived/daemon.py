"""What global_defs say of the processes: whom commands run as, and where lines about changes go. Pure."""

from __future__ import annotations

import msgspec

from config import codes
from config.keepalived.block import PASSED_OVER, Block, Told, note
from config.keepalived.statements import Statement
from config.keepalived.values import user, word
from config.nodes import At
from config.reading import Reading, shown


class Wishes(msgspec.Struct, frozen=True):
    """None: nothing is said."""

    command_user: At[str] | None = None
    notify_fifo: At[str] | None = None
    lvs_notify_fifo: At[str] | None = None


def read_wishes(block: Block | None, reading: Reading) -> Wishes:
    """keepalived's `notify_fifo` gets the lines of both kinds; lvsd writes each kind to one pipe."""
    if block is None:
        return Wishes()
    both = _fifo(block.get("notify_fifo"), reading)
    vrrp, lvs = _fifo(block.get("vrrp_notify_fifo"), reading), _fifo(block.get("lvs_notify_fifo"), reading)
    statement = block.get("notify_fifo")
    if both is not None and statement is not None and (vrrp or lvs):
        kind = "VRRP" if vrrp else "real servers"
        note(statement, Told(PASSED_OVER, f"the lines about {kind} go to their own FIFO only"), reading)
    said = block.get("script_user")
    name = user(said, reading)
    return Wishes(At(name, said.place) if said and name else None, vrrp or both, lvs or both)


def _fifo(statement: Statement | None, reading: Reading) -> At[str] | None:
    """Its path; a user and a group may follow."""
    at = word(statement, reading) if statement else None
    if statement is None or at is None:
        return None
    for owner in statement.words[2:]:
        message = f"{shown(owner.value)} is passed over: a FIFO that lvsd makes is root's alone"
        reading.warning(codes.PASSED_OVER, owner.place, message, "make it before, with the rights it is to have")
    if not at.value.startswith("/") or not at.value.isprintable():
        reading.error(codes.MALFORMED, at.place, f"{shown(at.value)} is not an absolute path")
        return None
    return at
