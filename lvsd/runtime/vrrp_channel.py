"""The vrrp process's connection to the director: a client that comes back for ever and never waits."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from lvsd.runtime.journal import tell
from lvsd.runtime.unix_socket import peer_uid
from lvsd.vrrp.messages import (
    PACKET_LIMIT_BYTES,
    Configure,
    Garbled,
    ToVrrp,
    VrrpStatus,
    Weights,
    decode_order,
    encode,
)

RETRY_SECONDS = 0.5
READS_A_WAKE = 16


class Channel:
    """SOCK_SEQPACKET to the director at a path. `opened` and `closed` are told of the socket, for the poll."""

    def __init__(
        self, path: Path, opened: Callable[[socket.socket], None], closed: Callable[[socket.socket], None]
    ) -> None:
        """Not connected yet: `connect` does that."""
        self._path = path
        self._opened, self._closed = opened, closed
        self._socket: socket.socket | None = None
        self.retry_at = 0.0

    @property
    def connected(self) -> bool:
        """Whether there is a director to speak to."""
        return self._socket is not None

    def connect(self, now: float) -> bool:
        """Try once, if it is time to. Whether there is a new connection."""
        if self._socket is not None or now < self.retry_at:
            return False
        self.retry_at = now + RETRY_SECONDS
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            connection.connect(os.fspath(self._path))
            _require_our_own(connection)
        except OSError as error:
            connection.close()
            if isinstance(error, PermissionError):
                tell("warning", "director_refused", error=str(error))
            return False
        self._socket = connection
        self._opened(connection)
        return True

    def receive(self) -> tuple[ToVrrp, ...]:
        """What has come, in its order; of configurations and of weights the last: each says how everything is."""
        came: dict[object, ToVrrp] = {}
        for _ in range(READS_A_WAKE):
            if self._socket is None:
                break
            try:
                packet = self._socket.recv(PACKET_LIMIT_BYTES)  # a longer one is cut, and then garbled
            except BlockingIOError:
                break
            except OSError:
                packet = b""
            if not packet:
                self.close()
                break
            order = _order(packet)
            if order is not None:
                levels = isinstance(order, Configure | Weights)
                came[type(order) if levels else object()] = order
        return tuple(came.values())

    def send(self, status: VrrpStatus) -> None:
        """Report, if there is somebody who listens; a report that finds no room is followed by the next."""
        if self._socket is None:
            return
        try:
            self._socket.send(encode(status))
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def close(self) -> None:
        """Give the connection up; `connect` makes another."""
        if self._socket is not None:
            self._closed(self._socket)
            self._socket.close()
            self._socket = None


def _order(packet: bytes) -> ToVrrp | None:
    try:
        return decode_order(packet)
    except Garbled as error:
        tell("error", "configuration_garbled", error=str(error))
        return None


def _require_our_own(connection: socket.socket) -> None:
    """Only root, or our own user, may tell us what to do. Raises PermissionError."""
    user = peer_uid(connection)
    if user not in (0, os.geteuid()):
        text = f"the director's socket belongs to user {user}"
        raise PermissionError(text)
