"""SOCK_SEQPACKET in the asyncio loop: a listener that admits known users, and peers that never block."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable

from lvsd.runtime.unix_socket import peer_uid

QUEUE_LIMIT_PACKETS = 4096  # a peer that far behind is cut off: it comes back and is told the levels anew
READS_A_WAKE = 32  # packets taken from one peer before others have their turn


class PacketPeer:
    """One connected process: packets in by callback, packets out through a bounded queue."""

    def __init__(
        self,
        connection: socket.socket,
        limit_bytes: int,
        on_packet: Callable[[PacketPeer, bytes], None],
        on_end: Callable[[PacketPeer], None],
    ) -> None:
        """Take over a connected, non-blocking socket."""
        self._socket = connection
        self._limit = limit_bytes
        self._on_packet = on_packet
        self._on_end = on_end
        self._queue: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(connection, self._read)
        self.open = True

    def send(self, packet: bytes) -> None:
        """Send now or as soon as the peer takes it. A peer too far behind is closed."""
        if not self.open:
            return
        self._queue.append(packet)
        if len(self._queue) > QUEUE_LIMIT_PACKETS:
            self.close()
        elif len(self._queue) == 1:
            self._write()

    def _write(self) -> None:
        while self._queue:
            try:
                self._socket.send(self._queue[0], socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._write)
                return
            except OSError:
                self.close()
                return
            self._queue.popleft()
        self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        for _ in range(READS_A_WAKE):
            if not self.open:
                return
            try:
                packet, _, flags, _ = self._socket.recvmsg(self._limit)
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            if not packet or flags & socket.MSG_TRUNC:  # the end, or a packet beyond the limit
                self.close()
                return
            self._on_packet(self, packet)

    def close(self) -> None:
        """End the connection; `on_end` is called once."""
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._queue.clear()
        self._on_end(self)


class PacketListener:
    """Admits one peer at a time: a newcomer of the right user replaces the one before (it restarted)."""

    def __init__(
        self,
        listener: socket.socket,
        uids: frozenset[int],
        on_peer: Callable[[socket.socket], PacketPeer],
        on_refused: Callable[[int], None],
    ) -> None:
        """Accept on `listener` in the running loop."""
        self._listener = listener
        self._uids = uids
        self._on_peer = on_peer
        self._on_refused = on_refused
        self.peer: PacketPeer | None = None
        asyncio.get_running_loop().add_reader(listener, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        uid = peer_uid(connection)
        if uid not in self._uids:
            connection.close()
            self._on_refused(uid)
            return
        if self.peer is not None:
            self.peer.close()
        self.peer = self._on_peer(connection)

    def close(self) -> None:
        """Stop listening and let the peer go."""
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        if self.peer is not None:
            self.peer.close()
