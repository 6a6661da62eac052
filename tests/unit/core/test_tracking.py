"""Scripts, files, processes and services: what they add to a priority, when they are a fault, and when nobody knows."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from config.model import (
    AnyTrack,
    TrackedFile,
    TrackedInterface,
    TrackedProcess,
    TrackedRoute,
    TrackedScript,
    TrackedService,
)
from lvsd.control.messages import TrackRow
from lvsd.core import tracked_services
from lvsd.core.effects import ConfigureVrrp, InstructNotify, Level, Tell, WeighVrrp
from lvsd.core.events import ConfigChanged, ScriptHeard, TracksSeen, VrrpCame, VrrpWent
from lvsd.core.tracked_scripts import PATIENCE_SECONDS, wanted
from lvsd.core.tracking import HOLD_SECONDS
from lvsd.core.views import vrrp
from lvsd.vrrp.messages import NearTrack, Role, Weight
from tests.unit.core.vrrp_world import config, connected, instance, report, result, role, sent, status, ticks, weight
from tests.unit.core.world import Bench, real, table, virtual

A, B = "1.1.1.17", "1.1.1.18"
UP, DOWN = State.UP, State.DOWN
WEB = virtual(real(A), real(B), name="web")


def script(weight: int = 0, *, rise: int = 1, fall: int = 1, name: str = "chk", timeout: float = 1.0) -> TrackedScript:
    return TrackedScript(weight, name, ("/usr/bin/chk", "secret"), 1.0, timeout, rise, fall, "")


def tracked(*tracks: AnyTrack, restarted: bool = False) -> Bench:
    return connected(config(instance(*tracks)), restarted=restarted)


@pytest.mark.parametrize(
    ("configured", "unheard", "good", "bad"),
    [
        (0, Weight("lb0", 0, "script chk: no result yet"), Weight("lb0"), Weight("lb0", 0, "script chk: status 3")),
        (20, Weight("lb0"), Weight("lb0", 20), Weight("lb0")),
        (-20, Weight("lb0"), Weight("lb0"), Weight("lb0", -20)),
    ],
)
def test_a_script_counts_as_its_weight_says(configured: int, unheard: Weight, good: Weight, bad: Weight) -> None:
    bench = tracked(script(configured))
    assert weight(bench) == unheard
    for code, expected in ((3, bad), (0, good), (3, bad)):
        before = weight(bench)
        effects = result(bench, code)
        assert weight(bench) == expected
        assert sent(effects) == ([(expected,)] if before != expected else [])
        assert sent(result(bench, code)) == []


def test_rise_and_fall_count_results_in_a_row_and_the_first_counts_alone() -> None:
    bench = tracked(script(rise=2, fall=3))
    result(bench, 0)
    assert not weight(bench).fault
    for code in (1, 1, 0, 1, 1):
        result(bench, code)
        assert not weight(bench).fault
    result(bench, 1)
    assert weight(bench).fault == "script chk: status 1"
    result(bench, 0)
    assert weight(bench).fault
    result(bench, 0)
    assert not weight(bench).fault


def test_a_result_that_is_said_again_does_not_count_again() -> None:
    bench = tracked(script(fall=2))
    result(bench, 0)
    result(bench, 1)
    name = wanted(bench.director.config)[0].id
    bench.feed(ScriptHeard(name, 1, bench.now))
    assert not weight(bench).fault
    bench.feed(ScriptHeard(name, 1, bench.now + 0.1))
    assert weight(bench).fault


@pytest.mark.parametrize(
    ("code", "timed_out", "words"),
    [(0, True, "timed out"), (-9, False, "ended by signal 9"), (127, False, "status 127")],
)
def test_a_fault_tells_how_the_script_ended(code: int, timed_out: bool, words: str) -> None:
    bench = tracked(script())
    result(bench, code, timed_out=timed_out)
    assert weight(bench).fault == f"script chk: {words}"


def test_one_run_serves_all_who_track_it_each_counting_in_its_own_way() -> None:
    one, other = instance(script(fall=2), name="a"), instance(script(-9), name="b", number=2)
    bench = connected(config(one, other))
    (order,) = [effect for effect in Bench(config(one, other)).effects if isinstance(effect, InstructNotify)]
    assert [(one.argv, one.user) for one in order.scripts] == [(("/usr/bin/chk", "secret"), "root")]
    assert "secret" not in order.scripts[0].id
    result(bench, 0)
    result(bench, 1)
    assert (weight(bench, "a"), weight(bench, "b")) == (Weight("a"), Weight("b", -9))
    result(bench, 1)
    assert weight(bench, "a").fault


def test_a_dead_helper_keeps_nobody_out_for_ever() -> None:
    bench = tracked(script(timeout=2.0, fall=3))
    ticks(bench, PATIENCE_SECONDS + 5)
    assert weight(bench).fault
    effects = ticks(bench, 1)
    assert weight(bench) == Weight("lb0")
    assert [event for event in bench.told() if event == "tracked_script_not_heard"]
    assert sent(effects) == [(Weight("lb0"),)]
    ticks(bench, 60)
    assert "tracked_script_not_heard" not in bench.told()
    result(bench, 1)  # the first result counts alone, whenever it comes
    assert weight(bench).fault


def test_a_helper_that_dies_later_takes_no_address_away() -> None:
    bench = tracked(script())
    result(bench, 0)
    assert sent(ticks(bench, 600)) == []


def test_who_follows_a_dead_director_says_nothing_before_it_knows_everything() -> None:
    tracks = (script(), script(-5, name="other"), TrackedFile(0, "/run/x"))
    bench = tracked(*tracks, restarted=True)
    assert sent(bench.effects) == []
    assert any(isinstance(effect, ConfigureVrrp) for effect in bench.effects)
    assert sent(result(bench, 0)) == []
    assert sent(result(bench, 1, name="other")) == []
    assert sent(bench.feed(TracksSeen({"/run/x": "0"}, {}))) == [(Weight("lb0", -5),)]


def test_who_follows_a_dead_director_waits_for_verdicts_but_not_for_ever() -> None:
    made = config(instance(TrackedService(0, "web")), services=(WEB,))
    bench = Bench(made, table((WEB, {A: 1, B: 1})), restarted=True)
    bench.feed(VrrpCame())
    assert sent(bench.effects) == []
    assert sent(ticks(bench, HOLD_SECONDS - 1)) == []
    assert sent(ticks(bench, 1)) == [(Weight("lb0"),)]
    bench = Bench(made, table((WEB, {A: 1, B: 1})), restarted=True)
    bench.feed(VrrpCame())
    assert sent(bench.hear({A: UP})) == [(Weight("lb0"),)]


def test_all_of_it_is_said_again_to_a_new_vrrp_process_before_its_instances() -> None:
    bench = tracked(script())
    result(bench, 1)
    bench.feed(VrrpWent())
    assert sent(result(bench, 0)) == []
    effects = bench.feed(VrrpCame())
    kinds = [type(effect) for effect in effects]
    assert kinds.index(WeighVrrp) < kinds.index(ConfigureVrrp)
    assert sent(effects) == [(Weight("lb0"),)]


def test_a_new_script_of_an_instance_that_runs_counts_as_good_until_it_is_heard() -> None:
    bench = connected(config(instance()))
    bench.feed(ConfigChanged(config(instance(script()), instance(script(name="late"), name="new", number=2))))
    assert weight(bench) == Weight("lb0")
    assert weight(bench, "new").fault == "script late: no result yet"
    result(bench, 1)
    assert weight(bench).fault


def test_what_is_known_survives_a_reload_that_leaves_it_alone() -> None:
    bench = tracked(script(fall=2), TrackedFile(2, "/run/x"))
    result(bench, 0)
    result(bench, 1)
    bench.feed(TracksSeen({"/run/x": "3"}, {}))
    before = bench.director.tracking.weights
    changed = config(replace(instance(script(fall=2), TrackedFile(2, "/run/x")), priority=90))
    effects = bench.feed(ConfigChanged(changed))
    assert sent(effects) == []
    assert not [effect for effect in effects if isinstance(effect, InstructNotify)]
    assert bench.director.tracking.weights == before == (Weight("lb0", 6),)
    result(bench, 1)
    assert weight(bench).fault


def test_what_is_tracked_no_more_weighs_no_more() -> None:
    bench = tracked(script(-20))
    result(bench, 1)
    effects = bench.feed(ConfigChanged(config(instance())))
    assert sent(effects) == [()]
    assert [effect for effect in effects if isinstance(effect, InstructNotify)] == [InstructNotify((), ())]


@pytest.mark.parametrize(
    ("configured", "text", "expected"),
    [
        (2, "7\n", Weight("lb0", 14)),
        (-2, " +7 ", Weight("lb0", -14)),
        (253, "-1", Weight("lb0", -253)),
        (127, "-2", Weight("lb0", 0, "file /run/x: -2")),
        (253, "9", Weight("lb0", 253)),
        (0, "0", Weight("lb0")),
        (0, "-1", Weight("lb0", 0, "file /run/x: -1")),
    ],
)
def test_a_file_holds_a_number(configured: int, text: str, expected: Weight) -> None:
    bench = tracked(TrackedFile(configured, "/run/x"))
    assert weight(bench) == Weight("lb0")
    bench.feed(TracksSeen({"/run/x": text}, {}))
    assert weight(bench) == expected


@pytest.mark.parametrize("text", [None, "", "many", "1 2", "9" * 10, "1.5", "٣"])
def test_a_file_without_a_number_leaves_the_last_and_is_told_once(text: str | None) -> None:
    bench = tracked(TrackedFile(1, "/run/x"))
    bench.feed(TracksSeen({"/run/x": "5"}, {}))
    bench.feed(TracksSeen({"/run/x": text}, {}))
    assert weight(bench) == Weight("lb0", 5)
    assert bench.told() == ["tracked_file_without_number"]
    bench.feed(TracksSeen({"/run/x": text}, {"other": 1}))
    assert bench.told() == []


def test_processes_are_counted() -> None:
    bench = tracked(TrackedProcess(0, "haproxy", 2), TrackedProcess(5, "nginx"))
    bench.feed(TracksSeen({}, {"haproxy": 2, "nginx": 1}))
    assert weight(bench) == Weight("lb0", 5)
    bench.feed(TracksSeen({}, {"haproxy": 1, "nginx": 0}))
    assert weight(bench) == Weight("lb0", 0, "process haproxy: 1 of 2 run")
    assert bench.told() == ["vrrp_weighed"]


def served(track: TrackedService, standing: Role = Role.BACKUP) -> Bench:
    bench = connected(config(instance(track), services=(WEB,)))
    role(bench, standing)
    bench.hear({A: UP, B: UP})
    return bench


def test_an_active_balancer_forgives_for_a_while_and_another_says_so_at_once() -> None:
    active, backup = served(TrackedService(0, "web", 3.0), Role.ACTIVE), served(TrackedService(0, "web", 3.0))
    assert sent(active.hear({A: DOWN, B: DOWN})) == []
    assert sent(backup.hear({A: DOWN, B: DOWN})) == [(Weight("lb0", -253),)]
    assert sent(ticks(active, 2)) == []
    assert sent(ticks(active, 1)) == [(Weight("lb0", -253),)]
    assert sent(active.hear({A: UP})) == [(Weight("lb0"),)]
    assert sent(backup.hear({A: UP})) == []
    assert sent(ticks(backup, 2)) == []
    assert sent(ticks(backup, 1)) == [(Weight("lb0"),)]


def test_what_gets_better_in_time_was_nothing() -> None:
    bench = served(TrackedService(0, "web", 3.0), Role.ACTIVE)
    for _ in range(5):
        bench.hear({A: DOWN, B: DOWN})
        ticks(bench, 2)
        bench.hear({A: UP})
    assert weight(bench) == Weight("lb0")


@pytest.mark.parametrize(
    ("track", "gained", "lost"),
    [
        (TrackedService(0, "web", 0.0), 0, -253),
        (TrackedService(30, "web", 0.0), 30, 0),
        (TrackedService(-30, "web", 0.0), 0, -30),
        (TrackedService(-30, "web", 0.0, 5), -5, -40),
        (TrackedService(0, "web", 0.0, 5), -5, -263),
        (TrackedService(30, "web", 0.0, 5), 25, -10),
    ],
)
def test_a_service_weighs_by_its_quorum_and_by_each_real_server(track: TrackedService, gained: int, lost: int) -> None:
    bench = served(track, Role.ACTIVE)
    bench.hear({A: DOWN})
    assert weight(bench) == Weight("lb0", gained)
    bench.hear({B: DOWN})
    assert weight(bench) == Weight("lb0", lost)


def test_a_real_server_that_nobody_has_asked_yet_is_not_missing() -> None:
    bench = connected(config(instance(TrackedService(0, "web", 0.0, 5)), services=(WEB,)))
    bench.hear({A: UP})
    assert weight(bench) == Weight("lb0")
    bench.hear({B: DOWN})
    assert weight(bench) == Weight("lb0", -5)


def test_a_reload_does_not_hurry_what_waits() -> None:
    bench = served(TrackedService(0, "web", 3.0), Role.ACTIVE)
    bench.hear({A: DOWN, B: DOWN})
    assert sent(bench.feed(ConfigChanged(bench.director.config))) == []
    assert weight(bench) == Weight("lb0")
    assert sent(ticks(bench, 3)) == [(Weight("lb0", -253),)]


def test_a_new_instance_does_not_make_a_known_one_wait_for_the_script_of_both() -> None:
    bench = connected(config(instance(name="known")))
    shared = instance(script(), name="new", number=2), instance(script(), name="known")
    bench.feed(ConfigChanged(config(*shared)))
    assert weight(bench, "known") == Weight("known")


def test_an_interface_is_not_our_matter() -> None:
    bench = connected(config(instance(TrackedInterface(-5, "eth1"))))
    assert bench.director.tracking.weights == ()
    assert sent(ticks(bench, 5)) == []
    assert vrrp(bench.director, bench.now).instances[0].tracks == ()


def test_what_is_tracked_is_shown() -> None:
    tracks = (script(-20), TrackedFile(2, "/run/x"), TrackedProcess(0, "nginx"), TrackedService(0, "web"))
    bench = connected(config(instance(*tracks), services=(WEB,)))
    result(bench, 1)
    bench.feed(TracksSeen({"/run/x": "4"}, {"nginx": 0}))
    report(bench, status("lb0", Role.BACKUP))
    rows = vrrp(bench.director, bench.now).instances[0].tracks
    assert [(one.kind, one.name, one.state, one.weight, one.fault) for one in rows] == [
        ("script", "chk", "bad", -20, ""),
        ("file", "/run/x", "4", 8, ""),
        ("process", "nginx", "bad", 0, "process nginx: 0 of 1 run"),
        ("service", "web", "unknown", 0, ""),
    ]
    bench.hear({A: DOWN, B: DOWN})
    assert vrrp(bench.director, bench.now).instances[0].tracks[3].state == "bad"


def test_what_changes_is_told_with_what_is_bad() -> None:
    bench = tracked(script(-20), TrackedFile(1, "/run/x"))
    result(bench, 1)
    (told,) = [effect for effect in bench.effects if isinstance(effect, Tell)]
    assert told.level is Level.WARNING
    assert told.fields == {"instance": "lb0", "weight": -20, "fault": "", "because": "chk"}
    result(bench, 0)
    (told,) = [effect for effect in bench.effects if isinstance(effect, Tell)]
    assert told.level is Level.INFO


def test_an_inverted_script_is_good_while_it_fails_and_before_it_was_heard() -> None:
    bench = tracked(replace(script(), inverted=True))
    assert weight(bench).fault == "script chk: no result yet"
    result(bench, 0)
    assert weight(bench).fault == "script chk: status 0"
    result(bench, 1)
    assert not weight(bench).fault
    weighing = tracked(replace(script(-20), inverted=True))
    for code, delta in ((0, -20), (1, 0)):
        result(weighing, code)
        assert weight(weighing).delta == delta


def test_an_inverted_script_that_comes_by_a_reload_or_is_never_heard_counts_as_good() -> None:
    inverted = replace(script(), inverted=True)
    bench = connected(config(instance()))
    bench.feed(ConfigChanged(config(instance(inverted))))
    assert not weight(bench).fault
    waiting = tracked(inverted)
    ticks(waiting, PATIENCE_SECONDS + 5)
    assert not weight(waiting).fault


def test_inverted_files_and_processes() -> None:
    bench = tracked(TrackedFile(0, "/run/x", inverted=True), TrackedFile(2, "/run/y", inverted=True))
    assert weight(bench) == Weight("lb0")
    bench.feed(TracksSeen({"/run/x": "0", "/run/y": "5"}, {}))
    assert weight(bench) == Weight("lb0", -10, "file /run/x: 0")
    bench.feed(TracksSeen({"/run/x": "1", "/run/y": "-5"}, {}))
    assert weight(bench) == Weight("lb0", 10)
    process = tracked(TrackedProcess(0, "nginx", inverted=True))
    assert not weight(process).fault
    process.feed(TracksSeen({}, {"nginx": 1}))
    assert weight(process).fault == "process nginx: 1 of 1 run"
    process.feed(TracksSeen({}, {"nginx": 0}))
    assert not weight(process).fault


def test_an_inverted_service_yields_while_it_is_well() -> None:
    found = {True: 0, False: 0}
    for gained in found:
        track = TrackedService(-20, "web", inverted=True)
        found[gained] = tracked_services.worth(track, tracked_services.Sight(gained, 0)) or 0
    assert found == {True: -20, False: 0}


def test_interfaces_and_routes_are_shown_as_the_vrrp_process_reports_them() -> None:
    bench = connected(config(instance(TrackedInterface(-5, "eth1"), TrackedRoute(0, "10.0.0.0/8"))))
    near = (
        NearTrack("interface", "eth1", good=True, delta=0, words="up"),
        NearTrack("route", "10.0.0.0/8", good=False, delta=0, words="tracked route 10.0.0.0/8 is missing", bad=True),
    )
    report(bench, replace(status("lb0", Role.BACKUP), near=near))
    assert vrrp(bench.director, bench.now).instances[0].tracks == (
        TrackRow("interface", "eth1", "good", 0, ""),
        TrackRow("route", "10.0.0.0/8", "bad", 0, "tracked route 10.0.0.0/8 is missing"),
    )
