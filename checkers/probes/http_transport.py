"""httpx over a probe's own connection: one request, one connection, no pool, no redirects, no environment."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

import httpcore
import httpx

from checkers.probes.session import Session
from config.checks import Tls

SESSION = "session"  # extensions of a request: whose connection it goes over
TLS = "tls"
TARGET = "target"  # what is asked for instead of the URL's path; None: that path

WIRE_ALLOWANCE_BYTES = 2 * 1024 * 1024  # body, headers (httpcore takes 100 KiB of them), TLS


class SessionTransport(httpx.AsyncBaseTransport):
    """Sends each request over the connection of the session in its extensions."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Open, send, and read the headers. Raises OSError, and httpcore's errors for what is not HTTP."""
        session, tls = request.extensions[SESSION], request.extensions[TLS]
        stream = await _open(session, tls)
        url = request.url
        asked = request.extensions[TARGET] or url.raw_path
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=asked)
        connection = httpcore.AsyncHTTP11Connection(origin=target.origin, stream=stream)
        answer = await connection.handle_async_request(
            httpcore.Request(request.method.encode(), target, headers=request.headers.raw, content=request.stream)
        )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions={"reason_phrase": answer.extensions["reason_phrase"]},
        )


class _Body(httpx.AsyncByteStream):
    """The body as it comes."""

    def __init__(self, stream: Iterable[bytes] | AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._stream, AsyncIterable)  # noqa: S101 - httpcore's asynchronous connection gives that
        async for piece in self._stream:
            yield piece

    async def aclose(self) -> None:
        """Nothing to do: the session ends the connection."""


class _Stream(httpcore.AsyncNetworkStream):
    """A session's stream as httpcore reads it. Deadlines are the probe's, so `timeout` is never given."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - httpcore's signature
        """Up to `max_bytes`; nothing at the end."""
        return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - httpcore's signature
        """Send."""
        self._writer.write(buffer)
        await self._writer.drain()

    async def aclose(self) -> None:
        """Nothing to do: the session ends the connection."""

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never asked for: the session has shaken hands."""
        raise NotImplementedError

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401, ARG002 - httpcore's signature
        """Nothing that httpcore would need."""
        return None


async def _open(session: Session, tls: Tls | None) -> _Stream:
    return _Stream(*await session.stream(WIRE_ALLOWANCE_BYTES, tls))
