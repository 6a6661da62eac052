"""`resume: manual` beside `correlated_failure`: nobody waits for a person because the checker was at fault."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from config.model import VirtualService
from lvsd.core.effects import RememberOverrides
from lvsd.core.events import MaintenanceSeen, OverridesSet, Ticked
from lvsd.core.identity import real_id
from lvsd.core.pool_state import Override, OverrideKind
from tests.unit.core.test_correlation import (
    BESIDE,
    DOWN,
    INTERVAL,
    OTHER,
    SPARE,
    TIMEOUT,
    UP,
    A,
    B,
    C,
    D,
    fail,
    probe,
    ruled,
    started,
    tick,
)
from tests.unit.core.world import Bench


def manual(*addresses: str, share: int = 100, hold: int = 2) -> VirtualService:
    service = ruled(*addresses, share=share, hold=hold)
    rules = service.rules
    return replace(service, rules=type(rules)(rules.floor, rules.correlated_failure, manual_resume=True))


OF_THREE = manual(A, B, C)


def waiting(bench: Bench) -> set[str]:
    return {
        address
        for address in (A, B, C, D)
        if any(
            f"> {address}:" in name and one.kind is OverrideKind.AWAIT for name, one in bench.director.overrides.items()
        )
    }


def remembered(bench: Bench) -> list[int]:
    return [len(effect.overrides) for effect in bench.effects if isinstance(effect, RememberOverrides)]


def test_who_failed_first_is_called_back_by_the_last() -> None:
    bench = started(OF_THREE)
    fail(bench, A, B)
    assert waiting(bench) == {A, B}
    assert bench.weights(OF_THREE) == {C: 1}
    told = fail(bench, C)
    assert told.count("override_ended") == 2
    assert "failure_suspected" in told
    assert waiting(bench) == set()
    assert remembered(bench) == [0]
    assert bench.weights(OF_THREE) == {A: 1, B: 1, C: 1}


def test_when_it_was_the_checker_nobody_waits() -> None:
    bench = started(OF_THREE)
    fail(bench, A, B, C)
    bench.now += 1
    bench.hear({A: UP, B: UP, C: UP})
    assert bench.told() == ["failure_not_confirmed"]
    assert waiting(bench) == set()
    assert bench.weights(OF_THREE) == {A: 1, B: 1, C: 1}


@pytest.mark.parametrize("hold", [1, 2])
def test_confirmed_all_wait_and_are_not_suspected_again(hold: int) -> None:
    service = manual(A, B, C, hold=hold)
    bench = started(service, BESIDE)
    fail(bench, A, B, C)
    bench.now += hold * INTERVAL
    probe(bench, (A, B, C), (OTHER,))
    assert tick(bench, 0)[0] == "failure_confirmed"
    assert waiting(bench) == {A, B, C}
    for _ in range(20):
        assert tick(bench, 1) == []
    assert waiting(bench) == {A, B, C}
    bench.hear({A: UP, B: UP, C: UP})
    assert waiting(bench) == {A, B, C}
    assert bench.weights(service) == {SPARE: 1}


def test_confirmed_failures_are_not_called_back_by_a_second_fall_together() -> None:
    bench = started(OF_THREE, BESIDE)
    fail(bench, A, B, C)
    bench.now += 2 * INTERVAL
    probe(bench, (A, B, C), (OTHER,))
    assert tick(bench, 0)[0] == "failure_confirmed"
    bench.hear({A: UP, B: UP, C: UP})
    told = fail(bench, A, B, C)
    assert "failure_suspected" not in told
    assert waiting(bench) == {A, B, C}


def test_who_waits_since_longer_goes_on_waiting() -> None:
    service = manual(A, B, C, D)
    bench = started(service)
    fail(bench, D)
    bench.now += INTERVAL + TIMEOUT
    bench.feed(Ticked())
    assert "failure_suspected" in fail(bench, A, B, C)
    assert waiting(bench) == {D}
    assert bench.weights(service) == {A: 1, B: 1, C: 1}


def test_a_person_s_own_word_stands() -> None:
    bench = started(OF_THREE)
    fail(bench, A)
    word = {real_id(OF_THREE, OF_THREE.real_servers[0]): Override(OverrideKind.DISABLE, since=bench.now)}
    bench.feed(OverridesSet(word))
    assert "failure_suspected" not in fail(bench, B, C)
    assert bench.weights(OF_THREE) == {SPARE: 1}
    assert waiting(bench) == {B, C}


def test_who_is_in_maintenance_since_is_not_called_back() -> None:
    bench = started(OF_THREE)
    fail(bench, A)
    bench.feed(MaintenanceSeen(frozenset({A})))
    assert "failure_suspected" not in fail(bench, B, C)
    assert waiting(bench) == {A, B, C}


def test_without_the_suspicion_they_wait() -> None:
    service = replace(OF_THREE, rules=type(OF_THREE.rules)(manual_resume=True))
    bench = started(service)
    assert "failure_suspected" not in fail(bench, A, B, C)
    assert waiting(bench) == {A, B, C}
    bench.hear(dict.fromkeys((A, B, C), DOWN))
    assert waiting(bench) == {A, B, C}


def test_who_waits_since_longer_is_no_part_of_the_share_though_its_checks_pass() -> None:
    service = manual(A, B, C, D)
    bench = started(service)
    fail(bench, D)
    bench.now += INTERVAL + TIMEOUT
    bench.hear({D: UP})
    assert "failure_suspected" in fail(bench, A, B, C)
    assert fail(bench, D) == []
    assert waiting(bench) == {D}
