"""quorum, hysteresis and what runs when they are crossed. Pure.

keepalived brings the sorry server in, and takes every real server out, once the weight of those that are up falls
below `quorum - hysteresis` (1 unless said); they serve again from `quorum + hysteresis` on. What it reduces, measured:
a quorum above the weight of all, a hysteresis not below the quorum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from config import codes
from config.keepalived.block import Block
from config.keepalived.commands import hook
from config.keepalived.statements import Statement
from config.keepalived.values import switch, whole
from config.model import Argv, RealServer
from config.reading import Reading

WEIGHT_LIMIT: Final = 2**31 - 1


class Quorum(msgspec.Struct, frozen=True):
    """When a virtual service counts as able to serve, and what runs when that changes."""

    weight: int
    hysteresis: int
    on_up: Argv
    on_down: Argv
    on_stop: bool


def read_quorum(block: Block, servers: Sequence[RealServer], reading: Reading) -> Quorum:
    """The quorum of a virtual_server with these real servers."""
    quorum = _quorum(block.get("quorum"), sum(one.weight for one in servers), reading)
    return Quorum(
        quorum,
        _hysteresis(block.get("hysteresis"), quorum, reading),
        hook(block, "quorum_up", reading),
        hook(block, "quorum_down", reading),
        _on_stop(block, servers, reading),
    )


def _quorum(statement: Statement | None, whole_weight: int, reading: Reading) -> int:
    at = whole(statement, 1, WEIGHT_LIMIT, "1", reading) if statement else None
    if at is None:
        return 1
    if at.value > whole_weight:
        most = max(1, whole_weight)
        message = f"a quorum of {at.value} is more than all real servers weigh: {most} is taken"
        if at.value > most:
            reading.warning(codes.FORCED, at.place, message, "keepalived reduces it too")
        return most
    return at.value


def _hysteresis(statement: Statement | None, quorum: int, reading: Reading) -> int:
    at = whole(statement, 0, WEIGHT_LIMIT, "0", reading) if statement else None
    if at is None:
        return 0
    if at.value >= quorum:
        message = f"a hysteresis of {at.value} is not below the quorum: {quorum - 1} is taken"
        reading.warning(codes.FORCED, at.place, message, "keepalived reduces it too")
        return quorum - 1
    return at.value


def _on_stop(block: Block, servers: Sequence[RealServer], reading: Reading) -> bool:
    """`omega`, which asks for nothing where nothing is to be run."""
    wanted = switch(block.get("omega"), reading)
    return wanted and (block.get("quorum_down") is not None or any(one.on_down for one in servers))
