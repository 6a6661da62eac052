"""A person's word from the control socket's request to the reply."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from checkers.core.messages import State
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

    def __init__(self) -> None:
        self.bench = Bench(config(WEB))
        self.bench.hear({A: State.UP, B: State.UP})
        self.readable = True
        self.counted: frozenset[str] = frozenset()

    @property
    def belief(self) -> Director:
        return self.bench.director

    def feed(self, event: Event) -> None:
        self.bench.feed(event)

    def destination_connections(self, names: Iterable[str]) -> Counted:
        self.counted = frozenset(names)
        if not self.readable:
            raise NetlinkError("no table")
        return {(service_key(WEB.virtual), DestinationKey(A, 80)): Connections(3, 2, 1)}


def ask(runtime: FakeRuntime, request: OverrideRequest | OverridesRequest) -> OverridesReply | ErrorReply:
    reply = override_answers.overrides(runtime, request, 1000)  # type: ignore[arg-type]  # as much of a Runtime as is used
    assert isinstance(reply, OverridesReply | ErrorReply)
    return reply


def test_done_and_shown() -> None:
    runtime = FakeRuntime()
    reply = ask(runtime, OverrideRequest(A, "drain", reason="disk", seconds=60.0))
    assert isinstance(reply, OverridesReply)
    (row,) = reply.overrides
    assert (row.service, row.real_server, row.weight_held) == ("http", f"{A}:80", 0)
    assert (row.active, row.inactive, row.persistent) == (3, 2, 1)
    assert row.override is not None
    assert (row.override.kind, row.override.reason, row.override.uid) == ("drain", "disk", 1000)
    assert runtime.counted == {f"tcp 1.1.1.12:80 > {A}:80"}
    assert ask(runtime, OverridesRequest()).overrides[0].real_server == f"{A}:80"  # type: ignore[union-attr]
    enabled = ask(runtime, OverrideRequest(A, "enable"))
    assert isinstance(enabled, OverridesReply)
    assert [(one.override, one.weight_held) for one in enabled.overrides] == [(None, 1)]


@pytest.mark.parametrize("action", ["await", "remove", ""])
def test_an_action_that_is_none(action: str) -> None:
    reply = ask(FakeRuntime(), OverrideRequest(A, action))
    assert isinstance(reply, ErrorReply)
    assert reply.hint == "there are: enable, drain, disable, weight"


def test_a_refusal_changes_nothing() -> None:
    runtime = FakeRuntime()
    ask(runtime, OverrideRequest(A, "disable"))
    reply = ask(runtime, OverrideRequest(B, "disable"))
    assert isinstance(reply, ErrorReply)
    assert runtime.bench.weights(WEB) == {B: 1}


def test_a_table_that_cannot_be_read_costs_the_counts_alone() -> None:
    runtime = FakeRuntime()
    runtime.readable = False
    reply = ask(runtime, OverrideRequest(A, "drain"))
    assert isinstance(reply, OverridesReply)
    assert reply.overrides[0].active == 0
