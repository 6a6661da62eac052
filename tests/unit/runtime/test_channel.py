"""SOCK_SEQPACKET peers: whole packets, limits, one peer at a time, no blocking."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvsd.runtime.channel import QUEUE_LIMIT_PACKETS, PacketListener, PacketPeer
from lvsd.runtime.unix_socket import bind_unix

LIMIT = 1000


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "peer.sock"


class Server:
    """A listener that writes down what happens."""

    def __init__(self, path: Path, uids: frozenset[int]) -> None:
        self.packets: list[bytes] = []
        self.ends = 0
        self.refused: list[int] = []
        listening = bind_unix(path, socket.SOCK_SEQPACKET, 0o600)
        self.listener = PacketListener(listening, uids, self._peer, self.refused.append)

    def _peer(self, connection: socket.socket) -> PacketPeer:
        return PacketPeer(connection, LIMIT, lambda _, packet: self.packets.append(packet), self._end)

    def _end(self, _: PacketPeer) -> None:
        self.ends += 1


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(str(path))
    client.settimeout(5)
    return client


async def test_packets_go_both_ways_whole(path: Path) -> None:
    server = Server(path, frozenset({os.geteuid()}))
    with connected(path) as client:
        client.send(b"one")
        client.send(b"two")
        await until(lambda: server.packets == [b"one", b"two"])
        assert server.listener.peer is not None
        server.listener.peer.send(b"three")
        assert client.recv(LIMIT) == b"three"
    await until(lambda: server.ends == 1)
    server.listener.close()


async def test_a_packet_beyond_the_limit_ends_the_connection(path: Path) -> None:
    server = Server(path, frozenset({os.geteuid()}))
    with connected(path) as client:
        client.send(b"x" * (LIMIT + 1))
        await until(lambda: server.ends == 1)
    assert server.packets == []
    server.listener.close()


async def test_another_user_is_refused(path: Path) -> None:
    server = Server(path, frozenset({os.geteuid() + 1}))
    with connected(path) as client:
        await until(lambda: server.refused == [os.geteuid()])
        assert client.recv(LIMIT) == b""
    server.listener.close()


async def test_a_newcomer_replaces_the_one_before(path: Path) -> None:
    server = Server(path, frozenset({os.geteuid()}))
    with connected(path) as first:
        await until(lambda: server.listener.peer is not None)
        with connected(path) as second:
            await until(lambda: server.ends == 1)
            assert first.recv(LIMIT) == b""
            second.send(b"here")
            await until(lambda: server.packets == [b"here"])
    server.listener.close()


async def test_a_peer_that_does_not_read_is_queued_for_then_cut_off(path: Path) -> None:
    server = Server(path, frozenset({os.geteuid()}))
    with connected(path) as client:
        await until(lambda: server.listener.peer is not None)
        peer = server.listener.peer
        assert peer is not None
        for number in range(600):  # more than the socket buffer takes
            peer.send(b"%d" % number)
        got = []
        for _ in range(600):
            got.append(int(await asyncio.to_thread(client.recv, LIMIT)))
        assert got == list(range(600))
        for _ in range(2 * QUEUE_LIMIT_PACKETS):
            peer.send(b"x" * LIMIT)
        assert not peer.open
    server.listener.close()


async def test_binding_again_replaces_the_socket(path: Path) -> None:
    bind_unix(path, socket.SOCK_SEQPACKET, 0o600).close()
    server = Server(path, frozenset({os.geteuid()}))
    with connected(path) as client:
        client.send(b"to the new one")
        await until(lambda: server.packets == [b"to the new one"])
    server.listener.close()
