"""Balancers that look at each other: who knows the secret is answered, nobody else learns anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.model import Peering
from config.secret import Secret
from lvsd.control import peer
from lvsd.control.messages import Garbled
from lvsd.control.portrait import Portrait
from lvsd.runtime import peering
from lvsd.runtime.peering import PeerServer, ask_all, sysctls
from tests.unit.drill.portraits import OWN

SECRET, NONCE, OTHER = "0123456789abcdef", b"a" * 32, b"b" * 32
PORT_OF_NOBODY = 1


@asynccontextmanager
async def serving(secret: str = SECRET, portrait: Callable[[], Portrait] = lambda: OWN) -> AsyncIterator[int]:
    """A listener on a port of its own."""
    server = PeerServer(portrait)
    await server.follow(Peering(Secret(secret), ("127.0.0.1", 0)), time.monotonic())
    assert server._server is not None
    try:
        yield server._server.sockets[0].getsockname()[1]
    finally:
        server.close()


def listening(server: PeerServer) -> bool:
    return server._server is not None


def asking(port: int, secret: str = SECRET) -> Peering:
    return Peering(Secret(secret), None, (("127.0.0.1", port),))


async def test_a_peer_with_the_secret_gets_the_portrait() -> None:
    async with serving() as port:
        (reply,) = await ask_all(asking(port))
    assert (reply.peer, reply.portrait, reply.error) == (f"127.0.0.1:{port}", OWN, "")


async def test_a_peer_with_another_secret_gets_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    async with serving() as port:
        (reply,) = await ask_all(asking(port, SECRET + "x"))
    assert reply.portrait is None
    assert "is the secret the same on both?" in reply.error
    told = capfd.readouterr().err
    assert "asker_refused" in told
    assert SECRET not in told


async def test_nobody_to_ask_is_no_error() -> None:
    assert await ask_all(None) == ()
    (reply,) = await ask_all(asking(PORT_OF_NOBODY))
    assert (reply.portrait, bool(reply.error)) == (None, True)


async def test_a_listener_that_is_no_lvsd_is_told() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.net ESMTP, pleased to meet you\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    (reply,) = await ask_all(asking(server.sockets[0].getsockname()[1]))
    server.close()
    assert "no lvsd" in reply.error


async def test_a_listener_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peering, "TALK_SECONDS", 0.05)

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        ended.set()

    ended = asyncio.Event()
    silent = await asyncio.start_server(listen, "127.0.0.1", 0)
    (reply,) = await ask_all(asking(silent.sockets[0].getsockname()[1]))
    await ended.wait()
    silent.close()
    assert reply.portrait is None
    assert reply.error


async def test_an_asker_who_says_nothing_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peering, "TALK_SECONDS", 2.0)  # within which as many come as may
    async with serving() as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(peering.TALKS_LIMIT)]
        for reader, _ in idle:
            await reader.readexactly(peer.HELLO_BYTES)
        crowded, crowding = await asyncio.open_connection("127.0.0.1", port)
        assert await crowded.read() == b""
        crowding.close()
        for reader, writer in idle:
            assert await reader.read() == b""
            writer.close()
        monkeypatch.setattr(peering, "TALK_SECONDS", 20.0)
        (reply,) = await ask_all(asking(port))
    assert reply.portrait == OWN


async def test_the_listener_follows_the_configuration(capfd: pytest.CaptureFixture[str]) -> None:
    server = PeerServer(lambda: OWN)
    now = time.monotonic()
    await server.follow(None, now)
    assert not listening(server)
    await server.follow(Peering(Secret(SECRET), ("192.0.2.250", 8853)), now)
    assert not listening(server)
    assert "peer_not_listening" in capfd.readouterr().err
    await server.follow(Peering(Secret(SECRET), ("127.0.0.1", 0)), now)
    assert listening(server)
    await server.follow(Peering(Secret(SECRET)), now)
    assert not listening(server)


def test_sysctls_are_numbers_by_name() -> None:
    found = sysctls()
    assert found["net.ipv4.ip_forward"] in (0, 1)
    assert all(isinstance(value, int) for value in found.values())


def test_the_proof_is_of_this_conversation_in_this_direction() -> None:
    question = peer.ask(SECRET, NONCE, OTHER)
    assert peer.proven_asker(SECRET, NONCE, question) == OTHER
    for secret, nonce, heard in (
        (SECRET + "x", NONCE, question),
        (SECRET, OTHER, question),
        (SECRET, NONCE, question[:-1]),
        (SECRET, NONCE, question[:-1] + b"x"),
        (SECRET, NONCE, b"c" + question[1:]),
    ):
        with pytest.raises(Garbled):
            peer.proven_asker(secret, nonce, heard)
    reply = peer.answer(SECRET, NONCE, OTHER, OWN)
    head, body = reply[: peer.HEAD.size], reply[peer.HEAD.size :]
    assert peer.proven_answer(SECRET, (NONCE, OTHER), head, body) == OWN
    for secret, nonces, text in (
        (SECRET + "x", (NONCE, OTHER), body),
        (SECRET, (OTHER, NONCE), body),
        (SECRET, (NONCE, OTHER), body[:-1]),
        (SECRET, (NONCE, OTHER), body.replace(b"lb1", b"lb2")),
    ):
        with pytest.raises(Garbled):
            peer.proven_answer(secret, nonces, head, text)


def test_lengths_are_judged_before_anything_is_read() -> None:
    assert peer.length_of(peer.HEAD.pack(5, b"")) == 5
    for head in (b"", peer.HEAD.pack(5, b"")[:-1], peer.HEAD.pack(peer.BODY_LIMIT_BYTES + 1, b"")):
        with pytest.raises(Garbled):
            peer.length_of(head)
    with pytest.raises(Garbled):
        peer.nonce_of(b"lvsd-p1\n")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_bytes_come_there_is_one_error(head: bytes, body: bytes) -> None:
    for read in (
        lambda: peer.nonce_of(head),
        lambda: peer.proven_asker(SECRET, NONCE, head),
        lambda: peer.proven_answer(SECRET, (NONCE, OTHER), head[: peer.HEAD.size].ljust(peer.HEAD.size), body),
    ):
        with pytest.raises(Garbled):
            read()


@given(st.binary(max_size=200))
def test_a_proven_answer_of_another_version_is_garbled(body: bytes) -> None:
    mac = peer._mac(SECRET, peer._ANSWERING, NONCE, OTHER, body)
    with pytest.raises(Garbled):
        peer.proven_answer(SECRET, (NONCE, OTHER), peer.HEAD.pack(len(body), mac), body)
