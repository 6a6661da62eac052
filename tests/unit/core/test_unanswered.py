"""Clients that are not answered: what counters tell, and what follows for a real server whose checks pass."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from checkers.core.messages import State, Verdicts
from config.checks import Check, TcpCheck, Timing
from config.model import VirtualService
from config.pool_rules import Amount, Floor, HoldDown, Passive, PassiveAction, PoolRules
from lvsd.core import unanswered, views
from lvsd.core.effects import HurryChecks, Tell
from lvsd.core.events import ClientsSeen, ConfigChanged, Ticked, VerdictsHeard
from lvsd.core.identity import check_id, real_id, service_key
from lvsd.core.passive import Finding, Sample, Seen, confirmed, kept, seen
from lvsd.ctl import render
from tests.unit.core.world import Bench, config, real, virtual
from tests.unit.core.world import verdict as verdict_of

A, B = "1.1.1.17", "1.1.1.18"
UP, DOWN = State.UP, State.DOWN
ANSWERED, UNANSWERED, QUIET = Finding.ANSWERED, Finding.UNANSWERED, Finding.QUIET
RULE = Passive(connections=10, window=5.0)


def of_two(action: PassiveAction = PassiveAction.FAIL, fall: int = 1, **more: object) -> VirtualService:
    check = Check(TcpCheck(), Timing(fall=fall))
    rules = PoolRules(passive=Passive(10, 5.0, action), **more)  # type: ignore[arg-type]  # the keys are PoolRules's
    return replace(virtual(real(A, check=check), real(B, check=check)), rules=rules)


def started(service: VirtualService) -> Bench:
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    bench.now += 100
    return bench


def look(bench: Bench, a: Finding = UNANSWERED, b: Finding = ANSWERED, seconds: float = 2.5) -> list[str]:
    """Half a window later this is seen; what was told."""
    bench.now += seconds
    (service,) = bench.director.config.services
    names = [real_id(service, one) for one in service.real_servers]
    found = {name: Seen(finding, 12) for name, finding in zip(names, (a, b), strict=True)}
    bench.feed(ClientsSeen({service_key(service.virtual): found}))
    return bench.told()


def hurried(bench: Bench) -> list[str]:
    return [name for one in bench.effects if isinstance(one, HurryChecks) for name in one.checks]


def test_it_is_probed_at_once_and_told_once() -> None:
    service = of_two(PassiveAction.PROBE)
    bench = started(service)
    assert look(bench) == ["real_server_suspect"]
    (told,) = (one for one in bench.effects if isinstance(one, Tell))
    assert told.fields == {
        "service": "http", "real_server": f"{A}:80", "connections": 12, "window": 5.0, "action": "probe",
    }  # fmt: skip
    assert hurried(bench) == [real_id(service, service.real_servers[0])]
    assert look(bench) == []
    assert hurried(bench)
    for _ in range(20):
        look(bench)
    assert bench.weights(service) == {A: 1, B: 1}
    assert look(bench, ANSWERED) == ["real_server_not_suspect"]
    assert hurried(bench) == []
    assert bench.director.pools == {}


def test_with_fail_it_is_one_failure_and_its_place_is_lost() -> None:
    service = of_two()
    bench = started(service)
    assert look(bench) == ["real_server_suspect", "real_server_down", "table_changed"]
    down = next(one for one in bench.effects if isinstance(one, Tell) and one.event == "real_server_down")
    assert down.fields["reason"] == "unanswered"
    assert bench.weights(service) == {B: 1}


def test_each_whole_window_is_a_failure_beside_the_checks_own() -> None:
    service = of_two(fall=3)
    bench = started(service)
    outs = []
    for _ in range(5):
        look(bench)
        outs.append(A not in bench.weights(service))
    assert outs == [False, False, False, False, True]  # 0, 5 and 10 seconds
    bench = started(service)
    contradicted = verdict_of(check_id(service, service.real_servers[0]), UP, bench.now)
    bench.feed(VerdictsHeard(Verdicts(1, (replace(contradicted, streak=2),))))
    look(bench)
    assert bench.weights(service) == {B: 1}


def test_it_comes_back_when_the_hold_is_over_and_stays_out_longer_each_time() -> None:
    service = of_two()
    bench = started(service)
    held = []
    for _ in range(4):
        look(bench)
        began = bench.now
        while A not in bench.weights(service):
            look(bench, QUIET, seconds=1.0)
            bench.feed(Ticked())
        held.append(bench.now - began)
    assert held == [30, 60, 120, 240]


def test_hold_down_says_how_long() -> None:
    bench = started(of_two(hold_down=HoldDown(10.0)))
    look(bench)
    bench.now += 9.9
    bench.feed(Ticked())
    assert "real_server_up" not in bench.told()
    bench.now += 0.2
    bench.feed(Ticked())
    assert "real_server_up" in bench.told()


def test_where_nobody_is_answered_nobody_fails() -> None:
    service = of_two()
    bench = started(service)
    for other in (UNANSWERED, QUIET):
        look(bench, UNANSWERED, other)
        assert bench.weights(service) == {A: 1, B: 1}
    assert hurried(bench)


def test_the_floor_keeps_it_and_the_last_one_stays() -> None:
    service = of_two(floor=Floor(Amount(2)))
    bench = started(service)
    assert "real_server_kept_by_floor" in look(bench)
    assert bench.weights(service) == {A: 1, B: 1}


def test_a_check_that_fails_has_the_word() -> None:
    service = of_two()
    bench = started(service)
    look(bench)
    bench.hear({A: DOWN})
    bench.now += 31
    bench.feed(Ticked())
    assert bench.weights(service) == {B: 1}
    bench.hear({A: UP})
    assert bench.weights(service) == {A: 1, B: 1}


def test_without_clients_the_doubt_ends() -> None:
    bench = started(of_two(PassiveAction.PROBE))
    look(bench)
    assert look(bench, QUIET, seconds=unanswered.FORGET_WINDOWS * RULE.window) == []
    assert look(bench, QUIET, seconds=1) == ["real_server_not_suspect"]


def test_a_reload_without_the_rule_ends_it() -> None:
    service = of_two()
    bench = started(service)
    look(bench)
    bench.feed(ConfigChanged(config(replace(service, rules=PoolRules()))))
    assert bench.weights(service) == {A: 1, B: 1}
    assert bench.director.pools == {}
    assert look(bench) == []


def test_it_is_shown() -> None:
    bench = started(of_two(PassiveAction.PROBE))
    look(bench)
    assert "clients are not answered; tcp ok" in render.status(views.status(bench.director, bench.now))
    bench = started(of_two())
    look(bench)
    row = views.status(bench.director, bench.now).services[0].real_servers[0]
    assert (row.standing, row.state, row.hold, row.unanswered) == ("out", "up", "unanswered", False)
    assert "held out, clients are not answered; tcp ok" in render.status(views.status(bench.director, bench.now))


def samples(
    connections: int, packets: int, size: float, *, packets_out: int = 0, span: float = 5.0
) -> tuple[Sample, ...]:
    begin = Sample(100.0, 1000, 5000, 7, 900_000)
    return begin, Sample(
        100.0 + span, 1000 + connections, 5000 + packets, 7 + packets_out, 900_000 + int(packets * size)
    )


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (samples(10, 25, 60), Finding.DOUBTFUL),  # SYNs and their repeats
        (samples(10, 10, 52), Finding.DOUBTFUL),  # a system that sends fewer options
        (samples(9, 25, 60), QUIET),
        (samples(0, 0, 0), QUIET),
        (samples(10, 60, 90), ANSWERED),  # conversations
        (samples(10, 10, 40), ANSWERED),  # bare SYNs: no system's
        (samples(1, 6, 90), ANSWERED),
        (samples(10, 5, 60), QUIET),  # counters that cannot be
        (samples(10, 25, 60, span=3.0), QUIET),
        (samples(10, 25, 60, span=11.0), QUIET),
    ],
)
def test_what_counters_tell(found: tuple[Sample, ...], wanted: Finding) -> None:
    assert seen(RULE, found, masquerade=False, ipv6=False).finding is wanted


def test_ipv6_has_a_longer_header() -> None:
    assert seen(RULE, samples(10, 25, 80), masquerade=False, ipv6=True).finding is Finding.DOUBTFUL
    assert seen(RULE, samples(10, 25, 80), masquerade=False, ipv6=False).finding is ANSWERED


def test_with_masquerading_the_servers_silence_is_proof() -> None:
    assert seen(RULE, samples(10, 25, 60), masquerade=True, ipv6=False).finding is UNANSWERED
    assert seen(RULE, samples(10, 25, 60, packets_out=1), masquerade=True, ipv6=False).finding is ANSWERED


def test_the_connection_table_has_the_last_word() -> None:
    doubtful = seen(RULE, samples(20, 50, 60), masquerade=False, ipv6=False)
    assert confirmed(doubtful, 18).finding is UNANSWERED
    assert confirmed(doubtful, 17).finding is QUIET  # two may have been read too late: nobody is a witness for that
    assert confirmed(doubtful, 11).finding is QUIET
    assert confirmed(doubtful, 10).finding is ANSWERED


def test_counters_that_go_back_begin_anew() -> None:
    begin, end = samples(10, 25, 60)
    assert kept((begin,), end) == (begin, end)
    assert kept((end,), begin) == (begin,)
    assert kept((begin,), replace_at(end, packets_in=0)) == (replace_at(end, packets_in=0),)


def replace_at(sample: Sample, **changes: int) -> Sample:

    return dataclasses.replace(sample, **changes)
