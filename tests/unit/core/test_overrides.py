"""A person's word on real servers: drained, disabled, weighed, refused below the floor, ended."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from config.checks import Check, NoCheck
from config.model import Config, VirtualService
from config.pool_rules import Amount, Floor, PoolRules
from config.words import OnFailure
from lvsd.core import overrides, views
from lvsd.core.director import step
from lvsd.core.effects import Effect, RememberOverrides, Tell
from lvsd.core.events import ConfigChanged, OverridesSet, Started, Ticked
from lvsd.core.overrides import Asked, Refused
from lvsd.core.pool_state import Override, OverrideKind
from lvsd.core.state import Director
from lvsd.ctl import render
from tests.unit.core.world import Bench, config, real, table, virtual

A, B, C, SPARE = "1.1.1.17", "1.1.1.18", "1.1.1.19", "1.1.1.30"
UP, DOWN = State.UP, State.DOWN
DRAIN, DISABLE, WEIGHT = OverrideKind.DRAIN, OverrideKind.DISABLE, OverrideKind.WEIGHT
WEB = virtual(real(A, 3), real(B, 3), real(C, 3))
IDENTITY = f"tcp 1.1.1.12:80 > {A}:80"


def asked(address: str = A, kind: OverrideKind | None = DRAIN, **more: object) -> Asked:
    return Asked(address, kind, 0, **more)  # type: ignore[arg-type]  # the keys are Asked's


def say(bench: Bench, said: Asked) -> list[Effect]:
    found = overrides.decided(bench.director, said, bench.now)
    assert not isinstance(found, Refused), found
    return bench.feed(OverridesSet(found))


def refusal(bench: Bench, said: Asked) -> str:
    found = overrides.decided(bench.director, said, bench.now)
    assert isinstance(found, Refused)
    return f"{found.message} ({found.hint})"


def all_up(service: VirtualService = WEB, *more: VirtualService) -> Bench:
    bench = Bench(config(service, *more))
    bench.hear({A: UP, B: UP, C: UP})
    return bench


def test_drained_it_stays_without_weight_and_comes_back() -> None:
    bench = all_up()
    say(bench, asked(reason="new kernel", weight=5))
    assert bench.weights(WEB) == {A: 0, B: 3, C: 3}
    assert bench.told() == ["override_set", "table_changed"]
    say(bench, asked(kind=None))
    assert bench.weights(WEB) == {A: 3, B: 3, C: 3}
    assert bench.told() == ["override_ended", "table_changed"]


def test_drained_and_dead_it_leaves() -> None:
    bench = all_up()
    say(bench, asked())
    bench.hear({A: DOWN})
    assert bench.weights(WEB) == {B: 3, C: 3}
    bench.hear({A: UP})
    assert bench.weights(WEB) == {A: 0, B: 3, C: 3}


@pytest.mark.parametrize(
    ("on_failure", "left"), [(OnFailure.REMOVE, {B: 3, C: 3}), (OnFailure.QUIESCE, {A: 0, B: 3, C: 3})]
)
def test_disabled_it_is_out_as_if_it_had_failed(on_failure: OnFailure, left: dict[str, int]) -> None:
    service = replace(WEB, on_failure=on_failure)
    bench = all_up(service)
    say(bench, asked(kind=DISABLE))
    assert bench.weights(service) == left
    assert bench.told() == ["override_set", "table_changed"]
    bench.hear({A: DOWN})
    assert bench.told() == []
    bench.hear({A: UP})
    say(bench, asked(kind=None))
    assert bench.told() == ["override_ended", "real_server_up", "table_changed"]


def test_a_weight_counts_while_it_is_up() -> None:
    bench = all_up()
    say(bench, asked(kind=WEIGHT, weight=7))
    assert bench.weights(WEB) == {A: 7, B: 3, C: 3}
    bench.hear({A: DOWN})
    assert bench.weights(WEB) == {B: 3, C: 3}


def test_a_weight_overrides_what_the_server_asks_for() -> None:
    bench = all_up()
    bench.hear_check(A, 1, UP, weight=9)
    assert bench.weights(WEB)[A] == 9
    say(bench, asked(kind=WEIGHT, weight=2))
    assert bench.weights(WEB)[A] == 2


def test_the_last_word_counts() -> None:
    bench = all_up()
    say(bench, asked(kind=WEIGHT, weight=7))
    say(bench, asked())
    say(bench, asked(kind=None))
    assert bench.weights(WEB)[A] == 3


@pytest.mark.parametrize(
    ("name", "service", "drained"),
    [
        (A, "", ["http", "other"]),
        (f"{A}:80", "", ["http", "other"]),
        (A, "other", ["other"]),
        (A, "1.1.1.12:81", ["other"]),
        (A, "tcp 1.1.1.12:81", ["other"]),
    ],
)
def test_who_is_meant(name: str, service: str, drained: list[str]) -> None:
    other = virtual(real(A, 3), real(B, 3), port=81, name="other")
    bench = all_up(WEB, other)
    say(bench, asked(name, service=service))
    assert [one.name for one in (WEB, other) if bench.weights(one)[A] == 0] == drained


def test_nobody_is_meant() -> None:
    bench = all_up()
    assert refusal(bench, asked("1.1.1.99")) == (
        f"no real server '1.1.1.99' (ADDRESS or ADDRESS:PORT; there are: {A}:80, {B}:80, {C}:80)"
    )
    assert refusal(bench, asked(service="dns")) == "no virtual service 'dns' (there are: http)"


@pytest.mark.parametrize("kind", [DRAIN, DISABLE, WEIGHT])
def test_the_last_one_stays_unless_forced(kind: OverrideKind) -> None:
    bench = all_up()
    bench.hear({B: DOWN, C: DOWN})
    assert refusal(bench, asked(kind=kind)) == (
        "http: 0 of 1 real servers that are up would be left, nobody would serve (with --force it is done all the same)"
    )
    say(bench, asked(kind=kind, force=True))
    assert not any(bench.weights(WEB).values())


def test_the_floor_is_kept() -> None:
    service = replace(WEB, rules=PoolRules(Floor(Amount(2))))
    bench = all_up(service)
    say(bench, asked(A))
    assert "1 of 2 real servers that are up would be left, its floor is 2" in refusal(bench, asked(B))
    assert "its floor is 2" in refusal(bench, asked(B, WEIGHT, weight=0))
    say(bench, asked(B, WEIGHT, weight=1))
    say(bench, asked(A, DISABLE))  # takes nothing away that is not gone already
    bench.hear({B: DOWN})
    assert bench.weights(service) == {B: 1, C: 3}  # kept: A is out by a person's word
    say(bench, asked(B, DISABLE, force=True))
    assert bench.weights(service) == {C: 3}


@pytest.mark.parametrize("kind", [DRAIN, DISABLE, WEIGHT])
def test_who_is_left_does_not_lose_the_quorum_unless_forced(kind: OverrideKind) -> None:
    service = replace(WEB, quorum=6, fallback=(real(SPARE, check=Check(NoCheck())),))
    bench = all_up(service)
    say(bench, asked(A, kind))
    words = "http: its quorum of 6 would be lost, and the fallback servers would serve alone (with --force it is done"
    assert refusal(bench, asked(B, kind)).startswith(words)
    assert refusal(bench, asked(B, WEIGHT, weight=2)).startswith(words)
    say(bench, asked(B, WEIGHT, weight=4))
    say(bench, asked(B, kind, force=True))
    assert bench.weights(service) == {SPARE: 1}
    say(bench, asked(C, kind, force=True))  # lost already: nothing is taken away


def test_without_fallback_servers_a_quorum_holds_nobody() -> None:
    bench = all_up(replace(WEB, quorum=9))
    say(bench, asked(A, DISABLE))
    assert bench.weights(WEB) == {B: 3, C: 3}


def test_who_is_kept_by_the_floor_is_not_counted_as_up() -> None:
    service = replace(WEB, rules=PoolRules(Floor(Amount(2))))
    bench = all_up(service)
    bench.hear({A: DOWN, B: DOWN})
    assert "0 of 1 real servers" in refusal(bench, asked(C))


def test_one_that_is_down_already_may_be_drained() -> None:
    bench = all_up(virtual(real(A)))
    bench.hear({A: DOWN})
    say(bench, asked())


def test_after_a_restart_who_serves_and_was_not_probed_counts() -> None:
    bench = Bench(config(WEB), table((WEB, {A: 3, B: 3})), restarted=True)
    say(bench, asked(A))
    assert bench.weights(WEB) == {A: 0, B: 3}
    assert "0 of 1 real servers" in refusal(bench, asked(B))


def test_sh_without_its_flag_is_not_drained() -> None:
    service = replace(WEB, scheduler="sh")
    bench = all_up(service)
    assert "sh without its fallback flag" in refusal(bench, asked())
    say(bench, asked(kind=DISABLE))
    assert bench.weights(service) == {B: 3, C: 3}
    flagged = replace(service, flags=0x8)
    bench = all_up(flagged)
    say(bench, asked())
    assert bench.weights(flagged) == {A: 0, B: 3, C: 3}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (asked(kind=WEIGHT, weight=-1), "a weight of -1"),
        (asked(kind=WEIGHT, weight=2**31), "a weight of 2147483648"),
        (asked(seconds=0.0), "a time that is none"),
        (asked(seconds=1e9), "or too long"),
        (asked(reason="a\nb"), "no line of text"),
        (asked(reason="x" * 201), "too long"),
    ],
)
def test_what_cannot_be(said: Asked, words: str) -> None:
    assert words in refusal(all_up(), said)


def test_it_ends_by_itself() -> None:
    bench = all_up()
    say(bench, asked(seconds=60.0))
    bench.now += 59.9
    bench.feed(Ticked())
    assert bench.effects == []
    bench.now += 0.1
    bench.feed(Ticked())
    assert bench.weights(WEB)[A] == 3
    assert [one.fields["why"] for one in bench.effects if isinstance(one, Tell) and one.event == "override_ended"] == [
        "over"
    ]
    assert RememberOverrides({}) in bench.effects


def test_a_reload_keeps_it_while_the_real_server_is_there() -> None:
    bench = all_up()
    say(bench, asked())
    say(bench, asked(B, WEIGHT, weight=5))
    bench.feed(ConfigChanged(config(replace(WEB, name="renamed", real_servers=(real(A, 9), real(C, 3))))))
    assert bench.weights(WEB) == {A: 0, C: 3}
    assert "override_ended" in bench.told()
    remembered = [one for one in bench.effects if isinstance(one, RememberOverrides)]
    assert [list(one.overrides) for one in remembered] == [[IDENTITY]]


def restarted_with(service: VirtualService, weights: dict[str, int], said: Override) -> list[Effect]:
    started = Started(Config((service,)), frozenset(), table((service, weights)), True, overrides={IDENTITY: said})
    return list(step(Director(), started, 100.0)[1])


def test_it_survives_a_restart_even_if_the_kernel_was_changed_meanwhile() -> None:
    effects = restarted_with(WEB, {A: 3, B: 3}, Override(DRAIN, until=101.0))
    assert [str(one) for one in effects if "SetDestination" in str(one)]
    assert restarted_with(WEB, {A: 0, B: 3}, Override(DRAIN))[-1] != effects[-1]


def test_one_whose_time_is_over_does_not_come_back() -> None:
    effects = restarted_with(WEB, {A: 3, B: 3}, Override(DISABLE, until=100.0))
    assert RememberOverrides({}) in effects
    assert not any("DeleteDestination" in str(one) for one in effects)


def test_what_is_set_is_written_down_before_the_kernel_hears_of_it() -> None:
    bench = all_up()
    effects = say(bench, asked(reason="disk", seconds=5.0))
    assert isinstance(effects[0], RememberOverrides)
    assert effects[0].overrides == {IDENTITY: Override(DRAIN, 0, "disk", 0, bench.now, bench.now + 5)}
    assert isinstance(effects[1], Tell)
    assert effects[1].fields == {
        "service": "http", "real_server": f"{A}:80", "kind": "drain", "weight": 0, "uid": 0, "seconds": 5.0,
        "reason": "disk",
    }  # fmt: skip
    assert say(bench, asked(B, None)) == []  # nothing was said of it


def test_it_is_shown() -> None:
    bench = all_up()
    say(bench, asked(A, DRAIN, seconds=7200.0, reason="new kernel"))
    say(bench, asked(B, WEIGHT, weight=9))
    bench.now += 10
    rows = views.status(bench.director, bench.now).services[0].real_servers
    assert [(one.standing, one.override.kind if one.override else "") for one in rows] == [
        ("quiesced", "drain"), ("serving", "weight"), ("serving", ""),
    ]  # fmt: skip
    text = render.status(views.status(bench.director, bench.now))
    assert "drained 10s ago for 1h59m more: new kernel; tcp ok" in text
    assert "weight 9 by hand 10s ago; tcp ok" in text
