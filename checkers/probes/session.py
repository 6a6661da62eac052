"""One probe's connection: how it is opened, how much may be read of it, and how it is ended politely.

Everything a probe reads passes one counter at the socket, below TLS and below every library: whatever a real
server sends, a probe's memory is bounded by its allowance.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from checkers.core.books import CONNECT, TLS
from checkers.core.messages import Target
from checkers.core.outcome import Outcome
from checkers.probes.dialling import settle
from checkers.probes.failures import OWN_ERRORS_AT_ONCE, Failed, Stage, Stuck, TooLarge, at_deadline
from checkers.probes.memory import Memory
from checkers.probes.proxy_header import End, header
from checkers.probes.tls import tls_context
from config.checks import Dial, Tls

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

FAREWELL_SECONDS = 0.8  # what a real server gets to answer a goodbye, after the outcome is known
RECEIVE_BYTES = 16384  # at a time, so that what came is judged before more is taken
STREAM_BUFFER_BYTES = 65536  # a stream that is not read holds twice that and pauses the socket

PLAIN_DIAL = Dial()

Overheard = Callable[[bytes, bool], None]
"""Told of octets, and whether they are ours."""

AnyProtocol = TypeVar("AnyProtocol", bound=asyncio.BaseProtocol)


class CappedSocket(socket.socket):
    """A TCP socket that reads no more than its allowance (TooLarge), and tells when it was closed."""

    def __init__(self, family: int, allowance_bytes: int) -> None:
        """Make a non-blocking socket. Raises OSError."""
        super().__init__(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._left = allowance_bytes
        self.gone = asyncio.Event()

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """As socket.recv, counted."""
        data = super().recv(min(bufsize, RECEIVE_BYTES, self._left + 1), flags)
        self._count(len(data))
        return data

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """As socket.recv_into, counted."""
        size = super().recv_into(buffer, min(nbytes or _size(buffer), RECEIVE_BYTES, self._left + 1), flags)
        self._count(size)
        return size

    def close(self) -> None:
        """As socket.close; whoever waits for `gone` goes on."""
        super().close()
        self.gone.set()

    def _count(self, size: int) -> None:
        if size > self._left:
            text = "more than a check reads"
            raise TooLarge(text)
        self._left -= size


class Session:
    """One conversation with one real server, from connect to goodbye."""

    def __init__(
        self,
        target: Target,
        deadline: float,
        dial: Dial = PLAIN_DIAL,
        memory: Memory | None = None,
        overheard: Overheard | None = None,
    ) -> None:
        """Nothing is opened yet. `deadline`: the moment by which the outcome must be known.

        `overheard` is told what does not pass through the loop's connections: datagrams, the PROXY protocol's header.
        """
        self.target = target
        self.deadline = deadline
        self.dial = dial
        self.memory = Memory() if memory is None else memory
        self.overheard = overheard
        self.stage = Stage.CONNECTING
        self.heard = b""  # what is worth telling when the deadline passes
        self.silence: Outcome | None = None  # what it means that the deadline passes, where the probe knows better
        self.parts: list[tuple[int, float]] = []  # what its parts took, in seconds, by row of the books
        self._socket: CappedSocket | None = None
        self._transport: asyncio.Transport | None = None
        self._lent = False
        self._goodbyes: list[Callable[[], Awaitable[object]]] = []
        self._secrets: list[str] = []

    async def connect(self, allowance_bytes: int) -> CappedSocket:
        """Connect as `dial` says, without looking up any name. Raises OSError (the server's or ours), Stuck (ours)."""
        began_at = _now()
        family, address = numeric(self.target)
        self._socket = CappedSocket(family, allowance_bytes)
        settle(self._socket, self.dial)
        number = self._socket.connect_ex(address)
        if number in OWN_ERRORS_AT_ONCE:
            text = f"cannot connect: {os.strerror(number)}"
            raise Stuck(text)
        if number == errno.EINPROGRESS:
            await _writable(self._socket)
            number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))
        self.stage = Stage.TALKING
        self.parts.append((CONNECT, _now() - began_at))
        if self.dial.proxy_protocol:  # it fits into a socket nothing was sent over yet
            own, peer = _end(self._socket.getsockname()), _end(self._socket.getpeername())
            first = header(self.dial.proxy_protocol, own, peer)
            self._socket.send(first)
            if self.overheard is not None:
                self.overheard(first, True)
        return self._socket

    async def lend(self, allowance_bytes: int) -> CappedSocket:
        """Connect for a library that makes the transport itself, and closes it in its goodbye."""
        sock = await self.connect(allowance_bytes)
        self._lent = True
        return sock

    async def attach(self, factory: Callable[[], AnyProtocol], allowance_bytes: int, tls: Tls | None) -> AnyProtocol:
        """Connect, shake hands where TLS is asked for, and give the connection to a protocol of `factory`."""
        protocol = factory()
        await self._open(lambda: protocol, allowance_bytes, tls)
        return protocol

    async def _open(
        self, factory: Callable[[], asyncio.BaseProtocol], allowance_bytes: int, tls: Tls | None
    ) -> asyncio.Transport:
        context = tls_context(tls) if tls is not None else None
        sock = await self.lend(allowance_bytes)
        loop = asyncio.get_running_loop()
        if context is None or tls is None:
            self._transport, _ = await loop.create_connection(factory, sock=sock)
            return self._transport
        self.stage = Stage.SECURING
        began_at = _now()
        self._transport, _ = await loop.create_connection(
            factory,
            sock=sock,
            ssl=context,
            server_hostname=self.server_name(tls),
            ssl_shutdown_timeout=FAREWELL_SECONDS,
        )
        self._secured(began_at)
        return self._transport

    async def secure(self, protocol: asyncio.BaseProtocol, tls: Tls) -> asyncio.Transport:
        """Start TLS in an attached conversation (STARTTLS, STLS) and give back the transport to go on with."""
        if self._transport is None:
            raise EOFError
        self.stage = Stage.SECURING
        began_at = _now()
        transport = await asyncio.get_running_loop().start_tls(
            self._transport,
            protocol,
            tls_context(tls),
            server_hostname=self.server_name(tls),
            ssl_shutdown_timeout=FAREWELL_SECONDS,
        )
        if transport is None:  # what asyncio gives when the connection went during the handshake
            raise EOFError
        self._secured(began_at)
        self._transport = transport
        return transport

    def _secured(self, began_at: float) -> None:
        self.stage = Stage.TALKING
        self.parts.append((TLS, _now() - began_at))

    async def stream(
        self, allowance_bytes: int, tls: Tls | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect and talk through a reader and a writer."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=STREAM_BUFFER_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport = await self._open(lambda: protocol, allowance_bytes, tls)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    def server_name(self, tls: Tls) -> str:
        """For SNI and verification. An address is verified but never sent as SNI (RFC 6066 section 3)."""
        return tls.sni or self.target.address.partition("%")[0]

    def silent(self) -> Outcome:
        """What it means that the deadline has passed."""
        return self.silence or at_deadline(self._socket, self.stage, self.heard)

    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - _now()

    def keep_secret(self, *secrets: str) -> None:
        """Have these never shown, whatever the real server repeats."""
        self._secrets += secrets

    def discreet(self, failure: Failed) -> Failed:
        """The failure, without its words where they hold a secret: some servers repeat what they refuse."""
        words = failure.words if isinstance(failure.words, str) else failure.words.decode(errors="replace")
        if any(secret in words for secret in self._secrets):
            return Failed(failure.reason, "(not shown: the answer repeats the password)")
        return failure

    def at_end(self, goodbye: Callable[[], Awaitable[object]]) -> None:
        """Have `goodbye` said when the probe is over, however it went. It may raise OSError or EOFError."""
        self._goodbyes.append(goodbye)

    async def end(self) -> None:
        """Say the goodbyes and close, in FAREWELL_SECONDS whatever the other side does."""
        try:
            with contextlib.suppress(TimeoutError, OSError, EOFError):
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await self._part()
        finally:
            self._drop()

    async def _part(self) -> None:
        for goodbye in self._goodbyes:
            await goodbye()
        self._close()
        if self._lent and self._socket is not None:
            await self._socket.gone.wait()

    def _close(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()  # never twice: asyncio's TLS transport forgets itself at the second

    def _drop(self) -> None:
        if self._socket is None or self._socket.fileno() < 0:
            return
        if self._transport is not None:
            self._close()  # TLS: the close_notify goes out at once
            self._transport.abort()
        elif self._lent:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # whatever library holds it sees the end
        else:
            self._socket.close()


def numeric(target: Target) -> tuple[int, tuple[object, ...]]:
    """Family and socket address. Only addresses: a resolver in a health check is one more thing that fails."""
    try:
        infos = socket.getaddrinfo(
            target.address, target.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except (OSError, UnicodeError) as error:
        text = f"not an address: {target.address}"
        raise Stuck(text) from error
    family, _, _, _, address = infos[0]
    return family, address


def _end(address: tuple[object, ...]) -> End:
    return str(address[0]).partition("%")[0], int(str(address[1]))


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    descriptor = sock.fileno()
    loop.add_writer(descriptor, _resolve, ready)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _size(buffer: ReadableBuffer) -> int:
    with memoryview(buffer) as view:
        return view.nbytes
