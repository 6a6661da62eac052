"""sorry_server: who serves when too few real servers do. Pure."""

from __future__ import annotations

from typing import Final

from config import codes
from config.checks import Check, NoCheck
from config.keepalived.block import PASSED_OVER, Told, note
from config.keepalived.forwarding import method_of
from config.keepalived.groups import endpoint
from config.keepalived.real_servers import Frame, fits, served_port
from config.keepalived.values import switch
from config.model import RealServer
from config.reading import Reading
from config.words import OnFailure

_NO_SERVER: Final = Told(PASSED_OVER, "there is no sorry_server")


def read_sorry_server(frame: Frame, servers: tuple[RealServer, ...], reading: Reading) -> tuple[RealServer, ...]:
    """The server that serves while the real servers are below their quorum, if one is named."""
    block = frame.block
    statement = block.get("sorry_server")
    if statement is None:
        for word in ("sorry_server_lvs_method", "sorry_server_inhibit"):
            said = block.get(word)
            if said is not None:
                note(said, _NO_SERVER, reading)
        return ()
    if len(statement.words) == 1:
        reading.error(codes.NO_VALUE, statement.place, "`sorry_server` names no address")
        return ()
    entry = endpoint(statement.words[1:], reading)
    own = block.get("sorry_server_lvs_method")
    method = method_of(own, frame.method, reading) if own else frame.method
    if entry is None or entry.mark is not None or not fits(entry, method, frame, reading):
        return ()
    written = entry.port if statement.words[2:] else frame.port
    port = served_port(written, method.forwarding, entry, frame, reading)
    if any((one.address, one.port) == (entry.address, port) for one in servers):
        message = f"the sorry server {entry.address} port {port} is a real server of this virtual_server"
        reading.error(codes.DUPLICATE_REAL_SERVER, entry.place, message, "it can be one or the other")
    stays = OnFailure.QUIESCE if switch(block.get("sorry_server_inhibit"), reading) else None
    check = Check(NoCheck())
    server = RealServer(
        entry.address, port, 1, method.forwarding, check, tunnel=method.tunnel, on_failure=stays
    )  # fmt: skip
    return (server,)
