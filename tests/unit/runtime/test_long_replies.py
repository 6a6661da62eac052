"""A long status is made and sent with pauses, and is what it would be without."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Mapping
from math import ceil
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from lvsd.control import messages
from lvsd.control.messages import ProcessRow, StatusRequest, decode_reply, frame
from lvsd.control.portrait import ServicePortrait
from lvsd.core import book_views, views
from lvsd.core.events import ConfigChanged, MaintenanceSeen
from lvsd.core.portrait import Machine, portrait
from lvsd.core.state import Director
from lvsd.ctl.client import ask
from lvsd.runtime import answers, control_server
from lvsd.runtime.answers import Answers
from lvsd.runtime.book_desk import Found
from lvsd.runtime.configuration import Reloader
from lvsd.runtime.director_runtime import Runtime
from netlink.errors import NetlinkError
from netlink.table import ServiceKey, Table
from tests.unit.core.world import Bench, config, real, virtual
from tests.unit.runtime.test_control_socket import serving

A, B = "1.1.1.21", "1.1.1.22"
SERVICES = tuple(virtual(real(A), real(B), port=port, name=str(port)) for port in range(25, 35))
NOTIFY = ProcessRow("notify", 7, connected=True, age=1.0)


class Someone:
    """A runtime, as far as a status needs one."""

    def __init__(self, belief: Director) -> None:
        self.belief = belief
        self.unreadable = ""

    def notify_row(self, now: float) -> ProcessRow | None:
        return NOTIFY if now else None

    def table_with_connections(self, keys: Iterable[ServiceKey]) -> tuple[Table, dict[ServiceKey, int]]:
        if self.unreadable:
            raise NetlinkError(self.unreadable)
        table = {key: self.belief.kernel.table[key] for key in keys}
        return table, dict.fromkeys(table, 7)


def bench() -> Bench:
    begun = Bench(config(*SERVICES))
    begun.hear({A: State.UP, B: State.DOWN})
    return begun


def answering(someone: Someone) -> Answers:
    return Answers(cast(Runtime, someone), cast(Reloader, None))


async def turns_until(task: asyncio.Future[Any]) -> int:
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    return turns


@pytest.mark.parametrize("request_", [StatusRequest(), StatusRequest("30"), StatusRequest(books=True, real=A)])
async def test_a_status_made_with_pauses_is_the_whole_status(request_: StatusRequest) -> None:
    begun = bench()
    expected = views.status(begun.director, 200.0, request_.service)
    if request_.books:
        expected = book_views.with_books(begun.director, expected, {}, {})
    expected = book_views.of_real(expected, request_.real) if request_.real else expected
    with patch.object(answers, "SLICE_REAL_SERVERS", 1):
        reply = await answering(Someone(begun.director))._status_with(request_, Found(), 200.0)
    assert reply.processes[-1] == NOTIFY
    assert reply.services == expected.services
    assert reply.services


@pytest.mark.parametrize(("size", "least"), [(1, len(SERVICES)), (10_000, 1)])
async def test_others_have_their_turn_and_what_they_change_is_not_mixed_in(size: int, least: int) -> None:
    begun = bench()
    someone = Someone(begun.director)
    expected = views.status(begun.director, 200.0)
    with patch.object(answers, "SLICE_REAL_SERVERS", size):
        task = asyncio.ensure_future(answering(someone)._status_with(StatusRequest(), Found(), 200.0))
        await asyncio.sleep(0)
        begun.feed(MaintenanceSeen(frozenset({A})))
        someone.belief = begun.director
        turns = await turns_until(task)
    assert task.result().services == expected.services
    assert (turns >= least) is (size == 1)


def at_once(director: Director, connections: int) -> Mapping[str, ServicePortrait]:
    counted = dict.fromkeys(director.kernel.table, connections) if connections else {}
    return portrait(director, Machine("x", table=director.kernel.table, connections=counted)).services


@pytest.mark.parametrize(("unreadable", "connections"), [("", 7), ("no table", 0)])
async def test_a_portrait_made_with_pauses_is_the_whole_portrait(unreadable: str, connections: int) -> None:
    begun = bench()
    someone = Someone(begun.director)
    someone.unreadable = unreadable
    with patch.object(answers, "SLICE_SERVICES", 1):
        task = asyncio.ensure_future(answering(someone).portrait())
        assert await turns_until(task) >= len(SERVICES)
    assert task.result().services == at_once(begun.director, connections)


async def test_a_portrait_is_of_one_configuration_and_each_service_of_one_moment() -> None:
    begun = bench()
    someone = Someone(begun.director)
    with patch.object(answers, "SLICE_SERVICES", 1):
        task = asyncio.ensure_future(answering(someone).portrait())
        await asyncio.sleep(0)
        begun.feed(ConfigChanged(config(*SERVICES[1:])))
        begun.feed(MaintenanceSeen(frozenset({A})))
        someone.belief = begun.director
        await turns_until(task)
    assert task.result().services == at_once(begun.director, 7)


@pytest.mark.parametrize("rows_a_piece", [1, 3, 64])
@pytest.mark.parametrize("services", [0, 1, len(SERVICES)])
async def test_a_reply_encoded_with_pauses_is_the_same_bytes(services: int, rows_a_piece: int) -> None:
    whole = views.status(bench().director, 200.0)
    reply = replace(whole, services=whole.services[:services], refusals=('"services":[]',))
    with patch.object(control_server, "SLICE_ROWS", 1):
        task = asyncio.ensure_future(control_server._framed(reply))
        turns = await turns_until(task)
    with patch.object(messages, "ROWS_A_PIECE", rows_a_piece):
        pieces = list(await task)
    assert b"".join(pieces) == frame(reply)
    assert len(pieces) == 2 + ceil(services / rows_a_piece)
    assert turns >= services


async def test_a_reply_of_many_pieces_arrives_whole() -> None:
    reply = views.status(bench().director, 200.0)
    with tempfile.TemporaryDirectory() as name:
        async with serving(Path(name), reply):
            answered = await asyncio.to_thread(ask, Path(name), StatusRequest())
    assert answered == decode_reply(frame(reply)[4:])
