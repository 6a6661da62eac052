"""The rules for a service's real servers together, as they are written."""

from __future__ import annotations

import pytest

from config.changes import changes
from config.pool_rules import (
    Amount,
    CorrelatedFailure,
    Floor,
    FloorAction,
    HoldDown,
    LatencyWeights,
    Passive,
    PassiveAction,
    PoolRules,
)
from tests.unit.config.files_in_memory import assert_told_at_the_marks, good, load_text, service

TWO = "[1.1.1.15, 1.1.1.16]"
FOUR = "[1.1.1.15, 1.1.1.16, 1.1.1.17, 1.1.1.18]"
GROUPED = "[1.1.1.15, 1.1.1.16, {address: 1.1.1.17, group: 2}]"
HALF = Amount(50, percent=True)


def text(keys: str = "", *, defaults: str = "", reals: str = FOUR) -> str:
    said = f"{keys}, " if keys else ""
    return f"defaults: {{{defaults}}}\nservices:\n  web: {{virtual: '1.1.1.12:80', {said}real_servers: {reals}}}\n"


def test_no_rules_unless_said() -> None:
    assert service(text()).rules == PoolRules()


@pytest.mark.parametrize(
    ("written", "floor"),
    [
        ("2", Floor(Amount(2))),
        ("50%", Floor(HALF)),
        ("{minimum: 2, restored: 3}", Floor(Amount(2), restored=Amount(3))),
        ("{minimum: 50%, action: fail-open, restored: 75%}",
         Floor(HALF, FloorAction.FAIL_OPEN, Amount(75, percent=True))),
        ("{minimum: 1, action: withdraw}", Floor(Amount(1), FloorAction.WITHDRAW)),
        ("{minimum: 1, action: sorry}, fallback: 1.1.1.19", Floor(Amount(1), FloorAction.SORRY)),
        ("false", None),
    ],
)  # fmt: skip
def test_floors(written: str, floor: Floor | None) -> None:
    assert service(text(f"floor: {written}", defaults="floor: 3")).rules.floor == floor


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("true", CorrelatedFailure(100, 2)),
        ("{}", CorrelatedFailure(100, 2)),
        ("{share: 60%, hold: 1}", CorrelatedFailure(60, 1)),
        ("false", None),
    ],
)
def test_correlated_failures(written: str, rule: CorrelatedFailure | None) -> None:
    above = "correlated_failure: {share: 70%}"
    assert service(text(f"correlated_failure: {written}", defaults=above)).rules.correlated_failure == rule


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("10s", HoldDown(10.0, 600.0, 1800.0)),
        ("{first: 20m}", HoldDown(1200.0, 1200.0, 1800.0)),
        ("{first: 5s, longest: 1m, forget: 1h}", HoldDown(5.0, 60.0, 3600.0)),
        ("false", None),
    ],
)
def test_hold_down(written: str, rule: HoldDown | None) -> None:
    assert service(text(f"hold_down: {written}", defaults="hold_down: 1m")).rules.hold_down == rule


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("true", Passive()),
        ("{connections: 50, window: 10s, action: fail}", Passive(50, 10.0, PassiveAction.FAIL)),
        ("false", None),
    ],
)
def test_passive(written: str, rule: Passive | None) -> None:
    above = "passive: {connections: 3}"
    assert service(text(f"passive: {written}", defaults=above)).rules.passive == rule
    assert service(text(defaults=above)).rules.passive == Passive(3)


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("true", LatencyWeights()),
        ("{minimum: 10%, slack: 1000%}", LatencyWeights(10, 1000)),
        ("false", None),
    ],
)
def test_latency_weights(written: str, rule: LatencyWeights | None) -> None:
    found = service(text(f"weight: 100, latency_weights: {written}", defaults="latency_weights: {slack: 200%}"))
    assert found.rules.latency_weights == rule


@pytest.mark.parametrize("scheduler", ["sh", "mh", "rr", "lc", "dh", "fo", "ovf"])
def test_latency_weights_need_weights_that_are_shares_of_the_load(scheduler: str) -> None:
    written = f"weight: 100, scheduler: {scheduler}, →latency_weights: true"
    assert_told_at_the_marks(text(written), "CFG034")
    config = load_text(text(written.replace("→", ""))).config
    assert config is not None
    assert config.services[0].rules.latency_weights is None


def test_a_weight_of_one_cannot_shrink() -> None:
    assert_told_at_the_marks(text("→latency_weights: true"), "CFG034")
    assert_told_at_the_marks(text("latency_weights: true, weight: 2"), "")


