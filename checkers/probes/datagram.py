"""One probe's exchange of datagrams: asked again where nothing comes, and only what answers the question counts.

The socket is connected, so that the kernel drops what other addresses send, and told to hand over ICMP errors of
every kind: a dead neighbour is known after some seconds rather than at the timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Self, TypeVar

from checkers.core.outcome import Reason
from checkers.probes.dialling import settle
from checkers.probes.failures import OWN_ERRORS, OWN_ERRORS_AT_ONCE, Failed, Stage, Stuck, Unfit
from checkers.probes.session import Session, numeric

DATAGRAM_LIMIT_BYTES = 65536  # more than UDP can carry
UNFIT_LIMIT = 256  # datagrams that answer nothing: so many are looked at, and no more
PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0)
"""How long to wait before asking again, and again. The last question waits until the deadline."""

_IP_RECVERR = 11  # linux/in.h
_IPV6_RECVERR = 25  # linux/in6.h

Answer = TypeVar("Answer")


class Datagrams:
    """A UDP socket that speaks with one real server."""

    def __init__(self, session: Session) -> None:
        """Open and connect it. Raises Failed where there is no way to the real server, Stuck or OSError for our own."""
        family, address = numeric(session.target)
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._sent = 0
        self._overheard = session.overheard
        self.unfit = 0
        try:
            settle(self._socket, session.dial)
            _want_errors(self._socket)
            self._socket.connect(address)
        except Stuck:
            self._socket.close()
            raise
        except OSError as error:
            self._socket.close()
            raise refused_to_send(error, at_once=True) from error
        session.stage = Stage.ASKING

    def __enter__(self) -> Self:
        """It is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it; a datagram needs no goodbye."""
        self._socket.close()

    @property
    def local_address(self) -> tuple[str, int]:
        """Our own address and port, as the real server sees them where nothing translates in between."""
        host, port, *_ = self._socket.getsockname()
        return str(host).partition("%")[0], int(port)

    def send(self, datagram: bytes) -> None:
        """Send. Raises Failed where the network has refused, Stuck where this machine did."""
        try:
            self._socket.send(datagram)
        except OSError as error:
            raise refused_to_send(error, at_once=self._sent == 0) from error
        self._sent += 1
        if self._overheard is not None:
            self._overheard(datagram, True)

    async def receive(self) -> bytes:
        """The next datagram. Raises Failed for an ICMP error."""
        try:
            datagram = await asyncio.get_running_loop().sock_recv(self._socket, DATAGRAM_LIMIT_BYTES)
        except OSError as error:
            raise _icmp_error(error) from error
        if self._overheard is not None:
            self._overheard(datagram, False)
        return datagram


async def exchange(
    session: Session,
    port: Datagrams,
    request: bytes,
    read: Callable[[bytes], Answer],
    pauses: tuple[float, ...] = PAUSES_SECONDS,
) -> Answer:
    """What `read` makes of the answer to `request`, which is repeated after each of `pauses` (seconds).

    `read` raises Unfit for what is no answer, and Failed. If only such came until the deadline, that is told.
    """
    for pause in (*pauses, None):
        port.send(request)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                return await _answer(session, port, read)
    raise TimeoutError


async def _answer(session: Session, port: Datagrams, read: Callable[[bytes], Answer]) -> Answer:
    while port.unfit < UNFIT_LIMIT:
        datagram = await port.receive()
        try:
            return read(datagram)
        except Unfit as unfit:
            port.unfit += 1
            session.silence = unfit.outcome()
    raise Failed(Reason.TOO_LARGE, f"{UNFIT_LIMIT} datagrams, none of which is the answer")


def refused_to_send(error: OSError, *, at_once: bool) -> Failed | Stuck:
    """Who is to blame that a datagram cannot leave. `at_once`: nothing was sent before that an error could be of."""
    words = error.strerror or str(error)
    if error.errno in (OWN_ERRORS_AT_ONCE if at_once else OWN_ERRORS):
        return Stuck(f"cannot send: {words}")
    return _icmp_error(error)


def _icmp_error(error: OSError) -> Failed | Stuck:
    """An error that came with ICMP (net/ipv4/icmp.c: icmp_err_convert; net/ipv6/icmp.c: icmpv6_err_convert)."""
    words = error.strerror or str(error)
    match error.errno:
        case errno.ECONNREFUSED | errno.ENOPROTOOPT:
            return Failed(Reason.REFUSED, words)
        case errno.EMSGSIZE:  # the path carries less: the next one will be cut into fragments
            return Stuck(f"cannot send: {words}")
        case _:
            return Failed(Reason.UNREACHABLE, words)


def _want_errors(sock: socket.socket) -> None:
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
