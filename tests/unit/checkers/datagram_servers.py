"""UDP servers for the probes' tests: each answers a datagram with those its manner gives."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable

from tests.unit.checkers.servers import HOST

Manner = Callable[[bytes], Iterable[bytes]]


@contextlib.asynccontextmanager
async def answering(manner: Manner, host: str = HOST) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on a free port: the port and what it has heard."""
    heard: list[bytes] = []
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((host, 0))

        def received() -> None:
            question, source = sock.recvfrom(65536)
            heard.append(question)
            for answer in manner(question):
                sock.sendto(answer, source)

        loop.add_reader(sock, received)
        try:
            yield sock.getsockname()[1], heard
        finally:
            loop.remove_reader(sock)


def mute(_: bytes) -> Iterable[bytes]:
    """Never answers."""
    return ()


def repeating(*answers: bytes) -> Manner:
    """Always answers so."""
    return lambda _: answers


def closed_udp_port() -> int:
    """A port that nobody listens at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])
