"""The control socket, both ends of it: framing, limits, rights, errors a person can act on."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lvsd.control.messages import (
    LENGTH,
    REQUEST_LIMIT_BYTES,
    ErrorReply,
    Reply,
    Request,
    StatusRequest,
    VrrpReply,
    decode_reply,
)
from lvsd.ctl.client import Unanswered, ask
from lvsd.runtime.control_server import ControlServer
from lvsd.runtime.unix_socket import bind_unix


@pytest.fixture
def run_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@asynccontextmanager
async def serving(run_directory: Path, reply: Reply) -> AsyncIterator[list[Request]]:
    asked: list[Request] = []

    async def answer(request: Request, uid: int) -> Reply:
        assert uid == os.geteuid()
        asked.append(request)
        return reply

    server = ControlServer(answer, lambda _: None)
    await server.start(bind_unix(run_directory / "control.sock", socket.SOCK_STREAM, 0o660))
    try:
        yield asked
    finally:
        server.close()


async def test_a_request_is_answered(run_directory: Path) -> None:
    async with serving(run_directory, VrrpReply(connected=True, age=1.0, instances=())) as asked:
        reply = await asyncio.to_thread(ask, run_directory, StatusRequest("http"))
    assert reply == VrrpReply(connected=True, age=1.0, instances=())
    assert asked == [StatusRequest("http")]


async def test_an_error_reply_carries_its_hint(run_directory: Path) -> None:
    async with serving(run_directory, ErrorReply("no such service", "there are: http")):
        with pytest.raises(Unanswered, match="no such service") as error:
            await asyncio.to_thread(ask, run_directory, StatusRequest("x"))
    assert error.value.hint == "there are: http"


async def test_the_socket_is_for_owner_and_group_alone(run_directory: Path) -> None:
    async with serving(run_directory, ErrorReply("")):
        assert stat.S_IMODE((run_directory / "control.sock").stat().st_mode) == 0o660


@pytest.mark.parametrize("head", [LENGTH.pack(REQUEST_LIMIT_BYTES + 1), LENGTH.pack(4) + b"junk"])
async def test_what_is_no_request_is_told_and_the_connection_ends(run_directory: Path, head: bytes) -> None:
    async with serving(run_directory, ErrorReply("")) as asked:
        reader, writer = await asyncio.open_unix_connection(run_directory / "control.sock")
        writer.write(head)
        (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        assert isinstance(decode_reply(await reader.readexactly(length)), ErrorReply)
        assert await reader.read() == b""
        writer.close()
    assert asked == []


def test_nobody_there_is_told_with_a_hint(run_directory: Path) -> None:
    with pytest.raises(Unanswered) as error:
        ask(run_directory, StatusRequest())
    assert "--run-dir" in error.value.hint


def test_a_reply_cut_short_is_no_traceback(run_directory: Path) -> None:
    listener = bind_unix(run_directory / "control.sock", socket.SOCK_STREAM, 0o660)
    listener.setblocking(True)
    import threading

    def half() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(LENGTH.pack(100) + b"half")

    thread = threading.Thread(target=half)
    thread.start()
    with pytest.raises(Unanswered, match="before the reply was whole"):
        ask(run_directory, StatusRequest())
    thread.join(5)
    listener.close()
