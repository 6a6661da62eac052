"""A person's word from the control socket's request to the reply."""

from __future__ import annotations

import asyncio

import pytest

from checkers.core.messages import State
from config.model import VirtualService
from lvsd.control.messages import ErrorReply, OverrideRequest, OverridesReply, OverridesRequest
from lvsd.core.events import Event
from lvsd.core.identity import service_key
from lvsd.core.override_views import Counted
from lvsd.core.pool_state import Connections
from lvsd.core.state import Director
from lvsd.runtime import override_answers
from netlink.errors import NetlinkError
from netlink.table import DestinationKey
from tests.unit.core.world import Bench, config, real, virtual

A, B = "1.1.1.17", "1.1.1.18"
WEB = virtual(real(A), real(B))


class FakeRuntime:
    """A bench where a runtime is asked."""

    def __init__(self, *others: VirtualService) -> None:
        self.bench = Bench(config(WEB, *others))
        self.bench.hear({A: State.UP, B: State.UP})
        self.readable = True
        self.counted: list[str] = []

    @property
    def belief(self) -> Director:
        return self.bench.director

    def feed(self, event: Event) -> None:
        self.bench.feed(event)

    def destination_connections(self, virtual: VirtualService) -> Counted:
        self.counted.append(virtual.name)
        if not self.readable:
            raise NetlinkError("no table")
        return {(service_key(virtual.virtual), DestinationKey(A, 80)): Connections(3, 2, 1)}


async def ask(runtime: FakeRuntime, request: OverrideRequest | OverridesRequest) -> OverridesReply | ErrorReply:
    reply = await override_answers.overrides(runtime, request, 1000)  # type: ignore[arg-type]  # as much of a Runtime as is used
    assert isinstance(reply, OverridesReply | ErrorReply)
    return reply


async def test_done_and_shown() -> None:
    runtime = FakeRuntime(virtual(real(B), port=25, name="smtp"))
    reply = await ask(runtime, OverrideRequest(A, "drain", reason="disk", seconds=60.0))
    assert isinstance(reply, OverridesReply)
    (row,) = reply.overrides
    assert (row.service, row.real_server, row.weight_held) == ("http", f"{A}:80", 0)
    assert (row.active, row.inactive, row.persistent) == (3, 2, 1)
    assert row.override is not None
    assert (row.override.kind, row.override.reason, row.override.uid) == ("drain", "disk", 1000)
    assert runtime.counted == ["http"]
    assert (await ask(runtime, OverridesRequest())).overrides[0].real_server == f"{A}:80"  # type: ignore[union-attr]
    enabled = await ask(runtime, OverrideRequest(A, "enable"))
    assert isinstance(enabled, OverridesReply)
    assert [(one.override, one.weight_held) for one in enabled.overrides] == [(None, 1)]


@pytest.mark.parametrize("action", ["await", "remove", ""])
async def test_an_action_that_is_none(action: str) -> None:
    reply = await ask(FakeRuntime(), OverrideRequest(A, action))
    assert isinstance(reply, ErrorReply)
    assert reply.hint == "there are: enable, drain, disable, weight"


async def test_a_refusal_changes_nothing() -> None:
    runtime = FakeRuntime()
    await ask(runtime, OverrideRequest(A, "disable"))
    reply = await ask(runtime, OverrideRequest(B, "disable"))
    assert isinstance(reply, ErrorReply)
    assert runtime.bench.weights(WEB) == {B: 1}


async def test_a_table_that_cannot_be_read_costs_the_counts_alone() -> None:
    runtime = FakeRuntime()
    runtime.readable = False
    reply = await ask(runtime, OverrideRequest(A, "drain"))
    assert isinstance(reply, OverridesReply)
    assert reply.overrides[0].active == 0


MANY = tuple(
    virtual(real(A), port=port, name=str(port)) for port in range(100, 100 + 2 * override_answers.SLICE_SERVICES)
)


async def test_of_thousands_they_are_read_with_pauses_and_of_one_belief() -> None:
    runtime = FakeRuntime(*MANY)
    runtime.bench.hear({A: State.UP})
    counted = [0]

    def another_turn() -> None:
        counted.append(len(runtime.counted))
        runtime.bench.hear({A: State.DOWN})
        if len(counted) < 4:
            asyncio.get_running_loop().call_soon(another_turn)

    asyncio.get_running_loop().call_soon(another_turn)
    reply = await ask(runtime, OverrideRequest(A, "weight", weight=7))
    assert isinstance(reply, OverridesReply)
    assert counted[:3] == [0, override_answers.SLICE_SERVICES, 2 * override_answers.SLICE_SERVICES]
    assert [(one.service, one.weight_held, one.active) for one in reply.overrides] == [
        (one, 7, 3) for one in ("http", *(one.name for one in MANY))
    ]
    assert runtime.counted == [one.service for one in reply.overrides]


async def test_a_table_that_cannot_be_read_is_tried_once() -> None:
    runtime = FakeRuntime(*MANY)
    runtime.readable = False
    reply = await ask(runtime, OverrideRequest(A, "drain", force=True))
    assert isinstance(reply, OverridesReply)
    assert len(reply.overrides) == 1 + len(MANY)
    assert runtime.counted == ["http"]
