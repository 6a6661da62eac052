"""Real servers a person takes out by a name in the maintenance directory."""

from __future__ import annotations

import pytest

from checkers.core.messages import State
from lvsd.core import views
from lvsd.core.director import step
from lvsd.core.effects import Apply, Tell
from lvsd.core.events import MaintenanceSeen, Started
from lvsd.core.health import address_in, in_maintenance
from lvsd.core.identity import real_id
from lvsd.core.overrides import Asked, Refused, decided
from lvsd.core.pool_state import OverrideKind
from lvsd.core.state import Director
from lvsd.ctl import render
from netlink.operations import DeleteDestination
from tests.unit.core.world import Bench, config, real, table, virtual

A, B, V6 = "1.1.1.17", "1.1.1.18", "2001:db8::17"
UP, DOWN = State.UP, State.DOWN
HTTP = virtual(real(A), real(B))


@pytest.mark.parametrize(
    ("name", "address", "meant"),
    [
        ("1.1.1.17", A, True),
        ("1.1.1.17:80", A, True),
        ("1.1.1.17:81", A, False),
        ("1.1.1.1", A, False),
        ("2001:db8::17", V6, True),
        ("[2001:db8::17]", V6, True),
        ("[2001:db8::17]:80", V6, True),
        ("[2001:db8::17]:81", V6, False),
        ("", A, False),
    ],
)
def test_names(name: str, address: str, meant: bool) -> None:
    assert in_maintenance(frozenset({name}), real(address)) is meant
    assert not meant or address_in(name) == address


@pytest.mark.parametrize("name", [V6, f"[{V6}]", f"[{V6}]:80"])
def test_who_has_an_ipv6_address_is_told_of_and_meant_by_a_person_too(name: str) -> None:
    service = virtual(real(A), real(V6))
    bench = Bench(config(service))
    bench.hear({A: UP, V6: UP})
    bench.feed(MaintenanceSeen(frozenset({name})))
    assert bench.told() == ["real_server_in_maintenance", "table_changed"]
    assert bench.weights(service) == {A: 1}
    bench.feed(MaintenanceSeen(frozenset()))
    changes = decided(bench.director, Asked(name, OverrideKind.DISABLE, 0), bench.now)
    assert not isinstance(changes, Refused)
    assert list(changes) == [real_id(service, real(V6))]


def test_it_leaves_at_once_and_comes_back_at_once_when_its_checks_are_well() -> None:
    bench = Bench(config(HTTP))
    bench.hear({A: UP, B: UP})
    bench.feed(MaintenanceSeen(frozenset({"1.1.1.17:80"})))
    assert bench.weights(HTTP) == {B: 1}
    assert bench.told() == ["real_server_in_maintenance", "table_changed"]
    bench.feed(MaintenanceSeen(frozenset()))
    assert bench.weights(HTTP) == {A: 1, B: 1}
    assert bench.told() == ["real_server_back_from_maintenance", "real_server_up", "table_changed"]


def test_its_health_is_watched_meanwhile() -> None:
    bench = Bench(config(HTTP))
    bench.hear({A: UP, B: UP})
    bench.feed(MaintenanceSeen(frozenset({A})))
    bench.hear({A: DOWN})
    assert bench.told() == []
    bench.feed(MaintenanceSeen(frozenset()))
    assert bench.weights(HTTP) == {B: 1}
    told = [effect for effect in bench.effects if isinstance(effect, Tell)]
    assert [(one.event, one.fields.get("state")) for one in told] == [("real_server_back_from_maintenance", "down")]


def test_it_may_empty_a_service_as_a_person_asked_for_it() -> None:
    bench = Bench(config(HTTP))
    bench.hear({A: UP, B: UP})
    bench.feed(MaintenanceSeen(frozenset({A, B})))
    assert bench.weights(HTTP) == {}
    assert "quorum_lost" in bench.told()


def test_a_server_not_probed_yet_is_out_as_well() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})), restarted=True)
    bench.feed(MaintenanceSeen(frozenset({A})))
    assert bench.weights(HTTP) == {B: 1}


def test_who_is_out_from_the_start_is_told_and_never_enters() -> None:
    out, _ = step(Director(), MaintenanceSeen(frozenset({A})), 0.0)
    _, effects = step(out, Started(config(HTTP), frozenset(), table((HTTP, {A: 1, B: 1}))), 0.0)
    assert [one.event for one in effects if isinstance(one, Tell)] == [
        "config_loaded",
        "real_server_in_maintenance",
    ]
    assert [type(one) for effect in effects if isinstance(effect, Apply) for one in effect.operations] == [
        DeleteDestination
    ]


def test_the_same_names_again_tell_nothing() -> None:
    bench = Bench(config(HTTP))
    bench.feed(MaintenanceSeen(frozenset({A})))
    bench.feed(MaintenanceSeen(frozenset({A, "other"})))
    assert bench.told() == []


def test_status_tells_it() -> None:
    bench = Bench(config(HTTP))
    bench.hear({A: UP, B: UP})
    bench.feed(MaintenanceSeen(frozenset({A})))
    reply = views.status(bench.director, bench.now)
    assert [one.maintenance for one in reply.services[0].real_servers] == [True, False]
    assert "out       0.0s   -       0.0s  2.0ms    in maintenance; tcp ok" in render.status(reply)
