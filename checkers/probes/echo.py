"""ICMP echo over sockets that all ping probes of the process share, one a family.

They are the kernel's own ping sockets (SOCK_DGRAM): it gives each an identifier, lets nothing out but echo requests and
nothing in but the replies to that identifier. A reply counts for the probe whose random token it carries, and only
when it comes from the address that was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import socket
import struct
from collections.abc import Iterator, Mapping

from checkers.probes.datagram import refused_to_send
from checkers.probes.dialling import Ancillary, ancillary, no_mark
from checkers.probes.failures import Stuck
from config.checks import Dial

TOKEN_BYTES = 16
PADDING = bytes(40)  # 56 bytes of payload, as ping(8)
REPLY_LIMIT_BYTES = 256  # more than our own requests
REPLIES_A_TURN = 64  # so many are read before other probes have their turn
_HEADER = struct.Struct("!BBHHH")  # type, code, checksum and identifier (the kernel's to fill), sequence number
_TYPES = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}  # request, reply: RFC 792; RFC 4443 section 4
_PROTOCOLS = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}

Peer = tuple[bytes, int]
"""A packed address and its scope."""


class Question:
    """What one probe asked: to whom, by which token, and whether it was answered."""

    def __init__(self, address: tuple[object, ...], ancillary: list[Ancillary], marked: bool) -> None:
        """Nothing is sent yet."""
        self.address = address
        self.ancillary = ancillary
        self.marked = marked
        self.peer = _peer(address)
        self.token = secrets.token_bytes(TOKEN_BYTES)
        self.answered = asyncio.Event()


class Echoes:
    """A ping socket and who waits for a reply at it."""

    def __init__(self, sock: socket.socket) -> None:
        """Share a non-blocking ping socket."""
        self._socket = sock
        self._request, self._reply = _TYPES[socket.AddressFamily(sock.family)]
        self._waiting: dict[bytes, Question] = {}

    @contextlib.contextmanager
    def asking(self, address: tuple[object, ...], dial: Dial) -> Iterator[Question]:
        """A question to that address, whose replies are heard while the block lasts. Raises Stuck."""
        question = Question(address, ancillary(self._socket.family, dial), marked=bool(dial.mark))
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.add_reader(self._socket.fileno(), self._read)
        self._waiting[question.token] = question
        try:
            yield question
        finally:
            del self._waiting[question.token]
            if not self._waiting:
                loop.remove_reader(self._socket.fileno())

    def send(self, question: Question, number: int) -> None:
        """Send the request of that sequence number. Raises Failed where there is no way, Stuck for our own faults."""
        request = _HEADER.pack(self._request, 0, 0, 0, number & 0xFFFF) + question.token + PADDING
        try:
            self._socket.sendmsg((request,), question.ancillary, 0, question.address)
        except OSError as error:
            if error.errno == errno.EPERM and question.marked:
                raise Stuck(no_mark(error)) from error
            raise refused_to_send(error, at_once=True) from error

    def _read(self) -> None:
        for _ in range(REPLIES_A_TURN):
            try:
                reply, source = self._socket.recvfrom(REPLY_LIMIT_BYTES)
            except OSError:  # nothing more, or an error that names no probe: whose it is waits in vain
                return
            question = self._waiting.get(self._token(reply))
            if question is not None and question.peer == _peer(source):
                question.answered.set()

    def _token(self, reply: bytes) -> bytes:
        """Empty for what is no echo reply."""
        if reply[:2] != bytes((self._reply, 0)):
            return b""
        return reply[_HEADER.size : _HEADER.size + TOKEN_BYTES]


def ping_socket(family: int) -> socket.socket:
    """A socket for echo requests, for those whose group is within net.ipv4.ping_group_range. Raises OSError."""
    protocol = _PROTOCOLS[socket.AddressFamily(family)]
    return socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)


_shared: dict[int, Echoes] = {}


def share(sockets: Mapping[int, socket.socket]) -> None:
    """Use these for all ping probes from now on; opened while the process still might."""
    _shared.update({family: Echoes(sock) for family, sock in sockets.items()})


def echoes(family: int) -> Echoes:
    """The shared ones of a family. Raises Stuck where this process may have no ping socket."""
    if family not in _shared:
        try:
            share({family: ping_socket(family)})
        except OSError as error:
            text = f"no ICMP socket: {os.strerror(error.errno or 0)} (see net.ipv4.ping_group_range)"
            raise Stuck(text) from error
    return _shared[family]


def _peer(address: tuple[object, ...]) -> Peer:
    host = str(address[0]).partition("%")[0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    scope = address[3] if len(address) > 3 else 0  # noqa: PLR2004 - an IPv6 address has four parts
    return socket.inet_pton(family, host), scope if isinstance(scope, int) else 0
