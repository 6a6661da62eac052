"""The control socket: frames in, frames out, for root and for our own user alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterable

from lvsd.control.messages import (
    LENGTH,
    REQUEST_LIMIT_BYTES,
    ErrorReply,
    Garbled,
    Reply,
    Request,
    StatusReply,
    decode_request,
    encoded,
    frame,
    frame_of_rows,
)
from lvsd.runtime.unix_socket import peer_uid

IDLE_SECONDS = 30.0  # a client that says nothing that long is let go
CLIENTS_LIMIT = 32
SLICE_ROWS = 1000  # encoded at once: a millisecond or two

Answer = Callable[[Request, int], Awaitable[Reply]]


class ControlServer:
    """Serves `lvsctl`. Every request is answered, also a wrong one."""

    def __init__(self, answer: Answer, on_refused: Callable[[int], None]) -> None:
        """`answer` gives the reply to a request of a user id; `on_refused` hears of a user who may not ask."""
        self._answer = answer
        self._on_refused = on_refused
        self._clients = 0
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve on a listening Unix stream socket."""
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=REQUEST_LIMIT_BYTES)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = peer_uid(writer.get_extra_info("socket"))
        self._clients += 1
        try:
            if uid not in (0, os.geteuid()):
                self._on_refused(uid)
                await _send(writer, ErrorReply("not permitted", "lvsctl has to run as root"))
            elif self._clients > CLIENTS_LIMIT:
                await _send(writer, ErrorReply("too many clients", "end some lvsctl"))
            else:
                await self._converse(reader, writer, uid)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the client left; there is nobody to tell
        finally:
            self._clients -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, uid: int) -> None:
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                head = await reader.readexactly(LENGTH.size)
                (length,) = LENGTH.unpack(head)
                if length > REQUEST_LIMIT_BYTES:
                    await _send(writer, ErrorReply(f"a request of {length} bytes", f"at most {REQUEST_LIMIT_BYTES}"))
                    return
                body = await reader.readexactly(length)
            try:
                request = decode_request(body)
            except Garbled as error:
                await _send(writer, ErrorReply(f"not understood: {error}", "is lvsctl of the same version?"))
                return
            await _send(writer, await self._answer(request, uid))

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.close()


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    async with asyncio.timeout(IDLE_SECONDS):
        for piece in await _framed(reply):
            writer.write(piece)
            await writer.drain()  # what a client does not take yet is copied
            await asyncio.sleep(0)


async def _framed(reply: Reply) -> Iterable[bytes]:
    """The reply's frame in pieces, made with pauses where it is of thousands of services."""
    if not isinstance(reply, StatusReply):
        return (frame(reply),)
    rows: list[bytes] = []
    size = 0
    for one in reply.services:
        rows.append(encoded(one))
        size += 1 + len(one.real_servers)
        if size >= SLICE_ROWS:
            size = 0
            await asyncio.sleep(0)
    return frame_of_rows(reply, rows)
