"""Real servers that behave as real servers should not: threads of the test with sockets of a lab host."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

from tests.lab.world import LiveHost

Manner = Callable[[socket.socket, threading.Event], None]
CHUNK = b"x" * 65536
LATE_SECONDS = 2.0
HUNDRED_MEGABYTES = 100 * 1024 * 1024


class Server:
    """Listens on a host's port and treats each connection in its manner, a thread each."""

    def __init__(self, host: LiveHost, port: int, manner: Manner) -> None:
        self.manner = manner
        self._ended = threading.Event()
        self._listener = host.call(lambda: _listen(port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.connections = 0
        self.port = port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._treat, args=(connection,), daemon=True).start()

    def _treat(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            self.manner(connection, self._ended)


def _listen(port: int) -> socket.socket:
    listener = socket.create_server(("", port), backlog=512)
    listener.settimeout(0.2)
    return listener


def good(connection: socket.socket, _: threading.Event) -> None:
    """A small web server: its page holds `ldirectord`."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nldirectord\n")


def wordless(connection: socket.socket, _: threading.Event) -> None:
    """A web server whose page has lost its receive string."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nempty\n")


def silent(_: socket.socket, ended: threading.Event) -> None:
    """Accepts and never answers."""
    ended.wait(60)


def drop(connection: socket.socket, ended: threading.Event) -> None:
    """Answers one byte a second."""
    connection.recv(4096)
    for byte in b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nldirectord\n":
        connection.send(bytes([byte]))
        if ended.wait(1):
            return


def flood(connection: socket.socket, ended: threading.Event) -> None:
    """Answers with 100 MB."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    for _ in range(HUNDRED_MEGABYTES // len(CHUNK)):
        if ended.is_set():
            return
        connection.sendall(CHUNK)


def reset(connection: socket.socket, _: threading.Event) -> None:
    """Accepts and resets."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_midway(connection: socket.socket, _: threading.Event) -> None:
    """Resets in the middle of a good answer."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nldire")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def late(connection: socket.socket, ended: threading.Event) -> None:
    """A good answer, later than any check waits for it."""
    if not ended.wait(LATE_SECONDS):
        good(connection, ended)


def error_page(connection: socket.socket, _: threading.Event) -> None:
    """The word is there, and the status says that it is no answer."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 11\r\n\r\nldirectord\n")


def endless_header(connection: socket.socket, ended: threading.Event) -> None:
    """Headers without end."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\r\n")
    while not ended.is_set():
        connection.sendall(b"X-Header: " + CHUNK + b"\r\n")


def endless_banner(connection: socket.socket, ended: threading.Event) -> None:
    """A mail server's greeting that is always to be continued."""
    while not ended.is_set():
        connection.sendall(b"220-welcome\r\n" * 1000)
