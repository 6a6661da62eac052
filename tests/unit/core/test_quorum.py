"""Quorums: who serves, the real servers or the fallback, and what is remembered between the thresholds."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from config.checks import Check, ExternalCheck, NoCheck
from config.model import Config, VirtualService
from config.words import OnFailure
from lvsd.core import views
from lvsd.core.events import ConfigChanged, TableSuspected
from lvsd.ctl import render
from netlink.operations import AddDestination, DeleteDestination, SetDestination
from tests.unit.core.world import Bench, config, real, table, virtual

A, B, C, SPARE = "1.1.1.17", "1.1.1.18", "1.1.1.19", "1.1.1.99"
UP, DOWN = State.UP, State.DOWN


def of_three(quorum: int, hysteresis: int = 0, *, on_failure: OnFailure = OnFailure.REMOVE) -> VirtualService:
    spare = real(SPARE, check=Check(NoCheck()))
    service = virtual(real(A), real(B), real(C), fallback=(spare,), on_failure=on_failure)
    return replace(service, quorum=quorum, hysteresis=hysteresis)


def alone(service: VirtualService) -> VirtualService:
    return replace(service, fallback=())


TWO = of_three(2)


def test_when_the_quorum_is_lost_the_healthy_go_too() -> None:
    bench = Bench(config(TWO))
    bench.hear({A: UP, B: UP, C: UP})
    assert "quorum_gained" not in bench.told()  # at first it is as it should be
    bench.hear({A: DOWN})
    assert bench.weights(TWO) == {B: 1, C: 1}
    bench.hear({B: DOWN})
    assert bench.weights(TWO) == {SPARE: 1}
    assert bench.told()[:2] == ["real_server_down", "quorum_lost"]
    kinds = [type(one) for one in bench.operations()]
    assert kinds.index(AddDestination) < kinds.index(DeleteDestination)  # at no moment nobody
    bench.hear({A: UP})
    assert bench.weights(TWO) == {A: 1, C: 1}
    assert bench.told()[:2] == ["real_server_up", "quorum_gained"]
    kinds = [type(one) for one in bench.operations()]
    assert kinds.index(AddDestination) < kinds.index(DeleteDestination)


def test_between_the_thresholds_what_was_stays() -> None:
    service = of_three(2, 1)  # gained with 3, lost with none
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP, C: UP})
    bench.hear({A: DOWN, B: DOWN})
    assert bench.weights(service) == {C: 1}
    bench.hear({C: DOWN})
    assert bench.weights(service) == {SPARE: 1}
    bench.hear({A: UP, B: UP})
    assert bench.weights(service) == {SPARE: 1}
    bench.hear({C: UP})
    assert bench.weights(service) == {A: 1, B: 1, C: 1}


def test_between_the_thresholds_with_nothing_to_remember_real_servers_serve() -> None:
    service = of_three(2, 1)
    bench = Bench(config(service))
    bench.hear({A: UP, B: DOWN})
    assert bench.weights(service) == {A: 1}
    bench.hear({C: UP})
    assert bench.weights(service) == {A: 1, C: 1}
    assert bench.director.quorum


def test_what_is_not_known_yet_may_still_make_it() -> None:
    bench = Bench(config(TWO))
    bench.hear({A: UP, B: DOWN})
    assert bench.weights(TWO) == {A: 1}
    bench.hear({C: DOWN})
    assert bench.weights(TWO) == {SPARE: 1}


def test_what_could_not_make_it_is_not_waited_for() -> None:
    bench = Bench(config(TWO))
    bench.hear({A: DOWN, B: DOWN})
    assert bench.weights(TWO) == {SPARE: 1}


def test_a_real_server_that_tells_its_weight_itself_may_make_it_alone() -> None:
    asking = real(C, check=Check(ExternalCheck(("/bin/true",), dynamic=True)))
    service = replace(TWO, real_servers=(real(A), real(B), asking))
    bench = Bench(config(service))
    bench.hear({A: DOWN, B: DOWN})
    assert bench.weights(service) == {}
    bench.hear_check(C, 1, UP, weight=2)
    assert bench.weights(service) == {C: 2}
    bench.hear_check(C, 1, UP, weight=0)
    assert bench.weights(service) == {SPARE: 1}
    assert "quorum_lost" in bench.told()


def test_quiesced_real_servers_stay_at_weight_zero_while_the_fallback_serves() -> None:
    service = of_three(2, on_failure=OnFailure.QUIESCE)
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP, C: UP})
    bench.hear({A: DOWN, B: DOWN})
    assert bench.weights(service) == {A: 0, B: 0, C: 0, SPARE: 1}
    kinds = [type(one) for one in bench.operations()]
    assert kinds.index(AddDestination) < kinds.index(SetDestination)


def test_a_fallback_server_that_quiesces_waits_in_the_table() -> None:
    spare = replace(real(SPARE, check=Check(NoCheck())), on_failure=OnFailure.QUIESCE)
    service = replace(TWO, fallback=(spare,))
    bench = Bench(config(service))
    assert bench.weights(service) == {SPARE: 0}
    bench.hear({A: UP, B: UP, C: UP})
    assert bench.weights(service) == {A: 1, B: 1, C: 1, SPARE: 0}
    assert "spare" in render.status(views.status(bench.director, bench.now))
    bench.hear({A: DOWN, B: DOWN})
    assert bench.weights(service) == {SPARE: 1}
    bench.hear({A: UP})
    assert bench.weights(service) == {A: 1, C: 1, SPARE: 0}


def test_a_waiting_fallback_server_never_refuses_clients_of_a_hashing_scheduler() -> None:
    spare = replace(real(SPARE, check=Check(NoCheck())), on_failure=OnFailure.QUIESCE)
    bench = Bench(config(replace(TWO, scheduler="sh", fallback=(spare,))))
    assert bench.weights(TWO) == {}
    bench = Bench(config(replace(TWO, scheduler="sh", flags=0x8, fallback=(spare,))))
    assert bench.weights(TWO)[SPARE] == 0


def test_without_fallback_servers_a_quorum_changes_nothing_in_the_table() -> None:
    service = alone(TWO)
    bench = Bench(config(service))
    bench.hear({A: UP, B: DOWN, C: DOWN})
    assert bench.weights(service) == {A: 1}
    assert "quorum_lost" in bench.told()
    text = render.status(views.status(bench.director, bench.now))
    assert "http: the quorum is lost: weight 1 is up, 2 is needed; those that are up go on serving" in text


def test_a_fallback_without_weight_takes_nobodys_place() -> None:
    service = replace(TWO, fallback=(real(SPARE, weight=0, check=Check(NoCheck())),))
    bench = Bench(config(service))
    bench.hear({A: UP, B: DOWN, C: DOWN})
    assert bench.weights(service) == {A: 1, SPARE: 0}


@pytest.mark.parametrize("restarted", [True, False])
def test_a_fallback_server_that_serves_alone_goes_on_until_the_quorum_is_gained(restarted: bool) -> None:
    bench = Bench(config(TWO), table((TWO, {SPARE: 1})), restarted=restarted)
    assert bench.operations() == []
    bench.hear({A: UP})
    assert bench.weights(TWO) == {SPARE: 1}
    bench.hear({B: UP})
    assert bench.weights(TWO) == {A: 1, B: 1}


def test_a_fallback_server_found_beside_others_stays_until_it_is_known_whose_turn_it_is() -> None:
    bench = Bench(config(TWO), table((TWO, {A: 1, SPARE: 1})), restarted=True)
    assert bench.operations() == []
    bench.hear({A: UP, B: UP})
    assert bench.weights(TWO) == {A: 1, B: 1}


def test_connections_to_a_weight_of_zero_found_beside_a_serving_fallback_live_on() -> None:
    bench = Bench(config(TWO), table((TWO, {A: 0, SPARE: 1})), restarted=True)
    assert bench.operations() == []


def test_a_reload_changes_the_thresholds_and_keeps_the_memory() -> None:
    bench = Bench(config(TWO))
    bench.hear({A: UP, B: DOWN, C: DOWN})
    assert bench.weights(TWO) == {SPARE: 1}
    between = replace(TWO, quorum=1, hysteresis=1)
    bench.feed(ConfigChanged(config(between)))
    assert bench.weights(TWO) == {SPARE: 1}
    bench.feed(ConfigChanged(config(replace(TWO, quorum=1))))
    assert bench.weights(TWO) == {A: 1}
    bench.feed(ConfigChanged(Config()))
    assert bench.director.quorum == {}


def test_status_tells_that_the_healthy_are_out_and_why() -> None:
    bench = Bench(config(TWO))
    bench.hear({A: UP, B: DOWN, C: DOWN})
    reply = views.status(bench.director, bench.now)
    service = reply.services[0]
    assert [one.standing for one in service.real_servers] == ["out", "out", "out", "serving"]
    assert (service.quorum_state, service.weight_up, service.quorum) == ("lost", 1, 2)
    assert "weight 1 is up, 2 is needed; the fallback servers serve" in render.status(reply)


def test_nobody_is_never_enough() -> None:
    service = replace(TWO, quorum=1, hysteresis=1)
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP, C: UP})
    bench.hear({A: DOWN, B: DOWN, C: DOWN})
    assert bench.weights(service) == {SPARE: 1}


def test_a_hand_that_gives_weight_beside_a_serving_fallback_is_mended_before_the_first_verdict() -> None:
    bench = Bench(config(TWO), table((TWO, {SPARE: 1})), restarted=True)
    bench.kernel = table((TWO, {A: 5, SPARE: 1}))
    bench.feed(TableSuspected())
    assert bench.weights(TWO) == {A: 0, SPARE: 1}


def test_a_server_no_longer_configured_does_not_serve_beside_the_fallback() -> None:
    bench = Bench(config(TWO), table((TWO, {A: 1, B: 1})))
    bench.hear({A: UP, B: UP, C: DOWN})
    newer = replace(TWO, real_servers=(real(A), real(C), real("1.1.1.20")), quorum=3)
    bench.feed(ConfigChanged(config(newer)))
    assert bench.weights(newer) == {SPARE: 1}


def test_a_real_server_may_be_its_own_fallback() -> None:
    service = replace(TWO, fallback=(replace(real(A, weight=9, check=Check(NoCheck())), on_failure=OnFailure.QUIESCE),))
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP, C: UP})
    assert bench.weights(service) == {A: 1, B: 1, C: 1}
    bench.hear({A: DOWN, B: DOWN})
    assert bench.weights(service) == {A: 9}


def test_status_tells_when_nobody_serves() -> None:
    service = alone(replace(TWO, quorum=1))
    bench = Bench(config(service))
    bench.hear({A: DOWN, B: DOWN, C: DOWN})
    text = render.status(views.status(bench.director, bench.now))
    assert "the quorum is lost: weight 0 is up, 1 is needed; nobody serves" in text
    bench.hear({A: UP})
    assert "quorum" not in render.status(views.status(bench.director, bench.now))


def test_a_service_that_is_empty_at_the_start_remembers_no_lost_quorum() -> None:
    service = of_three(2, 1)
    for found in ({}, {A: 0}):
        bench = Bench(config(service), table((service, found)), restarted=True)
        bench.hear({A: UP, B: UP, C: DOWN})
        assert bench.weights(service) == {A: 1, B: 1}
