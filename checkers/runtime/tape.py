"""Listens in on one probe: what travels above TLS and below every library, and what TLS was agreed on.

The loop's own connections are the place: whichever library converses, its octets pass there. A probe that was asked
for by a person alone runs in such a loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from checkers.core.transcript import Said, Secured
from checkers.probes.certificate import read
from checkers.probes.discretion import Discretion

TURNS_LIMIT = 64  # of both sides together
KEPT_BYTES = 16384  # of what one side says at a time


class Turn:
    """What one side says until the other does."""

    def __init__(self, at: float, *, ours: bool) -> None:
        """Seconds since the probe began."""
        self.at = at
        self.ours = ours
        self.octets = 0
        self.words = bytearray()


class Tape:
    """Of one probe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """The probe begins now, by that clock."""
        self._clock = clock
        self._began_at = clock()
        self._turns: list[Turn] = []
        self._left_out = 0
        self.handshake: float | None = None  # seconds
        self.secured: Secured | None = None

    def heard(self, words: bytes, *, ours: bool) -> None:
        """One side says something."""
        if not words:
            return
        if not self._turns or self._turns[-1].ours is not ours:
            if len(self._turns) == TURNS_LIMIT:
                self._left_out += len(words)
                return
            self._turns.append(Turn(self._clock() - self._began_at, ours=ours))
        turn = self._turns[-1]
        turn.octets += len(words)
        turn.words += words[: KEPT_BYTES - len(turn.words)]

    def shaken(self, seconds: float, transport: asyncio.BaseTransport) -> None:
        """A TLS handshake is over."""
        self.handshake = seconds
        found = transport.get_extra_info("ssl_object")
        if isinstance(found, ssl.SSLObject):
            cipher = found.cipher()
            der = found.getpeercert(binary_form=True)
            self.secured = Secured(found.version() or "", cipher[0] if cipher else "", read(der or b""))

    @property
    def first_byte_at(self) -> float | None:
        """When the real server said its first word, seconds since the begin."""
        return next((turn.at for turn in self._turns if not turn.ours), None)

    def said(self, discretion: Discretion) -> tuple[Said, ...]:
        """The conversation as it may be shown."""
        return tuple(
            Said(turn.at, turn.ours, turn.octets, discretion.lines(bytes(turn.words), turn.octets, ours=turn.ours))
            for turn in self._turns
        )

    @property
    def left_out(self) -> int:
        """Octets that were said after more turns than are kept."""
        return self._left_out


class Tap(asyncio.Protocol):
    """Before a protocol."""

    def __init__(self, behind: asyncio.Protocol, tape: Tape) -> None:
        """Pass everything on."""
        self._behind = behind
        self._tape = tape

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As it is, but for what is written."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream
        self._behind.connection_made(Line(transport, self._tape))

    def data_received(self, data: bytes) -> None:
        """The real server speaks."""
        self._tape.heard(data, ours=False)
        self._behind.data_received(data)

    def eof_received(self) -> bool | None:
        """It has nothing more to say."""
        return self._behind.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._behind.connection_lost(exc)

    def pause_writing(self) -> None:
        """As it is."""
        self._behind.pause_writing()

    def resume_writing(self) -> None:
        """As it is."""
        self._behind.resume_writing()


class Line(asyncio.Transport):
    """Before a transport."""

    def __init__(self, before: asyncio.Transport, tape: Tape) -> None:
        """Pass everything on."""
        super().__init__()
        self.before = before
        self._tape = tape

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """We speak."""
        self._tape.heard(bytes(data), ours=True)
        self.before.write(data)

    def writelines(self, list_of_data: Any) -> None:  # noqa: ANN401 - asyncio's own is as wide
        """As one."""
        self.write(b"".join(list_of_data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's signature
        """As it is."""
        return self.before.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """As it is."""
        return self.before.is_closing()

    def close(self) -> None:
        """As it is."""
        self.before.close()

    def abort(self) -> None:
        """As it is."""
        self.before.abort()

    def pause_reading(self) -> None:
        """As it is."""
        self.before.pause_reading()

    def resume_reading(self) -> None:
        """As it is."""
        self.before.resume_reading()

    def is_reading(self) -> bool:
        """As it is."""
        return self.before.is_reading()

    def can_write_eof(self) -> bool:
        """As it is."""
        return self.before.can_write_eof()

    def write_eof(self) -> None:
        """As it is."""
        self.before.write_eof()

    def get_write_buffer_size(self) -> int:
        """As it is."""
        return self.before.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As it is."""
        self.before.set_write_buffer_limits(high, low)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Listened to as the one before."""
        assert isinstance(protocol, asyncio.Protocol)  # noqa: S101 - of a stream
        self.before.set_protocol(Tap(protocol, self._tape))

    def get_protocol(self) -> asyncio.BaseProtocol:
        """As it is."""
        return self.before.get_protocol()


class TappedLoop(asyncio.SelectorEventLoop):
    """A loop whose connections are listened to by the tape that is in."""

    tape: Tape | None = None

    async def create_connection(self, protocol_factory: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - asyncio's
        """As asyncio's, with a tap between the library and the connection."""
        tape = self.tape
        if tape is None:
            return await super().create_connection(protocol_factory, *args, **more)
        behind = protocol_factory()
        began_at = self.time()
        transport, _ = await super().create_connection(lambda: Tap(behind, tape), *args, **more)
        if more.get("ssl"):
            tape.shaken(self.time() - began_at, transport)
        return Line(transport, tape), behind

    async def start_tls(self, transport: Any, protocol: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - asyncio's
        """The same for a connection that is secured later."""
        tape = self.tape
        if tape is None or not isinstance(transport, Line):
            return await super().start_tls(transport, protocol, *args, **more)
        began_at = self.time()
        secured = await super().start_tls(transport.before, Tap(protocol, tape), *args, **more)
        if secured is None:
            return None
        tape.shaken(self.time() - began_at, secured)
        return Line(secured, tape)
