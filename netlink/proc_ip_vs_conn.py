"""/proc/net/ip_vs_conn, the kernel's connection table, a line at a time. Pure.

The kernel tells of its connections nowhere else. The file may hold millions of lines: nothing here keeps more than one.
Format: ip_vs_conn_seq_show in net/netfilter/ipvs/ip_vs_conn.c. The data of a persistence engine come from packets, by
way of the sync daemon from another machine's, and may be any bytes: a line break among them makes a line that reads
like none, and such are counted and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from socket import AF_INET6, inet_ntoa, inet_ntop, inet_pton  # text and bytes only, no socket

from netlink.errors import NetlinkError

LINE_LIMIT = 1024  # the kernel's longest is some 440: three IPv6 addresses and 255 bytes of an engine's data

_FIRST_WORD = b"Pro"
_FIELDS = 9
_FIELDS_WITH_DATA = 11
_SHOWN = 80
_ADDRESSES_KEPT = 4096  # virtual services and real servers are few, and named by every line
_IPV4_DIGITS = 8
_PORT_DIGITS = 4
_EXPIRES_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection, or a template of a persistent service: its client's port is 0, and maybe its client a network.

    The template of a firewall mark has the protocol IP, and the mark for (the first half of) its virtual address.
    `expires` is in seconds.
    `engine` and `engine_data` are a persistence engine's, if it has left any; the data are bytes, read as Latin-1.
    """

    protocol: str
    client: str
    client_port: int
    virtual: str
    virtual_port: int
    destination: str
    destination_port: int
    state: str
    expires: int
    engine: str = ""
    engine_data: str = ""


class Connections:
    """The connections that the file's lines tell of, read once; `unreadable` counts the lines that tell of none."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """The lines, the first being the titles. NetlinkError if it is not."""
        self._lines = iter(lines)
        self.unreadable = 0
        if next(self._lines, b"").split()[:1] != [_FIRST_WORD]:
            raise NetlinkError("garbled /proc/net/ip_vs_conn: it does not begin with its titles")

    def __iter__(self) -> Iterator[Connection]:
        for line in self._lines:
            try:
                yield parse(line)
            except NetlinkError:
                self.unreadable += 1


def parse(line: bytes) -> Connection:
    """One line after the first. NetlinkError if it does not read like the kernel's."""
    words = line.split() if len(line) <= LINE_LIMIT else []
    if len(words) < _FIELDS:
        raise _garbled(line)
    client, virtual, destination = words[1], words[3], words[5]
    # more than one word of data is not looked at, nor by ipvsadm
    engine, data = words[9:_FIELDS_WITH_DATA] if len(words) >= _FIELDS_WITH_DATA else (b"", b"")
    try:
        return Connection(
            protocol=words[0].decode("ascii"),
            client=_address(client),
            client_port=_port(words[2]),
            virtual=_address(virtual),
            virtual_port=_port(words[4]),
            destination=_address(destination),
            destination_port=_port(words[6]),
            state=words[7].decode("ascii"),
            expires=_expires(words[8]),
            engine=engine.decode("latin-1"),
            engine_data=data.decode("latin-1"),
        )
    except (ValueError, OSError) as error:
        raise _garbled(line) from error


def _garbled(line: bytes) -> NetlinkError:
    return NetlinkError(f"garbled /proc/net/ip_vs_conn: {line[:_SHOWN]!r}")


@lru_cache(maxsize=_ADDRESSES_KEPT)
def _address(word: bytes) -> str:
    """Eight hexadecimal digits, or an IPv6 address written out. ValueError or OSError for what is neither."""
    if len(word) == _IPV4_DIGITS:
        return inet_ntoa(bytes.fromhex(word.decode("ascii")))
    return inet_ntop(AF_INET6, inet_pton(AF_INET6, word.decode("ascii")))


def _port(word: bytes) -> int:
    """Four hexadecimal digits. ValueError for what is not."""
    if len(word) != _PORT_DIGITS:
        raise ValueError
    return int.from_bytes(bytes.fromhex(word.decode("ascii")))


def _expires(word: bytes) -> int:
    """Decimal digits. ValueError for what is not."""
    if not word.isdigit() or len(word) > _EXPIRES_DIGITS:
        raise ValueError
    return int(word)


Waiting = Mapping[tuple[str, int, str, int, int], int]
"""Connections that wait for an answer, by virtual address and port, destination and its port, and seconds to go."""

_HALF_OPEN = b" SYN_RECV"


def waiting(chunks: Iterable[bytes]) -> Waiting:
    """TCP connections in SYN_RECV: a client has asked, and has not gone on since. Lines may be cut between chunks.

    Only lines in that state are looked at; those that read like none are left out.
    """
    found: Counter[tuple[str, int, str, int, int]] = Counter()
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        end = text.rfind(b"\n") + 1
        rest = text[end:] if len(text) - end <= LINE_LIMIT else b""
        found.update(_half_open(text, end))
    return found


def _half_open(text: bytes, end: int) -> Iterator[tuple[str, int, str, int, int]]:
    at = text.find(_HALF_OPEN, 0, end)
    while at >= 0:
        stop = text.find(b"\n", at, end)
        try:
            one = parse(text[text.rfind(b"\n", 0, at) + 1 : stop])
            yield one.virtual, one.virtual_port, one.destination, one.destination_port, one.expires
        except NetlinkError:
            pass
        at = text.find(_HALF_OPEN, stop, end)
