"""The director's side of lvsd-notify: nothing waits, what waits is bounded, nothing is lost at the end."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.model import Daemon, Mail
from lvsd.control import hooks
from lvsd.core.effects import AppendLine, RunCommand, SendMail
from lvsd.runtime import notify_link
from lvsd.runtime.notify_link import QUEUE_LIMIT_PACKETS, NotifyLink, request_of
from lvsd.runtime.unix_socket import bind_unix


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "notify.sock"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    events: list[str] = []
    monkeypatch.setattr("lvsd.runtime.sparingly.tell", lambda _, event, **__: events.append(event))
    monkeypatch.setattr(notify_link, "tell", lambda _, event, **__: events.append(event))
    return events


def accepted(listener: socket.socket) -> socket.socket:
    listener.setblocking(True)
    listener.settimeout(5)
    connection, _ = listener.accept()
    connection.settimeout(5)
    return connection


def numbered(number: int, size: int = 1) -> hooks.AppendLine:
    return hooks.AppendLine(str(number), "x" * size)


def numbers(connection: socket.socket) -> list[int]:
    """What has come until the other end closes."""
    found = []
    while packet := connection.recv(hooks.PACKET_LIMIT_BYTES):
        message = hooks.decode(packet)
        assert isinstance(message, hooks.AppendLine)
        found.append(int(message.path))
    return found


def test_what_is_asked_for_carries_whose_rights_it_needs() -> None:
    daemon = Daemon(checker_user="checks", command_user="hooks")
    command = request_of(RunCommand("a", ("/x",), {"A": "b"}), daemon)
    assert command == hooks.RunCommand("a", ("/x",), {"A": "b"}, "hooks")
    mail = request_of(SendMail(Mail(("a@b",), "c@d", "mx"), "subject", "body"), daemon)
    assert isinstance(mail, hooks.SendMail)
    assert (mail.user, mail.letter.to, mail.letter.sender, mail.letter.smtp) == ("checks", ("a@b",), "c@d", "mx")
    line = request_of(AppendLine("/x", "y"), daemon)
    assert isinstance(line, hooks.AppendLine)
    assert re.fullmatch(rf"\[\w{{3}} \w{{3}} [ \d]\d [\d:]{{8}} \d{{4}}\] \[{os.getpid()}\] y", line.line)


async def test_what_was_asked_before_it_is_there_comes_then(path: Path) -> None:
    link = NotifyLink(path)
    link.tick()
    for number in range(3):
        link.send(numbered(number))
    listener = bind_unix(path, socket.SOCK_SEQPACKET, 0o600)
    link.tick()
    connection = accepted(listener)
    link.send(numbered(3))
    link.close()
    assert numbers(connection) == [0, 1, 2, 3]
    connection.close()
    listener.close()


async def test_what_the_end_asks_for_finds_a_peer_that_came_just_now(path: Path) -> None:
    link = NotifyLink(path)
    link.send(numbered(1))
    listener = bind_unix(path, socket.SOCK_SEQPACKET, 0o600)
    link.close()
    connection = accepted(listener)
    assert numbers(connection) == [1]
    connection.close()
    listener.close()


async def test_it_comes_back_when_its_peer_does(path: Path) -> None:
    link = NotifyLink(path)
    listener = bind_unix(path, socket.SOCK_SEQPACKET, 0o600)
    link.tick()
    accepted(listener).close()
    listener.close()
    await asyncio.sleep(0)  # the loop sees the end
    await asyncio.sleep(0)
    link.send(numbered(1))
    successor = bind_unix(path, socket.SOCK_SEQPACKET, 0o600)
    link.tick()
    connection = accepted(successor)
    link.close()
    assert numbers(connection) == [1]
    connection.close()
    successor.close()


async def test_a_peer_that_takes_nothing_costs_the_oldest_and_no_time(path: Path, told: list[str]) -> None:
    link = NotifyLink(path)
    for number in range(QUEUE_LIMIT_PACKETS + 10):
        link.send(numbered(number))
    assert told == ["request_dropped"]
    listener = bind_unix(path, socket.SOCK_SEQPACKET, 0o600)
    link.tick()
    connection = accepted(listener)

    def take() -> list[int]:
        return numbers(connection)

    taking = asyncio.create_task(asyncio.to_thread(take))
    async with asyncio.timeout(10):
        while link.waiting:
            await asyncio.sleep(0.001)
    link.close()
    assert await taking == list(range(10, QUEUE_LIMIT_PACKETS + 10))
    connection.close()
    listener.close()


async def test_at_the_end_it_waits_for_room_but_not_for_ever(
    path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify_link, "FAREWELL_SECONDS", 0.05)
    listener = bind_unix(path, socket.SOCK_SEQPACKET, 0o600)
    link = NotifyLink(path)
    link.tick()
    for number in range(100):
        link.send(numbered(number, 10000))
    link.close()
    assert told == ["request_dropped"]
    listener.close()


async def test_what_is_too_large_is_told_and_costs_nothing_else(path: Path, told: list[str]) -> None:
    link = NotifyLink(path)
    link.send(numbered(1, hooks.PACKET_LIMIT_BYTES))
    link.send(hooks.AppendLine("\udcff", ""))
    assert told == ["request_not_sent"] * 2
    assert link.waiting == 0


def result(number: int) -> hooks.ScriptEnded:
    return hooks.ScriptEnded("s", number, timed_out=False, at=1.5)


async def test_what_is_to_be_done_all_the_time_is_said_to_each_that_comes(path: Path) -> None:
    link = NotifyLink(path)
    instruction = hooks.Instruct((hooks.Script("s", "s", ("/x",), 1.0, 1.0),), ("/run/f",))
    link.instruct(instruction)
    for _ in range(2):
        listener = bind_unix(path, socket.SOCK_SEQPACKET, 0o600)
        link.tick()
        connection = accepted(listener)
        assert hooks.decode(connection.recv(hooks.PACKET_LIMIT_BYTES)) == instruction
        connection.close()
        listener.close()
        while link._socket is not None:
            await asyncio.sleep(0)
    link.close()


async def test_results_are_heard_and_what_is_none_ends_the_connection(path: Path, told: list[str]) -> None:
    heard: list[hooks.ScriptEnded] = []
    link = NotifyLink(path, heard.append)
    listener = bind_unix(path, socket.SOCK_SEQPACKET, 0o600)
    link.tick()
    connection = accepted(listener)
    for number in range(3):
        connection.send(hooks.encode(result(number)))
    while len(heard) < 3:
        await asyncio.sleep(0)
    assert heard == [result(number) for number in range(3)]
    connection.send(b"\xc1")
    while link._socket is not None:
        await asyncio.sleep(0)
    assert told == ["notify_garbled"]
    link.tick()
    accepted(listener).close()
    link.close()
    connection.close()
    listener.close()


async def test_which_process_it_is_and_whether_it_is_there_is_known(path: Path) -> None:
    link = NotifyLink(path)
    link.tick()
    assert link.row(time.monotonic()) is None
    with bind_unix(path, socket.SOCK_SEQPACKET, 0o600) as listener:
        link.tick()
        row = link.row(time.monotonic())
        assert row is not None
        assert (row.name, row.pid, row.connected) == ("notify", os.getpid(), True)
        accepted(listener).close()
        async with asyncio.timeout(5):
            while (row := link.row(time.monotonic())) is not None and row.connected:
                await asyncio.sleep(0.01)
    assert row is not None
    assert row.pid == os.getpid()
    link.close()
