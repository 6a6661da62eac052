"""Stands in for the director: gives a vrrp process its instances and hears its reports."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from config.model import VrrpInstance
from lvsd.vrrp.messages import PACKET_LIMIT_BYTES, Configure, InstanceStatus, VrrpStatus, decode_status, encode

READS_LIMIT = 1000


class FakeDirector:
    """Made where its socket is to be: at a path of the host that the vrrp process runs on."""

    def __init__(self, path: str, instances: tuple[VrrpInstance, ...] = ()) -> None:
        self.instances = instances
        self.generation = 1
        self.connections = 0
        self._reports: list[VrrpStatus] = []
        self._peer: socket.socket | None = None
        Path(path).unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._listener.bind(os.fspath(path))
        self._listener.listen(4)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def turn(self) -> None:
        """Accept who has come and read what was said."""
        try:
            peer, _ = self._listener.accept()
        except BlockingIOError:
            pass
        else:
            self.hang_up()
            peer.setblocking(False)
            self._peer, self.connections = peer, self.connections + 1
            self._say()
        self._read()

    def _read(self) -> None:
        for _ in range(READS_LIMIT):
            if self._peer is None:
                return
            try:
                packet = self._peer.recv(PACKET_LIMIT_BYTES)
            except BlockingIOError:
                return
            except ConnectionResetError:  # it died before it had read all that we said
                packet = b""
            if not packet:
                self.hang_up()
                return
            self._reports.append(decode_status(packet))

    def configure(self, *instances: VrrpInstance) -> None:
        """Another configuration."""
        self.instances, self.generation = instances, self.generation + 1
        self.turn()
        self._say()

    def _say(self) -> None:
        if self._peer is not None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died, which is read next
                self._peer.send(encode(Configure(self.generation, self.instances)))

    def reports(self) -> list[VrrpStatus]:
        """All that was heard so far."""
        self.turn()
        return self._reports

    def status(self, name: str = "lb0") -> InstanceStatus | None:
        """The last report of one instance."""
        reports = self.reports()
        return next((one for one in reports[-1].instances if one.name == name), None) if reports else None

    def hang_up(self) -> None:
        """Cut the connection, as a director that ends."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def close(self) -> None:
        """End."""
        self.hang_up()
        self._listener.close()
