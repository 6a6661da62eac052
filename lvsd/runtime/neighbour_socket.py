"""Sends the Ethernet frames that lvsd.vrrp.frames builds. Needs CAP_NET_RAW."""

from __future__ import annotations

import socket


class NeighbourSocket:
    """One packet socket for all interfaces. It receives nothing."""

    def __init__(self) -> None:
        """Raises PermissionError without CAP_NET_RAW."""
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)

    def send(self, interface: str, frame: bytes) -> None:
        """One frame, as it is. Raises OSError: the interface is gone or down, its queue is full."""
        self._socket.sendto(frame, (interface, 0))

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()
