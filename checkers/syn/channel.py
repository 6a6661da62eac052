"""The sockets of one way out: what sends SYNs from one address, what hears of them, and the ports that are theirs.

No local socket may own the port that a SYN came from, or it would hear the answer; the kernel, which knows no
connection of it, then resets at once what a real server half opened. So the ports are held by sockets that are bound
and neither listen nor connect. Which sockets these are and why: docs/adr/0025-half-open-probes.md.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from checkers.probes.dialling import settle
from checkers.probes.failures import Stuck
from checkers.syn.batch import Peer
from checkers.syn.mailbox import Mailbox
from checkers.syn.packet import ANSWER_LIMIT_BYTES, Form, Malformed, Quote, quote
from checkers.syn.post import Post
from checkers.syn.sieve import packed, sieve
from checkers.syn.unreachable import kind, offender
from config.checks import Dial

PORTS = 16
"""A probe's port is not the last one's, lest a real server still holds what that one half opened: it holds such for a
second, until its SYN and ACK, sent again, is reset after all."""

SENDERS = 32
"""What waits for a neighbour that does not exist (3 s) fills the send buffer of its socket: then the next one is used,
so that dead real servers do not hold up the others."""

PORT_TRIES = 32  # so many blocks of ports may be found taken
RECEIVE_BYTES = 4 << 20  # asked for; net.core.rmem_max may allow less
ANCILLARY_BYTES = 128  # a moment, or an ICMP error with its sender

_SO_ATTACH_FILTER, _SO_TIMESTAMPNS, _SO_MEMINFO = 26, 35, 55  # asm-generic/socket.h
_IP_RECVERR, _IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h
_MEMINFO = struct.Struct("=I28xI")  # linux/sock_diag.h, the first and the last of nine
_LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
_RAW = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


class Line(NamedTuple):
    """A way out: the address that packets leave from, its scope, and their mark."""

    family: int
    source: str
    scope: int
    mark: int

    @property
    def address(self) -> tuple[object, ...]:
        """To bind to, without a port."""
        return (self.source, 0) if self.family == socket.AF_INET else (self.source, 0, 0, self.scope)


class Objection(NamedTuple):
    """An ICMP error about a SYN to `peer`: what it quotes, and what it says."""

    peer: Peer
    about: Quote
    words: str


def line_to(family: int, address: tuple[object, ...], dial: Dial) -> Line:
    """The address that the kernel's routes have packets to there leave from. Raises Stuck and OSError.

    To an address of this machine they would leave from that same address, so each would ask for a line of its own: the
    loopback's does for all.
    """
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        settle(sock, dial)
        sock.connect(address)
        source, _, *rest = sock.getsockname()
    scope = rest[1] if rest else 0
    if source == address[0] and not scope and not dial.source:
        source = _LOOPBACK[socket.AddressFamily(family)]
    return Line(family, source, scope, dial.mark)


def peer_of(address: tuple[object, ...]) -> Peer:
    """As answers from there have it."""
    host = str(address[0]).partition("%")[0]
    if ":" not in host:
        return socket.inet_pton(socket.AF_INET, host)
    return socket.inet_pton(socket.AF_INET6, host) + struct.pack("=I", address[3])


class Channel:
    """Sends and hears for all checks whose packets leave by one line."""

    def __init__(self, line: Line) -> None:
        """Open everything. Raises Stuck."""
        self.line = line
        self.users = 0
        with contextlib.ExitStack() as opened:
            try:
                held = _hold(line, opened)
                self.first_port: int = held
                self.receiver = opened.enter_context(_receiver(line, held))
                self._senders = [opened.enter_context(_sender(line))]
            except OSError as error:
                raise Stuck(_words(line, error)) from error
            self._post = Post(line.family)
            self.hears = Mailbox(self.receiver).collect
            self._turn = 0
            _, self._lost = self._memory()
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Give the ports and the sockets back."""
        self._opened.close()

    def send(self, packet: bytes, address: tuple[object, ...]) -> None:
        """One packet, its IP header included, to an address without a port. Raises OSError."""
        self._senders[self._turn].sendto(packet, address)

    def ask(self, forms: Sequence[Form], our_ports: Sequence[int], numbers: Sequence[int]) -> dict[int, OSError]:
        """Send a SYN of each form, HANDFUL at most: which of them could not leave, and why."""
        self._post.write(forms, our_ports, numbers)
        failed: dict[int, OSError] = {}
        at, count = 0, len(forms)
        while at < count:
            try:
                at += self._some(at, count - at)
            except OSError as error:
                failed[at] = error
                at += 1
        return failed

    def _some(self, first: int, count: int) -> int:
        """How many left of those from `first` on: by another socket, a new one at last, where this one has no room."""
        for _ in range(SENDERS):
            with contextlib.suppress(BlockingIOError):
                return self._post.send(self._senders[self._turn], first, count)
            self._turn = (self._turn + 1) % SENDERS
            if self._turn == len(self._senders):
                self._senders.append(self._opened.enter_context(_sender(self.line)))
        raise BlockingIOError(errno.EAGAIN, "no room to send")

    def objections(self, limit: int) -> Iterator[Objection | None]:
        """What ICMP says, so many errors at most; None for one that is about no SYN of ours."""
        for _ in range(limit):
            try:
                packet, ancillary, _, address = self.receiver.recvmsg(
                    ANSWER_LIMIT_BYTES, ANCILLARY_BYTES, socket.MSG_ERRQUEUE
                )
                yield _objection(quote(packet, len(packet)), ancillary, address)
            except BlockingIOError:
                return
            except (OSError, Malformed):
                yield None

    def state(self) -> tuple[bool, bool]:
        """Whether something lies there, packets or objections; and whether packets found no room since this was asked
        last: answers may be among them.
        """
        held, lost = self._memory()
        before, self._lost = self._lost, lost
        return held > 0, lost != before

    def stands(self) -> bool:
        """Whether the address it sends from is still this machine's."""
        try:
            with socket.socket(self.line.family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.bind(self.line.address)
        except OSError:
            return False
        return True

    def _memory(self) -> tuple[int, int]:
        """Bytes of what lies in both queues, and how many packets found no room so far."""
        counts = self.receiver.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        held, lost = _MEMINFO.unpack(counts)
        return held, lost


def _hold(line: Line, opened: contextlib.ExitStack) -> int:
    """Take PORTS ports that begin at a multiple of PORTS: the first. The kernel says where to look. Raises OSError."""
    for attempt in range(PORT_TRIES):
        with contextlib.ExitStack() as tried:
            chosen = tried.enter_context(_holder(line, 0)).getsockname()[1]
            first = int(chosen) & ~(PORTS - 1)
            try:
                for port in range(first, first + PORTS):
                    if port != chosen:
                        tried.enter_context(_holder(line, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or attempt == PORT_TRIES - 1:
                    raise
                continue
            opened.enter_context(tried.pop_all())
            return first
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _holder(line: Line, port: int) -> socket.socket:
    sock = socket.socket(line.family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        host, _, *rest = line.address
        sock.bind((host, port, *rest))
    except OSError:
        sock.close()
        raise
    return sock


def _receiver(line: Line, first_port: int) -> socket.socket:
    """Hears what the sieve lets through, with its moment, and ICMP errors. It never sends: no error of one target is
    reported to who sends to another.
    """
    sock = socket.socket(line.family, _RAW, socket.IPPROTO_TCP)
    try:
        _filter(sock, first_port)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if line.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        sock.bind(line.address)
    except OSError:
        sock.close()
        raise
    return sock


def _sender(line: Line) -> socket.socket:
    """IPPROTO_RAW: packets come with their IP header, and nothing is ever received."""
    sock = socket.socket(line.family, _RAW, socket.IPPROTO_RAW)
    try:
        if line.mark:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, line.mark)
        sock.bind(line.address)
    except OSError:
        sock.close()
        raise
    return sock


def _filter(sock: socket.socket, first_port: int) -> None:
    program = sieve(first_port, PORTS, ipv6=sock.family == socket.AF_INET6)
    code = packed(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(buffer)))


def _objection(about: Quote, ancillary: list[tuple[int, int, bytes]], address: tuple[object, ...]) -> Objection | None:
    for level, kind_of, data in ancillary:
        if (level, kind_of) in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
            why = kind(data)
            if why is not None and address:
                return Objection(peer_of(address), about, f"{why}, says {_written(offender(data))}")
    return None


def _written(packed_address: bytes) -> str:
    match len(packed_address):
        case 4:
            return socket.inet_ntop(socket.AF_INET, packed_address)
        case 16:
            return socket.inet_ntop(socket.AF_INET6, packed_address)
        case _:
            return "somebody"


def _words(line: Line, error: OSError) -> str:
    if error.errno == errno.EPERM:
        return "cannot send SYNs: CAP_NET_RAW is missing" + " (or CAP_NET_ADMIN, before Linux 5.17)" * bool(line.mark)
    return f"cannot send SYNs from {line.source}: {os.strerror(error.errno or 0)}"
