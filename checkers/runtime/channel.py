"""The worker's connection to the director: SOCK_SEQPACKET, one message a packet, kept up without end.

Nothing waits in it: what is to be said is asked for when the socket takes it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from checkers.core.messages import PACKET_LIMIT_BYTES, Garbled, ToWorker, decode_to_worker
from checkers.runtime.log import Bounded, tell

RECONNECT_SECONDS = 0.5
PACKETS_A_WAKE = 32  # before the checks have their turn again
GARBLED_LINES_A_MINUTE = 6


class Channel:
    """Connects, reconnects, sends what `packet` offers, hands over what comes."""

    def __init__(
        self,
        path: str,
        on_open: Callable[[], None],
        on_order: Callable[[ToWorker], None],
        packet: Callable[[], bytes | None],
        sent: Callable[[], None],
    ) -> None:
        """`packet` gives the next packet or None; `sent` is called when that packet has left."""
        self._path = path
        self._on_open = on_open
        self._on_order = on_order
        self._packet = packet
        self._sent = sent
        self._socket: socket.socket | None = None
        self._blocked = False
        self._again: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._complaints = Bounded(GARBLED_LINES_A_MINUTE)

    def open(self) -> None:
        """Connect now, or again in RECONNECT_SECONDS until it works."""
        self._again = None
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            self._try_again()
            return
        self._socket = connection
        self._loop.add_reader(connection, self._read)
        tell("info", "director_connected")
        self._on_open()
        self.pump()

    def pump(self) -> None:
        """Send all that is to be said and is taken now; go on by itself when the director makes room."""
        while self._socket is not None and not self._blocked:
            packet = self._packet()
            if packet is None:
                return
            try:
                self._socket.send(packet, socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                self._blocked = True
                self._loop.add_writer(self._socket, self._unblocked)
            except OSError:
                self._lose()
            else:
                self._sent()

    def close(self) -> None:
        """Connect no more."""
        self._drop()
        if self._again is not None:
            self._again.cancel()

    def _unblocked(self) -> None:
        if self._socket is not None:
            self._loop.remove_writer(self._socket)
        self._blocked = False
        self.pump()

    def _read(self) -> None:
        for _ in range(PACKETS_A_WAKE):
            if self._socket is None:
                return
            try:
                packet, _, flags, _ = self._socket.recvmsg(PACKET_LIMIT_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                packet, flags = b"", 0
            if not packet or flags & socket.MSG_TRUNC:
                self._lose()
                return
            self._take(packet)

    def _take(self, packet: bytes) -> None:
        try:
            order = decode_to_worker(packet)
        except Garbled as error:
            self._complaints.tell("error", "director_garbled", error=str(error)[:200])
            self._lose()
            return
        self._on_order(order)

    def _lose(self) -> None:
        """Told when it is tried again: until then we may have been told to end, too."""
        self._drop()
        self._again = self._loop.call_later(RECONNECT_SECONDS, self._open_again)

    def _open_again(self) -> None:
        tell("warning", "director_lost")
        self.open()

    def _drop(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None
        self._blocked = False

    def _try_again(self) -> None:
        self._again = self._loop.call_later(RECONNECT_SECONDS, self.open)
