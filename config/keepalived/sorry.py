"""sorry_server and quorum: who serves when too few real servers do. Pure.

keepalived brings the sorry server in, and takes every real server out, once the weight of those that are up falls
below the quorum (1 unless said); lvsd's fallback serves while no real server does, which is a quorum of 1.
"""

from __future__ import annotations

from typing import Final

from config import codes
from config.checks import Check, NoCheck
from config.keepalived.block import CHANGES, PASSED_OVER, Block, Told, note
from config.keepalived.forwarding import method_of
from config.keepalived.groups import endpoint
from config.keepalived.real_servers import Frame, fits, served_port
from config.keepalived.values import whole
from config.model import RealServer
from config.reading import Reading

_QUORUM_LIMIT: Final = 2**31 - 1
_SCRIPTS_ALONE: Final = Told(
    PASSED_OVER, "without a sorry server it decides about scripts alone, and lvsd runs none yet"
)
_MORE_THAN_ONE: Final = Told(CHANGES, "lvsd's fallback serves only once no real server does", "quorum 1")
_NO_SERVER: Final = Told(PASSED_OVER, "there is no sorry_server")


def read_sorry_server(frame: Frame, servers: tuple[RealServer, ...], reading: Reading) -> tuple[RealServer, ...]:
    """The server that serves while no real server does, if one is named."""
    statement = frame.block.get("sorry_server")
    _note_quorum(frame.block, reading)
    if statement is None:
        return ()
    if len(statement.words) == 1:
        reading.error(codes.NO_VALUE, statement.place, "`sorry_server` names no address")
        return ()
    entry = endpoint(statement.words[1:], reading)
    if entry is None or entry.mark is not None or not fits(entry, frame, reading):
        return ()
    own = frame.block.get("sorry_server_lvs_method")
    method = method_of(own, frame.method, reading) if own else frame.method
    written = entry.port if statement.words[2:] else frame.port
    port = served_port(written, method, entry, frame, reading)
    if any((one.address, one.port) == (entry.address, port) for one in servers):
        message = f"the sorry server {entry.address} port {port} is a real server of this virtual_server"
        reading.error(codes.DUPLICATE_REAL_SERVER, entry.place, message, "it can be one or the other")
    return (RealServer(entry.address, port, 1, method, Check(NoCheck())),)


def _note_quorum(block: Block, reading: Reading) -> None:
    quorum, hysteresis, method = (block.get(word) for word in ("quorum", "hysteresis", "sorry_server_lvs_method"))
    served = block.get("sorry_server") is not None
    number = whole(quorum, 1, _QUORUM_LIMIT, "1", reading) if quorum else None
    if quorum is not None and not served:
        note(quorum, _SCRIPTS_ALONE, reading)
    elif quorum is not None and number is not None and number.value != 1:
        note(quorum, _MORE_THAN_ONE, reading)
    if hysteresis is not None:
        why = "it goes with a quorum of more than 1" if served else _SCRIPTS_ALONE.why
        note(hysteresis, Told(PASSED_OVER, why), reading)
    if method is not None and not served:
        note(method, _NO_SERVER, reading)