def test_priority_groups() -> None:
    found = service(text("group_minimum: 50%", reals="[1.1.1.15, {address: 1.1.1.16, group: 2}]"))
    assert found.rules.group_minimum == HALF
    assert [one.priority_group for one in found.real_servers] == [1, 2]
    assert service(text(defaults="group_minimum: 3")).rules.group_minimum == Amount(3)
    assert service(text()).rules.group_minimum == Amount(1)


def test_resume() -> None:
    found = [service(text(f"resume: {word}", defaults="resume: manual")).rules for word in ("manual", "automatic")]
    assert [one.manual_resume for one in found] == [True, False]


def test_slow_start() -> None:
    heavy = "[{address: 1.1.1.15, weight: 100}]"
    assert service(text("slow_start: 30s", reals=heavy)).rules == PoolRules(slow_start=30.0)
    assert service(text("slow_start: 0", reals=heavy, defaults="slow_start: 1m")).rules == PoolRules()
    hashed = load_text(text("scheduler: sh, slow_start: 30s", reals=heavy)).config
    assert hashed is not None
    assert hashed.services[0].rules == PoolRules()


def test_defaults_are_inherited() -> None:
    rules = service(text(defaults="floor: 1, correlated_failure: true")).rules
    assert rules == PoolRules(Floor(Amount(1)), CorrelatedFailure())


@pytest.mark.parametrize(
    ("keys", "reals", "code"),
    [
        ("floor: →0", FOUR, "CFG017"),
        ("floor: →101%", FOUR, "CFG015"),
        ("floor: →1000001", FOUR, "CFG015"),
        ("floor: →half", FOUR, "CFG017"),
        ("floor: →[2]", FOUR, "CFG013"),
        ("floor: →{action: keep}", FOUR, "CFG012"),
        ("floor: {minimum: 1, action: →panic}", FOUR, "CFG016"),
        ("floor: {minimum: 2, restored: →1}", FOUR, "CFG054"),
        ("→floor: {minimum: 1, action: sorry}", FOUR, "CFG054"),
        ("→floor: {minimum: 1, action: withdraw}, fallback: 1.1.1.19", FOUR, "CFG054"),
        ("floor: →2", TWO, "CFG054"),
        ("floor: {minimum: →3, action: fail-open}", TWO, "CFG054"),
        ("floor: {minimum: →1, action: fail-open, restored: 3}", TWO, "CFG054"),
        ("floor: {minimum: 2, action: fail-open}", TWO, ""),
        ("floor: 51%", "[]", "CFG046"),
        ("correlated_failure: {share: →50}", FOUR, "CFG017"),
        ("correlated_failure: {share: →0%}", FOUR, "CFG017"),
        ("correlated_failure: {hold: →0}", FOUR, "CFG015"),
        ("correlated_failure: →often", FOUR, "CFG013"),
        ("→slow_start: 30s", FOUR, "CFG034"),
        ("weight: 100, scheduler: mh, →slow_start: 30s", FOUR, "CFG034"),
        ("weight: 100, scheduler: rr, →slow_start: 30s", FOUR, "CFG034"),
        ("weight: 100, scheduler: lc, →slow_start: 30s", FOUR, "CFG034"),
        ("weight: 100, scheduler: dh, →slow_start: 30s", FOUR, "CFG034"),
        ("weight: 100, scheduler: fo, slow_start: 30s", FOUR, ""),
        ("correlated_failure: true, resume: manual", FOUR, ""),
        ("→group_minimum: 3", GROUPED, "CFG034"),
        ("group_minimum: 2", GROUPED, ""),
        ("group_minimum: 100%", GROUPED, ""),
        ("group_minimum: 9", FOUR, ""),
        ("weight: 100, slow_start: →2h", FOUR, "CFG015"),
        ("hold_down: →0s", FOUR, "CFG015"),
        ("hold_down: {first: 10s, →longest: 5s}", FOUR, "CFG035"),
        ("hold_down: →{longest: 5s}", FOUR, "CFG012"),
        ("resume: →never", FOUR, "CFG016"),
    ],
)
def test_what_is_told(keys: str, reals: str, code: str) -> None:
    marked = text(keys, reals=reals if code != "CFG046" else "→[]")
    assert_told_at_the_marks(marked, code)


def test_what_a_reload_would_change() -> None:
    lines = [
        changes(good(text(f"floor: {old}")), good(text(f"floor: {new}")))
        for old, new in (("false", "1"), ("50%", "2"), ("1", "{minimum: 1, restored: 2, action: fail-open}"))
    ]
    assert lines == [
        ("service web: floor none -> minimum 1, action keep",),
        ("service web: floor minimum 50% -> 2",),
        ("service web: floor action keep -> fail-open", "service web: floor restored none -> 2"),
    ]
