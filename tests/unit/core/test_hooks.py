"""Commands of the administrator's: each transition once, none for what has not changed, whatever restarts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from checkers.core.outcome import Reason, Unhealthy
from config.checks import Check, NoCheck
from lvsd.core.effects import Apply, RunCommand
from lvsd.core.events import ConfigChanged, MaintenanceSeen, StopAsked, TableSuspected, WorkerWent
from tests.unit.core.world import Bench, config, real, table, virtual

A, B, SPARE = "1.1.1.17", "1.1.1.18", "1.1.1.99"
UP, DOWN = State.UP, State.DOWN
HOOKED = replace(
    virtual(
        replace(real(A), on_up=("/bin/a", "up"), on_down=("/bin/a", "down")),
        replace(real(B), on_up=("/bin/b", "up"), on_down=("/bin/b", "down")),
    ),
    on_quorum_up=("/bin/q", "up"),
    on_quorum_down=("/bin/q", "down"),
)
A_UP, A_DOWN = "/bin/a up real_server_up", "/bin/a down real_server_down"
B_DOWN = "/bin/b down real_server_down"
Q_UP, Q_DOWN = "/bin/q up quorum_up", "/bin/q down quorum_down"


def test_a_real_server_that_comes_up_at_first_runs_nothing_and_the_quorum_its_own() -> None:
    bench = Bench(config(HOOKED))
    bench.hear({A: UP})
    assert bench.commands() == [Q_UP]
    bench.hear({B: UP})
    assert bench.commands() == []


def test_a_real_server_that_is_down_at_first_runs_its_command() -> None:
    bench = Bench(config(HOOKED))
    bench.hear({A: DOWN})
    assert bench.commands() == [A_DOWN]
    bench.hear({B: DOWN})
    assert bench.commands() == [B_DOWN, Q_DOWN]


def test_every_transition_runs_its_command_once_after_the_table_was_changed() -> None:
    bench = Bench(config(HOOKED))
    bench.hear({A: UP, B: UP})
    bench.hear({A: DOWN})
    assert bench.commands() == [A_DOWN]
    kinds = [type(effect) for effect in bench.effects]
    assert kinds.index(Apply) < kinds.index(RunCommand)
    bench.hear({A: DOWN})
    assert bench.commands() == []
    bench.hear({A: UP})
    assert bench.commands() == [A_UP]


def test_commands_of_one_service_share_a_lane_and_are_told_what_happened() -> None:
    bench = Bench(config(HOOKED))
    bench.hear({A: UP, B: DOWN}, Unhealthy(Reason.STATUS, "`rm -rf /`"))
    ran = [effect for effect in bench.effects if isinstance(effect, RunCommand)]
    assert {one.lane for one in ran} == {"tcp 1.1.1.12:80"}
    assert ran[0].environment == {
        "LVSD_EVENT": "real_server_down",
        "LVSD_STATE": "down",
        "LVSD_SERVICE": "http",
        "LVSD_VIRTUAL": "tcp 1.1.1.12:80",
        "LVSD_REAL_SERVER": "1.1.1.18:80",
        "LVSD_REASON": "status",
    }
    assert ran[1].environment == {
        "LVSD_EVENT": "quorum_up",
        "LVSD_STATE": "up",
        "LVSD_SERVICE": "http",
        "LVSD_VIRTUAL": "tcp 1.1.1.12:80",
    }


def test_a_lost_worker_and_a_flushed_table_run_nothing() -> None:
    bench = Bench(config(HOOKED))
    bench.hear({A: UP, B: DOWN})
    for event in (WorkerWent(), TableSuspected()):
        bench.kernel = {}
        bench.feed(event)
        assert bench.commands() == []
    bench.hear({A: UP, B: DOWN})
    assert bench.commands() == []


def test_a_restart_runs_nothing_again() -> None:
    bench = Bench(config(HOOKED))
    bench.hear({A: UP, B: DOWN})
    successor = bench.restarted()
    assert successor.commands() == []
    successor.hear({A: UP, B: DOWN})
    assert successor.commands() == []
    assert "real_server_up" not in successor.told()  # A served all the time
    successor.hear({B: UP})
    assert successor.commands() == ["/bin/b up real_server_up"]


def test_what_died_while_the_director_did_runs_its_commands() -> None:
    bench = Bench(config(HOOKED))
    bench.hear({A: UP, B: DOWN})
    successor = bench.restarted()
    successor.hear({A: DOWN, B: DOWN})
    assert successor.commands() == [A_DOWN, Q_DOWN]


def test_a_restart_beside_a_serving_fallback_runs_nothing_again() -> None:
    service = replace(HOOKED, fallback=(real(SPARE, check=Check(NoCheck())),))
    bench = Bench(config(service))
    bench.hear({A: DOWN, B: DOWN})
    successor = bench.restarted()
    successor.hear({A: DOWN, B: DOWN})
    assert successor.commands() == []
    successor.hear({A: UP})
    assert successor.commands() == [A_UP, Q_UP]


def test_a_restart_between_the_thresholds_runs_nothing() -> None:
    service = replace(HOOKED, quorum=2, hysteresis=1)
    bench = Bench(config(service), table((service, {A: 1, B: 1})), restarted=True)
    bench.hear({A: UP, B: UP})
    assert bench.commands() == []


def test_a_reload_runs_nothing_for_what_stays() -> None:
    bench = Bench(config(HOOKED))
    bench.hear({A: UP, B: DOWN})
    bench.feed(ConfigChanged(config(replace(HOOKED, name="renamed", scheduler="rr"))))
    assert bench.commands() == []


def test_a_real_server_that_a_reload_takes_away_leaves_if_it_served() -> None:
    bench = Bench(config(HOOKED))
    bench.hear({A: UP, B: DOWN})
    bench.feed(ConfigChanged(config(replace(HOOKED, real_servers=(real("1.1.1.20"),)))))
    assert bench.commands() == [A_DOWN]  # B had left before
    ran = [effect for effect in bench.effects if isinstance(effect, RunCommand)]
    assert ran[0].environment["LVSD_REASON"] == "removed"
    bench.feed(ConfigChanged(config(HOOKED)))
    bench.hear({A: UP})
    assert bench.commands() == []  # a newcomer


@pytest.mark.parametrize(("on_stop", "ran"), [(True, [A_DOWN, Q_DOWN]), (False, [])])
def test_a_stop_runs_the_commands_of_services_that_want_it(on_stop: bool, ran: list[str]) -> None:
    bench = Bench(config(replace(HOOKED, hooks_on_stop=on_stop)))
    bench.hear({A: UP, B: DOWN})
    bench.feed(StopAsked())
    assert bench.commands() == ran


def test_maintenance_runs_the_commands_of_a_server_that_leaves_and_comes_back() -> None:
    bench = Bench(config(HOOKED))
    bench.hear({A: UP, B: UP})
    bench.feed(MaintenanceSeen(frozenset({A})))
    assert bench.commands() == [A_DOWN]
    ran = [effect for effect in bench.effects if isinstance(effect, RunCommand)]
    assert ran[0].environment["LVSD_REASON"] == "maintenance"
    bench.feed(MaintenanceSeen(frozenset()))
    assert bench.commands() == [A_UP]


def test_a_real_server_that_is_never_probed_is_announced_by_nothing() -> None:
    service = virtual(replace(real(A, check=Check(NoCheck())), on_up=("/bin/a", "up")))
    bench = Bench(config(service))
    assert bench.commands() == []
    assert "real_server_up" not in bench.told()
