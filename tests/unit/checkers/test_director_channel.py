"""The worker's connection to the director: what its end is worth telling, and when."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checkers.runtime.channel import Channel


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(os.fspath(Path(folder) / "s"))
        listening.listen(1)
        listening.setblocking(False)
        yield listening


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def lost(listener: socket.socket) -> Channel:
    """A channel whose director has just gone."""
    channel = Channel(listener.getsockname(), lambda: None, lambda _: None, lambda: None, lambda: None)
    channel.open()
    listener.accept()[0].close()
    await until(lambda: channel._socket is None)
    return channel


async def test_a_director_that_went_is_told_when_it_is_tried_again(
    listener: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    channel = await lost(listener)
    assert "director_lost" not in capfd.readouterr().err
    await until(lambda: channel._socket is not None)
    events = [line.rpartition(" ")[2] for line in capfd.readouterr().err.splitlines()]
    assert events == ["director_lost", "director_connected"]
    channel.close()


async def test_who_is_told_to_end_with_it_has_lost_nothing(
    listener: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    channel = await lost(listener)
    again = channel._again
    assert again is not None
    channel.close()
    assert again.cancelled()
    assert "director_lost" not in capfd.readouterr().err
