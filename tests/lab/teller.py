"""A real server that tells who it is and whom it sees: what a client reads proves the way its packets took."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Self

from tests.lab.world import LiveHost

PACKET_BYTES = 2048
ANSWER_SECONDS = 3.0


class Teller:
    """Listens on a host, one thread for all its sockets. Answers `name address-seen` and, for streams, closes."""

    def __init__(
        self,
        host: LiveHost,
        *,
        streams: Iterable[int] = (),
        sctp: Iterable[int] = (),
        packets: Iterable[tuple[str, int]] = (),
    ) -> None:
        """`packets`: addresses with ports, since an answer has to leave from the address that was asked."""
        self._name = host.name
        self._ended = threading.Event()
        self._selector = selectors.DefaultSelector()
        makers: list[Callable[[], socket.socket]] = [
            *(lambda port=port: _stream(port, 0) for port in streams),
            *(lambda port=port: _stream(port, socket.IPPROTO_SCTP) for port in sctp),
            *(lambda address=address: _packets(address) for address in packets),
        ]
        for make in makers:
            self._selector.register(host.call(make), selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            for key, _ in self._selector.select(0.2):
                assert isinstance(key.fileobj, socket.socket)
                with contextlib.suppress(OSError):
                    self._answer(key.fileobj)

    def _answer(self, ready: socket.socket) -> None:
        if ready.type == socket.SOCK_DGRAM:
            _, peer = ready.recvfrom(PACKET_BYTES)
            ready.sendto(self._words(peer[0]), peer)
            return
        connection, peer = ready.accept()
        with connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(self._words(peer[0]))

    def _words(self, seen: str) -> bytes:
        return f"{self._name} {seen.removeprefix('::ffff:')}".encode()


def _stream(port: int, protocol: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, protocol)
    if not protocol:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", port))
    listener.listen(64)
    return listener


def _packets(address: tuple[str, int]) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(address)
    return bound


def asked(host: LiveHost, address: str, port: int, protocol: int = socket.IPPROTO_TCP) -> str:
    """A connection from the host: what it is told, or why it was not."""

    def ask() -> str:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM, protocol) as connection:
            connection.settimeout(ANSWER_SECONDS)
            try:
                connection.connect((address, port))
                return connection.recv(PACKET_BYTES).decode()
            except OSError as error:
                return repr(error)

    return host.call(ask)


def sent(host: LiveHost, address: str, port: int, packets: Iterable[bytes], *, source: str = "") -> list[str]:
    """Packets from one socket of the host: the answer to each, or why there is none."""

    def ask() -> list[str]:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(ANSWER_SECONDS)
            asking.bind((source, 0))
            asking.connect((address, port))
            return [_exchanged(asking, packet) for packet in packets]

    return host.call(ask)


def _exchanged(asking: socket.socket, packet: bytes) -> str:
    try:
        asking.send(packet)
        return asking.recv(PACKET_BYTES).decode()
    except OSError as error:
        return repr(error)
