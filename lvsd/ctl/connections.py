"""The connection table printed byte for byte as `ipvsadm -Lc` (1.31) prints it. Pure, and one line at a time.

Where ipvsadm reads a line wrongly (of more than 255 bytes, which a long SIP Call-ID makes: it prints a connection that
is none, or crashes) the whole line is printed. A persistence engine's data were written by whoever sent the packet:
what would steer a terminal is shown as a question mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lvsd.ctl import spelling
from lvsd.ctl.names import Names
from netlink.proc_ip_vs_conn import Connection

_HEADING = b"IPVS connection entries\n"
_TITLES = "pro expire state       source             virtual            destination"
_ENGINE_TITLES = "        pe name          pe_data"
_STEERING = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "?")  # control characters, in Latin-1
_SECONDS_PER_MINUTE = 60


def render_connections(connections: Iterable[Connection], names: Names, *, engines: bool) -> Iterator[bytes]:
    """The listing in the kernel's order, as it comes; with the persistence engines' data if wanted."""
    yield _HEADING
    yield f"{_TITLES}{_ENGINE_TITLES if engines else ''}\n".encode()
    for connection in connections:
        yield _line(connection, names, engine=engines and bool(connection.engine))


def _line(found: Connection, names: Names, *, engine: bool) -> bytes:
    protocol = spelling.PROTOCOL_NUMBERS.get(found.protocol, 0)
    source = spelling.endpoint(names, found.client, found.client_port, protocol)
    virtual = spelling.endpoint(names, found.virtual, found.virtual_port, protocol)
    destination = spelling.endpoint(names, found.destination, found.destination_port, protocol)
    minutes, seconds = divmod(found.expires, _SECONDS_PER_MINUTE)
    expire = f"{minutes:02d}:{seconds:02d}"
    head = f"{found.protocol:<3} {expire:<6} {found.state:<11} {source:<18} {virtual:<18} "
    if not engine:
        return f"{head}{destination}\n".encode()
    data = found.engine_data.translate(_STEERING).encode("latin-1")
    return f"{head}{destination:<16} {found.engine:<18} ".encode() + data + b"\n"
