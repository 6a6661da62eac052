"""TLS without a socket: what came from the wire in, what goes there out, and the clear text between."""

from __future__ import annotations

import contextlib
import ssl

CLEAR_BYTES = 16384  # of clear text at a time: a TLS record


class Secured:
    """One TLS connection of ours over two buffers. Raises ssl.SSLError."""

    __slots__ = ("_incoming", "_object", "_outgoing", "shaken")

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        """Nothing is said yet."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self.shaken = False

    def take(self, octets: bytes) -> None:
        """What came from the wire."""
        self._incoming.write(octets)

    def shake(self) -> bool:
        """Go on with the handshake: whether it is done."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.shaken = True
        return True

    def read(self) -> bytes | None:
        """The next clear text; nothing at the end; None when more has to come."""
        try:
            return self._object.read(CLEAR_BYTES)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""

    def write(self, words: bytes) -> None:
        """Say this."""
        self._object.write(words)

    def part(self) -> None:
        """Say that no more will be said (close_notify)."""
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            self._object.unwrap()

    def outgoing(self) -> bytes:
        """What is to go onto the wire."""
        return self._outgoing.read()
