"""`lvsctl explain`, on what a director of the core's tests believes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from checkers.core.messages import State
from checkers.core.outcome import Reason, Unhealthy
from config.checks import Check, Dial, FollowCheck, HttpCheck
from config.pool_rules import Amount, Floor, FloorAction, HoldDown, PoolRules
from lvsd.control.messages import BooksRow, EventRow, EventsReply, EventsRequest, PhaseRow, Reply, Request
from lvsd.core import views
from lvsd.core.events import Event, MaintenanceSeen, OverridesSet
from lvsd.core.pool_state import Override, OverrideKind
from lvsd.ctl import render
from lvsd.ctl.explaining import explained
from lvsd.ctl.main import main
from tests.unit.core.world import Bench, config, real, virtual

A, B = "1.1.1.17", "1.1.1.18"
UP, DOWN = State.UP, State.DOWN
RULES = PoolRules(Floor(Amount(1)), slow_start=30.0, hold_down=HoldDown(10.0))
WEB = replace(virtual(real(A, 10), real(B, 10)), rules=RULES)
IDENTITY = f"tcp 1.1.1.12:80 > {A}:80"


@pytest.fixture
def bench() -> Bench:
    bench = Bench(config(WEB))
    bench.hear({A: UP, B: UP})
    bench.now += 5
    return bench


def explain(monkeypatch: pytest.MonkeyPatch, bench: Bench, *words: str) -> Result:
    def answer(_run_dir: Path, request: Request) -> Reply:
        if isinstance(request, EventsRequest):
            return EventsReply(1, (EventRow(1, 0.0, "info", "real_server_up", {"real_server": f"{A}:80"}),))
        return views.status(bench.director, bench.now)

    monkeypatch.setattr("lvsd.ctl.explain.asked", answer)
    return CliRunner().invoke(main, ["explain", *words])


def test_one_that_serves(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    lines = explain(monkeypatch, bench, A).stdout.splitlines()
    assert lines[:5] == [
        f"http (tcp 1.1.1.12:80): {A}:80 is serving, weight 10 in the kernel, 10 is wanted, 10 is configured.",
        "  Check tcp: up since 5.0s; 5.0s ago it found ok in 2.0 ms.",
        "  Probed every 5 s, 3 s at most; 3 failures in a row are needed for it to be down; 0 of 1 probes failed.",
        "",
        "What happened:",
    ]
    assert lines[5].endswith(f"real_server_up real_server={A}:80")


def test_a_program_gets_the_facts_of_the_one_it_asks_for(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    said = json.loads(explain(monkeypatch, bench, A, "--json").stdout)
    (service,) = said["services"]
    assert service["name"] == "http"
    assert [(row["real_server"], row["standing"]) for row in service["real_servers"]] == [(f"{A}:80", "serving")]
    assert [(event["event"], event["fields"]) for event in said["events"]] == [
        ("real_server_up", {"real_server": f"{A}:80"})
    ]


def test_one_that_is_kept(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    bench.hear({B: DOWN})
    bench.hear({A: DOWN}, Unhealthy(Reason.REFUSED, "Connection refused"))
    text = explain(monkeypatch, bench, f"{A}:80").stdout
    assert "is serving" in text
    assert "it is kept: without it fewer would be left than the floor" in text
    assert "The floor of 1 is broken: those that fail stay in service." in text
    assert "The quorum is lost: weight 0 is up, 1 is needed." in text
    assert "it found refused in 2.0 ms: Connection refused." in text
    assert "; 1 success is needed for it to be up;" in text


def test_what_people_said(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    bench.feed(OverridesSet({IDENTITY: Override(OverrideKind.DRAIN, 0, "disk", 0, bench.now, bench.now + 7200)}))
    bench.now += 5
    assert (
        "User 0 drained it: no new connections, 5.0s ago, for 1h59m more: disk."
        in explain(monkeypatch, bench, A).stdout
    )
    bench.feed(OverridesSet({IDENTITY: Override(OverrideKind.AWAIT, since=bench.now)}))
    assert "It failed 0.0s ago and waits until `lvsctl enable`" in explain(monkeypatch, bench, A).stdout
    bench.feed(OverridesSet({IDENTITY: None}))
    assert "It is back since not long and has 10 % of its weight yet." in explain(monkeypatch, bench, A).stdout
    bench.feed(MaintenanceSeen(frozenset({A})))
    assert "A file in the maintenance directory holds it out." in explain(monkeypatch, bench, A).stdout


def test_one_that_flaps(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    for state in (DOWN, UP, DOWN, UP):
        bench.hear({A: state})
    text = explain(monkeypatch, bench, A).stdout
    assert "is out, not in the kernel's table, none is wanted" in text
    assert "it is held out, as it failed too often of late" in text


def test_nobody_is_meant(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    found = explain(monkeypatch, bench, "1.1.1.1")
    assert found.exit_code == 1
    assert found.stderr == "lvsctl: no real server '1.1.1.1' (`lvsctl status` lists them)\n"


def test_what_the_rules_of_the_pool_say(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    bench.feed(OverridesSet({IDENTITY: Override(OverrideKind.DRAINED, 0, "disk", 0, bench.now)}))
    text = explain(monkeypatch, bench, A).stdout
    assert "User 0 drained it, and that is over: it is out, 0.0s ago, until `lvsctl enable`: disk." in text


def test_who_stands_by_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    spare = replace(real(B), priority_group=2)
    bench = Bench(config(virtual(real(A), spare)))
    bench.hear({A: UP, B: UP})
    text = explain(monkeypatch, bench, B).stdout
    assert "is standby" in text
    assert "It is of priority group 2, which serves when too few are up before it." in text


def test_a_service_withdrawn_below_its_floor_is_not_said_to_lack_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(config(replace(WEB, rules=PoolRules(Floor(Amount(2), FloorAction.WITHDRAW)))))
    bench.hear({A: UP, B: DOWN})
    text = explain(monkeypatch, bench, A).stdout
    assert "is out, not in the kernel's table" in text
    assert "The floor of 2 is broken: the quorum counts as lost; nobody serves." in text
    assert "weight 10 is up" not in text


@pytest.mark.parametrize("said", [OverridesSet({IDENTITY: Override(OverrideKind.DISABLE, since=100.0)}),
                                  OverridesSet({IDENTITY: Override(OverrideKind.AWAIT, since=100.0)}),
                                  MaintenanceSeen(frozenset({A}))])  # fmt: skip
def test_a_check_is_not_down_because_a_person_took_the_server_out(
    monkeypatch: pytest.MonkeyPatch, bench: Bench, said: Event
) -> None:
    bench.feed(said)
    text = explain(monkeypatch, bench, A).stdout
    assert "is out, not in the kernel's table" in text
    assert "Check tcp: up since 5.0s; 5.0s ago it found ok" in text
    assert "3 failures in a row are needed for it to be down" in text
    bench.hear({A: DOWN})
    assert "Check tcp: down since 0.0s" in explain(monkeypatch, bench, A).stdout


def test_a_drain_tells_when_it_ends_in_any_case(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    drain = Override(OverrideKind.DRAIN, 0, "disk", 0, bench.now, None, bench.now + 600)
    bench.feed(OverridesSet({IDENTITY: drain}))
    bench.now += 60
    assert (
        "drained it: no new connections, 1m00s ago, until `lvsctl enable`, out in 9m00s at the latest: disk."
        in explain(monkeypatch, bench, A).stdout
    )
    assert "drained 1m00s ago, out in 9m00s at the latest: disk;" in render.status(
        views.status(bench.director, bench.now)
    )


def test_checks_of_one_type_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    page, other = Check(HttpCheck(path="/health")), Check(HttpCheck(), port=8080, dial=Dial("1.1.1.2", 7))
    service = virtual(replace(real(A, check=page), further_checks=(other,)))
    bench = Bench(config(service))
    text = explain(monkeypatch, bench, A).stdout
    assert "Check http (/health): not probed yet." in text
    assert "Check http (port 8080, from 1.1.1.2, mark 7): not probed yet." in text
    bench.hear_check(A, 1, UP)
    bench.hear_check(A, 2, UP)
    assert "Check http (/health): up since 0.0s" in explain(monkeypatch, bench, A).stdout
    rows = render.status(views.status(bench.director, bench.now), every_check=True).splitlines()
    assert [row.split()[:2] for row in rows[2:4]] == [["http", "/health"], ["http", "port"]]


def test_a_check_that_follows_names_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    follower = virtual(real(A, check=Check(FollowCheck("http"))), port=81, name="follower")
    bench = Bench(config(virtual(real(A)), follower))
    bench.hear({A: UP})
    assert "Check follow (http): up since 0.0s" in explain(monkeypatch, bench, A).stdout


def test_the_newer_of_two_counts_is_told(bench: Bench) -> None:
    service = views.status(bench.director, bench.now).services[0]
    late = PhaseRow(9, 0.1, 0.1, 0.1, 0, (9,))
    newer = replace(service.real_servers[0], books=BooksRow({"refused": 2, "status": 1}, 0, {"late": late}))
    assert "; 3 of 9 probes failed." in explained(service, newer)
    halved = replace(newer, probes=90_000, failures=50)
    assert "; 50 of 90000 probes failed." in explained(service, halved)
