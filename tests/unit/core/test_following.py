"""Checks that follow another real server: its checks, at once, and nothing else of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from checkers.core.outcome import Reason, Unhealthy
from config.checks import FOLLOWED_LIMIT, AnyCheck, Check, ExternalCheck, FollowCheck, NoCheck, TcpCheck, Timing
from config.model import RealServer, VirtualService
from config.pool_rules import Amount, CorrelatedFailure, Floor, PoolRules
from config.words import Initial
from lvsd.core import views
from lvsd.core.assignment import shortest
from lvsd.core.effects import Apply, AssignChecks, Tell
from lvsd.core.events import ConfigChanged, MaintenanceSeen, OverridesSet, Ticked
from lvsd.core.identity import check_id, real_id
from lvsd.core.pool_state import Override, OverrideKind
from tests.unit.core.world import Bench, config, real, virtual

A, B = "1.1.1.17", "1.1.1.18"
UP, DOWN = State.UP, State.DOWN


def follower(service: str, address: str = A, port: int | None = None) -> RealServer:
    return real(address, check=Check(FollowCheck(service), port=port))


WEB = virtual(real(A), real(B), name="web")
TLS = virtual(follower("web"), follower("web", B), port=443, name="tls")


def test_it_is_as_healthy_as_whom_it_follows_in_the_same_step() -> None:
    bench = Bench(config(TLS, WEB))
    bench.hear({A: UP, B: UP})
    assert bench.weights(TLS) == {A: 1, B: 1}
    effects = bench.hear({A: DOWN}, Unhealthy(Reason.REFUSED, "Connection refused"))
    assert bench.weights(TLS) == bench.weights(WEB) == {B: 1}
    assert sum(isinstance(one, Apply) for one in effects) == 1
    told = [
        (one.fields["service"], one.fields["reason"])
        for one in effects
        if isinstance(one, Tell) and one.event == "real_server_down"
    ]
    assert sorted(told) == [("tls", "refused"), ("web", "refused")]


def test_nothing_is_probed_for_it_and_what_was_found_is_shown() -> None:
    bench = Bench(config(TLS, WEB))
    bench.hear({A: UP})
    (assigned,) = (one for one in bench.greet() if isinstance(one, AssignChecks))
    assert [one.id.startswith("tcp 1.1.1.12:80 >") for one in assigned.checks] == [True, True]
    row = views.status(bench.director, bench.now).services[0].real_servers[0]
    assert (row.check, row.result, row.standing, row.probes) == ("follow", "ok", "serving", 1)


def test_a_chain_is_followed_to_its_end_and_its_services_are_decided_with_it() -> None:
    third = virtual(follower("tls"), port=8443, name="third")
    bench = Bench(config(third, TLS, WEB))
    bench.hear({A: UP})
    assert bench.weights(third) == {A: 1}
    bench.hear({A: DOWN})
    assert bench.weights(third) == {}


def test_a_word_on_the_followed_server_concerns_its_own_service_alone() -> None:
    bench = Bench(config(TLS, WEB))
    bench.hear({A: UP, B: UP})
    bench.feed(OverridesSet({real_id(WEB, WEB.real_servers[0]): Override(OverrideKind.DISABLE)}))
    assert bench.weights(WEB) == {B: 1}
    assert bench.weights(TLS) == {A: 1, B: 1}
    bench.feed(MaintenanceSeen(frozenset({A})))  # that names the address, wherever it stands
    assert bench.weights(TLS) == {B: 1}


def test_who_is_only_kept_is_not_followed_into_service() -> None:
    kept = replace(WEB, rules=PoolRules(Floor(Amount(1))))
    bench = Bench(config(TLS, kept))
    bench.hear({A: UP, B: UP})
    bench.hear({A: DOWN, B: DOWN})
    assert len(bench.weights(kept)) == 1
    assert bench.weights(TLS) == {}


def test_of_several_ports_the_one_that_is_said_or_the_first() -> None:
    web = virtual(real(A, port=80), real(A, port=81), name="web")
    said, first = (
        virtual(follower("web", port=81), port=443, name="said"),
        virtual(follower("web"), port=444, name="1st"),
    )
    bench = Bench(config(said, first, web))
    targets = bench.director.following.targets
    assert targets[check_id(said, said.real_servers[0])][1].port == 81
    assert targets[check_id(first, first.real_servers[0])][1].port == 80


def test_another_address_can_be_followed() -> None:
    tls = virtual(real(A, check=Check(FollowCheck("web"), address=B)), port=443, name="tls")
    bench = Bench(config(tls, WEB))
    bench.hear({A: DOWN, B: UP})
    assert bench.weights(tls) == {A: 1}


def test_what_is_followed_and_not_there_is_unknown() -> None:
    lost = virtual(follower("nowhere"), follower("web", "1.1.1.1"), port=443, name="lost")
    bench = Bench(config(lost, WEB))
    bench.hear({A: UP, B: UP})
    assert bench.weights(lost) == {}
    assert {row.standing for row in views.status(bench.director, bench.now).services[0].real_servers} == {"unknown"}


def circle(length: int) -> list[VirtualService]:
    return [
        virtual(follower(str((number + 1) % length)), port=1000 + number, name=str(number)) for number in range(length)
    ]


def test_a_circle_is_survived_and_who_looks_at_it_knows_nothing() -> None:
    for length in (1, 2, 5):
        outside = virtual(follower("0"), real(B), port=443, name="outside")
        bench = Bench(config(*circle(length), outside))
        bench.hear({B: UP})
        assert bench.weights(outside) == {B: 1}
        states = [one.state for row in views.status(bench.director, bench.now).services for one in row.real_servers]
        assert states == ["unknown"] * (length + 1) + ["up"]


def chain(length: int) -> list[VirtualService]:
    return [
        virtual(follower(str(number - 1)) if number else real(A), port=1000 + number, name=str(number))
        for number in range(length + 1)
    ]


def test_a_chain_is_believed_so_far() -> None:
    bench = Bench(config(*chain(FOLLOWED_LIMIT + 1)))
    bench.hear({A: UP})
    served = [len(bench.weights(one)) for one in bench.director.config.services]
    assert served == [1] * (FOLLOWED_LIMIT + 1) + [0]


def test_a_new_configuration_of_the_followed_one_is_heeded() -> None:
    bench = Bench(config(TLS, WEB))
    bench.hear({A: UP, B: UP})
    unchecked = virtual(real(A, check=Check(NoCheck())), real(B), name="web")
    bench.hear({A: DOWN})
    assert bench.weights(TLS) == {B: 1}
    bench.feed(ConfigChanged(config(TLS, unchecked)))
    assert bench.weights(TLS) == {A: 1, B: 1}


def test_beside_a_check_of_its_own_and_a_presumption_of_whom_it_follows() -> None:
    both = virtual(replace(follower("web"), further_checks=(Check(TcpCheck(), port=443),)), port=443, name="tls")
    web = virtual(replace(real(A), initial=Initial.UP), name="web")
    bench = Bench(config(both, web))
    assert bench.weights(both) == {}
    bench.hear_check(A, 2, UP)
    assert bench.weights(both) == {A: 1}
    bench.hear_check(A, 1, DOWN)
    assert bench.weights(both) == {}


def test_followers_are_nobody_else_to_probe() -> None:
    """All that is probed failed at once: it is confirmed as where nothing else is configured."""
    reals = tuple(real(f"1.1.1.{number}") for number in (21, 22, 23))
    web = replace(virtual(*reals, name="web"), rules=PoolRules(correlated_failure=CorrelatedFailure()))
    tls = virtual(*(follower("web", one.address) for one in reals), port=443, name="tls")
    bench = Bench(config(web, tls))
    bench.hear({one.address: UP for one in reals})
    bench.now += 10
    bench.hear({one.address: DOWN for one in reals})
    assert len(bench.weights(web)) == 3
    bench.now += reals[0].check.timing.interval * CorrelatedFailure().hold
    bench.hear({one.address: DOWN for one in reals})
    bench.feed(Ticked())
    assert bench.weights(web) == {}


def test_the_least_time_between_two_probes_heeds_every_interval() -> None:
    assert shortest(Timing(5.0)) == 5.0
    assert shortest(Timing(5.0, fast_interval=1.0, down_interval=60.0)) == 1.0
    assert shortest(Timing(5.0, down_interval=2.0)) == 2.0


@pytest.mark.parametrize("kind", [FollowCheck("web"), NoCheck()], ids=["follow", "none"])
def test_what_a_check_found_before_a_reload_asks_for_no_weight_when_it_probes_no_more(kind: AnyCheck) -> None:
    command = Check(ExternalCheck(("/x",), dynamic=True), Timing())
    before = virtual(real(A, 10, 443, command), port=443, name="tls")
    bench = Bench(config(before, WEB))
    bench.hear({A: UP})
    bench.hear_check(A, 1, UP, weight=50)
    assert bench.weights(before) == {A: 50}
    after = virtual(real(A, 10, 443, Check(kind)), port=443, name="tls")
    bench.feed(ConfigChanged(config(after, WEB)))
    assert bench.weights(after) == {A: 10}
    assert check_id(after, after.real_servers[0]) not in bench.director.verdicts
