"""Servers for the probes' tests: well-behaved ones by script, hostile ones by name. All on 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import trustme

from checkers.core.course import course
from checkers.core.health import unproven
from checkers.core.messages import AssignedCheck, State, Target
from checkers.core.outcome import Outcome
from checkers.core.schedule import Rhythm
from checkers.lean.engine import Engine
from checkers.lean.runner import Runner
from checkers.lean.way import lean
from checkers.probes.attempt import Finding, attempt
from checkers.probes.memory import Memory
from config.checks import AnyCheck, Dial, Timing

HOST = "127.0.0.1"
DIAL = Dial()
NEVER = 1e7
"""An interval: a check's slots are so many seconds apart since the machine's start, so that none falls into a test. Of
a thousand seconds one does, once in so many runs that last a second."""

LEAN = False
"""Whether the probes of a test go the lean way, where their checks can."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

AUTHORITY = trustme.CA()


def server_context(*names: str) -> ssl.SSLContext:
    """A server's TLS with a certificate of these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names or (HOST,)).configure_cert(context)
    return context


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on a free port: the port."""
    ends: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        ends.add(task)
        try:
            await handler(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            ends.discard(task)

    server = await asyncio.start_server(served, HOST, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(ends):
            task.cancel()
        if ends:
            await asyncio.wait(ends, timeout=5)


async def find(
    check: AnyCheck,
    port: int,
    timeout: float = 5.0,
    address: str = HOST,
    service: str = "web",
    dial: Dial = DIAL,
    memory: Memory | None = None,
) -> Finding:
    """One probe, with its goodbye."""
    target = Target(address, port, "192.0.2.1", 80, service)
    assigned = AssignedCheck("id", target, check, Timing(timeout=timeout), dial=dial)
    if LEAN and lean(assigned):
        return await find_lean(assigned)
    findings: list[Finding] = []
    await attempt(assigned, findings.append, memory)
    [finding] = findings
    return finding


async def find_lean(assigned: AssignedCheck, stalled: Callable[[], float] = lambda: 0.0) -> Finding:
    """One probe by the lean engine, with its goodbye."""
    given = course(assigned, unproven(State.UNKNOWN, 0.0), asyncio.get_running_loop().time())
    given.rhythm = Rhythm(0.0)  # at once
    engine = Engine(lambda _name, _at_once: None, _raise, stalled)
    runner = Runner(engine, given, None)
    try:
        async with asyncio.timeout(30):
            while not given.health.probes or engine.running:
                await asyncio.sleep(0.002)
    finally:
        runner.let_go(0.0)
        engine.reactor.close()
    health = given.health
    return Finding(health.outcome, health.probed_at, health.latency)


def _raise(_name: str, error: Exception) -> None:
    raise error


async def outcome(check: AnyCheck, port: int, timeout: float = 5.0) -> Outcome:
    """What one probe found."""
    return (await find(check, port, timeout)).outcome


def script(*steps: bytes) -> tuple[Handler, list[bytes]]:
    """A server that says the first step at once and each further one after a line; and the lines it heard."""
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(steps[0])
        for step in steps[1:]:
            heard.append((await reader.readline()).rstrip())
            writer.write(step)
        while line := await reader.readline():
            heard.append(line.rstrip())
            if line.rstrip().endswith((b"QUIT", b"LOGOUT")):
                return

    return handler, heard


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accepts and never answers."""
    while await reader.read(65536):
        pass


def dripping(words: bytes) -> Handler:
    """One byte a moment (a tenth of a second, so that the test is short), for ever."""

    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in itertools.cycle(words):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.1)

    return handler


async def flooding(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """100 MB without a line's end."""
    for _ in range(1600):
        writer.write(b"x" * 65536)
        await writer.drain()


async def resetting(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with a reset."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hanging_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Closes at once."""


async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what belongs to no protocol, and waits."""
    writer.write(b"\x16\x03garbage \xff\xfe here\r\n" * 4)
    await silent(reader, writer)


def closed_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def turns(*steps: bytes) -> tuple[Handler, list[bytes]]:
    """A server that says each step after it heard something; and all it heard, one item before each step."""
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for step in steps:
            heard.append(await reader.read(65536))
            writer.write(step)
        heard.append(await reader.read(65536))

    return handler, heard
