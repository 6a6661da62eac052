"""The floor through the director: who is kept, who serves, what is told and shown."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State, Verdicts
from checkers.core.outcome import Reason, Unhealthy
from config.checks import Check, NoCheck
from config.model import VirtualService
from config.pool_rules import Amount, Floor, FloorAction, PoolRules
from lvsd.core import views
from lvsd.core.effects import Level, Tell
from lvsd.core.events import ConfigChanged, MaintenanceSeen, TableSuspected, VerdictsHeard
from lvsd.core.floor import Member, judged
from lvsd.core.identity import real_id
from lvsd.ctl import render
from tests.unit.core.world import Bench, config, real, table, verdict, virtual

NAMES = tuple(f"10.0.0.{number}" for number in range(1, 11))
A, B, C, D = NAMES[:4]
SPARE = "10.0.0.99"
UP, DOWN = State.UP, State.DOWN


def ruled(names: tuple[str, ...], floor: Floor | None, *, fallback: bool = False, weight: int = 1) -> VirtualService:
    spare = (real(SPARE, check=Check(NoCheck())),) if fallback else ()
    service = virtual(*(real(name, weight) for name in names), fallback=spare)
    return replace(service, rules=PoolRules(floor))


def serving(bench: Bench, service: VirtualService) -> list[str]:
    found = [address for address, weight in bench.weights(service).items() if weight]
    return sorted(found, key=lambda address: int(address.rpartition(".")[2]))


@pytest.mark.parametrize(
    ("minimum", "kept"), [(Amount(2), 2), (Amount(50, percent=True), 2), (Amount(75, percent=True), 3)]
)
def test_the_last_that_fail_are_kept(minimum: Amount, kept: int) -> None:
    service = ruled(NAMES[:4], Floor(minimum))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:4], UP))
    for name in NAMES[:4]:
        bench.now += 1
        bench.hear({name: DOWN})
    assert serving(bench, service) == list(NAMES[4 - kept : 4])


def test_a_share_is_rounded_up() -> None:
    assert [Amount(50, percent=True).of(total) for total in (1, 2, 3, 10)] == [1, 1, 2, 5]


def test_pybals_example_ten_servers_and_a_half() -> None:
    service = ruled(NAMES, Floor(Amount(50, percent=True)))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES, UP))
    told = []
    for name in NAMES:
        bench.now += 1
        bench.hear({name: DOWN})
        told.append(("real_server_down" in bench.told(), "real_server_kept_by_floor" in bench.told()))
    assert told == [(True, False)] * 5 + [(False, True)] * 5
    assert serving(bench, service) == list(NAMES[5:])
    bench.hear(dict.fromkeys(NAMES[:4], UP))
    assert serving(bench, service) == [*NAMES[:4], *NAMES[5:]]  # four of five: nobody who is kept goes
    bench.hear({NAMES[4]: UP})
    assert serving(bench, service) == list(NAMES[:5])
    assert bench.told().count("real_server_down") == 5
    assert "floor_restored" in bench.told()


def test_failures_in_one_report_count_in_their_order() -> None:
    service = ruled(NAMES[:3], Floor(Amount(1)))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:3], UP))
    bench.hear(dict.fromkeys(NAMES[:3], DOWN))
    assert serving(bench, service) == [C]


def test_all_down_from_the_start_as_after_a_wrong_edit_of_the_check() -> None:
    service = ruled(NAMES[:4], Floor(Amount(50, percent=True)))
    bench = Bench(config(service))
    for name in NAMES[:3]:
        bench.hear({name: DOWN})
        assert serving(bench, service) == ([] if name != C else [C])  # one is unknown: it may still be up
    bench.hear({D: DOWN})
    assert serving(bench, service) == [C, D]


def test_who_serves_at_a_restart_and_is_down_is_judged_as_if_nothing_had_happened() -> None:
    service = ruled(NAMES[:4], Floor(Amount(2)))
    bench = Bench(config(service), table((service, {C: 1, D: 1})), restarted=True)
    bench.hear(dict.fromkeys(NAMES[:4], DOWN))
    assert serving(bench, service) == [C, D]
    assert bench.operations() == []


def test_after_a_restart_who_serves_and_was_not_probed_yet_counts_as_up() -> None:
    service = ruled(NAMES[:4], Floor(Amount(2)))
    bench = Bench(config(service), table((service, dict.fromkeys(NAMES[:4], 1))), restarted=True)
    bench.hear({A: DOWN})
    assert serving(bench, service) == [B, C, D]


def test_a_reload_does_not_forget_who_is_kept() -> None:
    service = ruled(NAMES[:4], Floor(Amount(2)))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:4], UP))
    bench.hear(dict.fromkeys(NAMES[:4], DOWN))
    bench.feed(ConfigChanged(config(service)))
    assert bench.operations() == []
    assert bench.told() == ["config_reloaded"]


def test_a_reload_forgets_services_and_rules_that_are_gone() -> None:
    service = ruled(NAMES[:2], Floor(Amount(1)))
    for newer in (virtual(real(A), real(B)), virtual(real(A), port=81)):
        bench = Bench(config(service))
        bench.hear({A: UP, B: UP})
        bench.hear({A: DOWN, B: DOWN})
        assert len(bench.director.pools) == 1
        bench.feed(ConfigChanged(config(newer)))
        assert bench.director.pools == {}
        assert "floor_restored" not in bench.told()


def test_who_is_called_back_though_it_fails_is_not_told_as_if_it_were_well() -> None:
    service = ruled(NAMES[:2], Floor(Amount(1)))
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    bench.hear({A: DOWN})
    bench.feed(MaintenanceSeen(frozenset({B})))
    (told,) = (one for one in bench.effects if isinstance(one, Tell) and one.event == "real_server_up")
    assert (told.fields["real_server"], told.fields["held"], told.fields["reason"]) == (f"{A}:80", "floor", "refused")
    assert told.fields["detail"] == "Connection refused"
    bench.hear({A: UP})
    assert bench.told()[:2] == ["floor_restored", "real_server_well_again"]
    bench.feed(MaintenanceSeen(frozenset()))
    (told,) = (one for one in bench.effects if isinstance(one, Tell) and one.event == "real_server_up")
    assert "held" not in told.fields


def test_who_is_let_go_for_another_is_not_well_again() -> None:
    service = ruled(NAMES[:2], Floor(Amount(1)))
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    bench.hear({A: DOWN})
    bench.now += 1
    bench.hear({B: DOWN})
    assert serving(bench, service) == [B]
    bench.hear({A: UP})
    assert serving(bench, service) == [A]
    assert "real_server_down" in bench.told()
    assert "real_server_well_again" not in bench.told()


def test_a_reload_that_raises_the_floor_calls_back() -> None:
    service = ruled(NAMES[:4], Floor(Amount(1)))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:4], UP))
    for name in (A, B, C):
        bench.now += 1
        bench.hear({name: DOWN})
    assert serving(bench, service) == [D]
    bench.feed(ConfigChanged(config(ruled(NAMES[:4], Floor(Amount(3))))))
    assert serving(bench, service) == [B, C, D]


def test_newcomers_unknown_let_nobody_go() -> None:
    service = ruled(NAMES[:2], Floor(Amount(50, percent=True)))
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    bench.feed(ConfigChanged(config(ruled(NAMES[:4], Floor(Amount(50, percent=True))))))
    bench.hear({A: DOWN})
    assert serving(bench, service) == [A, B]
    assert views.status(bench.director, bench.now).services[0].floor_broken == "keep"
    bench.hear({C: UP, D: UP})
    assert serving(bench, service) == [B, C, D]


def test_a_flushed_table_is_filled_again_with_as_many() -> None:
    service = ruled(NAMES[:4], Floor(Amount(2)))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:4], UP))
    bench.hear(dict.fromkeys(NAMES[:4], DOWN))
    bench.kernel = {}
    bench.feed(TableSuspected())
    assert serving(bench, service) == [C, D]


def test_who_is_in_maintenance_is_never_kept_and_others_come_back_for_it() -> None:
    service = ruled(NAMES[:4], Floor(Amount(2)))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:4], UP))
    bench.hear({A: DOWN, B: DOWN})
    assert serving(bench, service) == [C, D]
    bench.feed(MaintenanceSeen(frozenset({D})))
    assert serving(bench, service) == [B, C]
    bench.feed(MaintenanceSeen(frozenset()))
    assert serving(bench, service) == [C, D]


def test_a_server_without_weight_holds_no_floor() -> None:
    service = ruled(NAMES[:3], Floor(Amount(1)))
    service = replace(service, real_servers=(*service.real_servers[:2], real(C, 0)))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:3], UP))
    bench.hear({A: DOWN})
    bench.hear({B: DOWN})
    assert bench.weights(service) == {B: 1, C: 0}


def test_fail_open_has_all_serve_and_the_high_mark_ends_it() -> None:
    service = ruled(NAMES[:4], Floor(Amount(2), FloorAction.FAIL_OPEN, Amount(3)))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:4], UP))
    bench.hear({A: DOWN, B: DOWN})
    assert serving(bench, service) == [C, D]
    bench.hear({C: DOWN})
    assert serving(bench, service) == list(NAMES[:4])
    bench.hear({B: UP})
    assert serving(bench, service) == list(NAMES[:4])
    bench.hear({C: UP})
    assert serving(bench, service) == [B, C, D]


def test_keep_with_a_high_mark_keeps_until_then() -> None:
    service = ruled(NAMES[:4], Floor(Amount(2), restored=Amount(3)))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:4], UP))
    bench.hear({A: DOWN, B: DOWN, C: DOWN})
    assert serving(bench, service) == [C, D]
    bench.hear({B: UP})
    assert serving(bench, service) == [B, C, D]
    bench.hear({A: UP})
    assert serving(bench, service) == [A, B, D]


@pytest.mark.parametrize("restart", [False, True])
def test_sorry_has_the_fallback_serve_alone_until_the_high_mark(restart: bool) -> None:
    service = ruled(NAMES[:3], Floor(Amount(2), FloorAction.SORRY, Amount(3)), fallback=True)
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:3], UP))
    bench.hear({A: DOWN})
    assert serving(bench, service) == [B, C]
    bench.hear({B: DOWN})
    assert serving(bench, service) == [SPARE]
    assert "quorum_lost" in bench.told()
    if restart:
        bench = bench.restarted()
        bench.hear({C: UP})
    bench.hear({B: UP, A: DOWN})
    assert serving(bench, service) == [SPARE]
    bench.hear({A: UP})
    assert serving(bench, service) == [A, B, C]


def test_the_fallback_does_not_show_up_at_the_start() -> None:
    service = ruled(NAMES[:3], Floor(Amount(2), FloorAction.SORRY), fallback=True)
    bench = Bench(config(service))
    assert serving(bench, service) == []
    bench.hear({A: UP})
    assert serving(bench, service) == [A]


def test_withdraw_has_nobody_serve() -> None:
    service = ruled(NAMES[:3], Floor(Amount(2), FloorAction.WITHDRAW))
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:3], UP))
    bench.hear({A: DOWN, B: DOWN})
    assert serving(bench, service) == []
    assert "quorum_lost" in bench.told()
    bench.hear({B: UP})
    assert serving(bench, service) == [B, C]


def test_who_is_kept_makes_no_quorum() -> None:
    service = replace(ruled(NAMES[:3], Floor(Amount(2)), fallback=True), quorum=1)
    bench = Bench(config(service))
    bench.hear(dict.fromkeys(NAMES[:3], UP))
    bench.hear({A: DOWN, B: DOWN})
    assert serving(bench, service) == [B, C]
    bench.hear({C: DOWN})
    assert serving(bench, service) == [SPARE]


def test_it_is_told_once_and_shown() -> None:
    service = ruled(NAMES[:2], Floor(Amount(1)))
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    bench.hear({A: DOWN})
    bench.hear({B: DOWN}, Unhealthy(Reason.CONNECT_TIMEOUT, "no answer"))
    told = [one for one in bench.effects if isinstance(one, Tell)]
    assert [(one.level, one.event) for one in told] == [
        (Level.ERROR, "floor_broken"), (Level.WARNING, "real_server_kept_by_floor"), (Level.WARNING, "quorum_lost"),
    ]  # fmt: skip
    assert told[0].fields == {"service": "http", "floor": "1", "up": 0, "action": "keep"}
    assert told[1].fields["reason"] == "connect_timeout"
    bench.hear({B: DOWN})
    assert bench.told() == []
    reply = views.status(bench.director, bench.now)
    row = reply.services[0].real_servers[1]
    assert (row.standing, row.state, row.hold) == ("serving", "down", "floor")
    assert (reply.services[0].floor, reply.services[0].floor_broken, reply.services[0].weight_up) == ("1", "keep", 0)
    text = render.status(reply)
    assert "kept by floor; tcp refused" in text
    assert "http: the floor of 1 is broken: those that fail stay in service" in text


def test_between_the_marks_what_was_stays() -> None:
    members = [Member("a", UP), Member("b", UP), Member("c", DOWN), Member("d", DOWN)]
    floor = Floor(Amount(2), FloorAction.FAIL_OPEN, Amount(3))
    assert [judged(floor, members, broken=before).broken for before in (False, True)] == [False, True]


def test_who_failed_last_is_kept_however_late_it_is_heard_of() -> None:
    service = ruled(NAMES[:2], Floor(Amount(1)))
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    bench.now += 10
    found = [verdict(real_id(service, real(name)), DOWN, bench.now - age) for name, age in ((A, 1.0), (B, 4.0))]
    bench.feed(VerdictsHeard(Verdicts(bench.director.generation, tuple(found))))
    assert serving(bench, service) == [A]


def test_a_floor_that_nobody_can_reach_has_all_serve_who_may() -> None:
    service = ruled(NAMES[:2], Floor(Amount(5)))
    bench = Bench(config(service))
    bench.hear({A: UP, B: DOWN})
    assert serving(bench, service) == [A, B]


def test_a_fallback_found_serving_alone_says_nothing_of_a_floor_that_keeps() -> None:
    service = ruled(NAMES[:3], Floor(Amount(2), restored=Amount(3)), fallback=True)
    bench = Bench(config(service), table((service, {SPARE: 1})), restarted=True)
    bench.hear({A: UP, B: UP, C: DOWN})
    assert views.status(bench.director, bench.now).services[0].floor_broken == ""
    assert serving(bench, service) == [A, B]
