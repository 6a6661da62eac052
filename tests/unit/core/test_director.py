"""What the director decides, event by event."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import Hello, State, Verdicts
from checkers.core.outcome import Inconclusive
from config.checks import Check, MysqlCheck, NoCheck, Timing
from config.checks import Credentials as Login
from config.model import VrrpInstance
from config.secret import Secret
from config.words import OnFailure
from lvsd.core.director import READY_LIMIT_SECONDS
from lvsd.core.effects import Apply, AssignChecks, ConfigureVrrp, Effect, ReadTable, RememberOwned
from lvsd.core.events import (
    ConfigChanged,
    StopAsked,
    TableSuspected,
    TableUnreadable,
    Ticked,
    VerdictsHeard,
    VrrpCame,
    WorkerCame,
    WorkerWent,
)
from lvsd.core.identity import check_id, service_key
from netlink.errors import Refusal
from netlink.operations import AddDestination, AddService, DeleteDestination, DeleteService, SetDestination, SetService
from netlink.table import Destination, DestinationKey, Entry, Family, Service, ServiceKey
from tests.unit.core.world import Bench, config, real, table, verdict, virtual

A, B, C = "1.1.1.17", "1.1.1.18", "1.1.1.19"
HTTP = virtual(real(A), real(B))
STRANGER = ServiceKey(Family.INET, 6, "9.9.9.9", 25)
STRANGERS = {
    STRANGER: Entry(
        Service(STRANGER, "rr"), {DestinationKey("8.8.8.8", 25): Destination(DestinationKey("8.8.8.8", 25), 3, 7)}
    )
}


def test_an_empty_kernel_gets_the_service_and_servers_enter_at_their_first_success() -> None:
    bench = Bench(config(HTTP))
    assert bench.weights(HTTP) == {}
    bench.hear({A: State.UP})
    assert bench.weights(HTTP) == {A: 1}
    bench.hear({B: State.UP})
    assert bench.weights(HTTP) == {A: 1, B: 1}


def test_start_adopts_what_it_finds() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 0})))
    assert bench.operations() == []
    bench.hear({A: State.UP, B: State.UP})
    assert bench.operations() == [SetDestination(service_key(HTTP.virtual), Destination(DestinationKey(B, 80), 3, 1))]


def test_start_changes_only_what_differs() -> None:
    other = virtual(real(A), real(B), scheduler="rr")
    bench = Bench(config(HTTP), {**table((other, {A: 1})), **STRANGERS})
    assert [type(one) for one in bench.operations()] == [SetService]
    assert bench.kernel[STRANGER] == STRANGERS[STRANGER]


def test_a_server_down_is_removed_and_comes_back() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.hear({A: State.UP, B: State.UP})
    bench.hear({B: State.DOWN})
    assert bench.weights(HTTP) == {A: 1}
    assert "real_server_down" in bench.told()
    bench.hear({B: State.UP})
    assert bench.weights(HTTP) == {A: 1, B: 1}
    assert "real_server_up" in bench.told()


def test_quiesce_keeps_a_server_down_at_weight_zero() -> None:
    service = virtual(real(A), real(B), on_failure=OnFailure.QUIESCE)
    bench = Bench(config(service), table((service, {A: 1, B: 1})))
    bench.hear({A: State.UP, B: State.DOWN})
    assert bench.weights(service) == {A: 1, B: 0}


@pytest.mark.parametrize("scheduler", ["sh", "mh"])
def test_hashing_with_fallback_leaves_by_weight_zero(scheduler: str) -> None:
    service = virtual(real(A), real(B), scheduler=scheduler, flags=0x8)
    bench = Bench(config(service))
    assert bench.weights(service) == {A: 0, B: 0}  # one canonical order from the first instant
    bench.hear({A: State.UP, B: State.UP})
    bench.hear({B: State.DOWN})
    assert bench.weights(service) == {A: 1, B: 0}


@pytest.mark.parametrize("scheduler", ["sh", "mh"])
def test_hashing_without_fallback_removes_since_weight_zero_would_refuse_clients(scheduler: str) -> None:
    service = virtual(real(A), real(B), scheduler=scheduler)
    bench = Bench(config(service), table((service, {A: 1, B: 1})))
    bench.hear({A: State.UP, B: State.DOWN})
    assert bench.weights(service) == {A: 1}


def test_servers_enter_in_one_order_whatever_the_file_says() -> None:
    one = virtual(real("1.1.1.9"), real("1.1.1.10"), scheduler="sh", flags=0x8)
    other = virtual(real("1.1.1.10"), real("1.1.1.9"), scheduler="sh", flags=0x8)
    assert Bench(config(one)).operations() == Bench(config(other)).operations()


def test_a_check_of_type_none_is_always_up() -> None:
    service = virtual(real(A, check=Check(NoCheck())))
    bench = Bench(config(service))
    assert bench.weights(service) == {A: 1}
    assigned = [effect for effect in bench.greet() if isinstance(effect, AssignChecks)]
    assert assigned[0].checks == ()


def test_a_lost_worker_changes_nothing_and_its_successor_learns_what_is_known() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.greet()
    bench.hear({A: State.UP, B: State.DOWN})
    bench.feed(WorkerWent())
    assert bench.weights(HTTP) == {A: 1}
    assert bench.operations() == []
    assigned = [effect for effect in bench.greet() if isinstance(effect, AssignChecks)]
    assert [check.known for check in assigned[0].checks] == [State.UP, State.DOWN]


def test_a_worker_that_does_not_know_takes_nothing_back() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.hear({A: State.UP, B: State.DOWN})
    bench.hear({A: State.UNKNOWN, B: State.UNKNOWN}, Inconclusive("no descriptors"))
    assert bench.weights(HTTP) == {A: 1}
    kept = bench.director.verdicts[check_id(HTTP, real(B))]
    assert (kept.state, kept.outcome) == (State.DOWN, Inconclusive("no descriptors"))


def test_a_worker_that_has_not_probed_yet_has_nothing_to_say() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    first, second = (check_id(HTTP, real(address)) for address in (A, B))
    bench.hear({A: State.UP})
    seen = bench.director.verdicts[first]
    silent = [
        replace(verdict(one, State.UNKNOWN, 0.0, Inconclusive("not probed yet")), probes=0) for one in (first, second)
    ]
    bench.feed(VerdictsHeard(Verdicts(1, tuple(silent))))
    assert bench.director.verdicts == {first: seen}
    told = replace(silent[1], state=State.DOWN)  # what an earlier director told it, who is gone
    bench.feed(VerdictsHeard(Verdicts(1, (told,))))
    assert bench.weights(HTTP) == {A: 1}


def test_a_worker_that_lies_about_checks_is_not_heard() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.feed(VerdictsHeard(Verdicts(1, (verdict("tcp 6.6.6.6:1 > 6.6.6.7:1", State.DOWN, 0.0),))))
    assert bench.operations() == []
    assert bench.director.verdicts == {}


@pytest.mark.parametrize(
    "hello",
    [
        Hello(42, 0, "0000000000000000", no_new_privs=True),
        Hello(42, 65534, "0000000000001000", no_new_privs=True),
        Hello(42, 65534, "0000000000000000", no_new_privs=False),
        Hello(42, 65534, "0000000000002000", no_new_privs=True),
        Hello(42, 65534, "none", no_new_privs=True),
        Hello(42, 65534, "0000000000000000", no_new_privs=True, worker=0),
        Hello(42, 65534, "0000000000003000", no_new_privs=True, worker=0),
    ],
)
def test_a_worker_that_is_not_confined_gets_no_checks(hello: Hello) -> None:
    bench = Bench(config(HTTP))
    effects = bench.feed(WorkerCame(hello))
    assert not [effect for effect in effects if isinstance(effect, AssignChecks)]
    assert bench.told() == ["worker_not_confined"]
    assert not bench.director.workers.known[hello.worker].connected
    told = Verdicts(0, (verdict(check_id(HTTP, HTTP.real_servers[0]), State.DOWN, 0.0),))
    bench.feed(VerdictsHeard(told, hello.worker))
    assert not bench.director.verdicts


def test_an_edit_by_hand_is_told_and_mended() -> None:
    bench = Bench(config(HTTP), {**table((HTTP, {A: 1, B: 1})), **STRANGERS})
    bench.hear({A: State.UP, B: State.UP})
    bench.kernel = {**table((HTTP, {A: 5})), **STRANGERS}
    bench.feed(TableSuspected())
    assert bench.weights(HTTP) == {A: 1, B: 1}
    assert "table_changed_by_stranger" in bench.told()
    assert bench.director.kernel.repairs == 1


def test_a_flushed_table_is_built_again_at_once() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.hear({A: State.UP, B: State.DOWN})
    bench.kernel = {}
    bench.feed(TableSuspected())
    assert bench.weights(HTTP) == {A: 1}


def test_a_strangers_service_is_neither_touched_nor_told() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.kernel = {**bench.kernel, **STRANGERS}
    bench.feed(TableSuspected())
    assert bench.operations() == []
    assert "table_changed_by_stranger" not in bench.told()
    assert STRANGER in bench.kernel


def test_a_strangers_service_may_go_as_it_came() -> None:
    bench = Bench(config(HTTP), {**table((HTTP, {A: 1, B: 1})), **STRANGERS})
    bench.kernel = table((HTTP, {A: 1, B: 1}))
    bench.feed(TableSuspected())
    assert bench.operations() == []
    assert bench.told() == []


def test_a_service_an_earlier_configuration_made_is_deleted_and_forgotten() -> None:
    old = virtual(real(C), port=25, name="old")
    key = service_key(old.virtual)
    bench = Bench(config(HTTP), table((old, {C: 1})), owned=frozenset({key}))
    assert DeleteService(key) in bench.operations()
    assert bench.director.owned == {service_key(HTTP.virtual)}
    remembered = [effect.owned for effect in bench.effects if isinstance(effect, RememberOwned)]
    assert remembered[0] == {key, service_key(HTTP.virtual)}  # before the kernel hears of it
    assert remembered[-1] == {service_key(HTTP.virtual)}


def test_reload_keeps_verdicts_and_changes_only_what_changed() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.greet()
    bench.hear({A: State.UP, B: State.DOWN})
    bench.feed(ConfigChanged(config(virtual(real(A), real(B), real(C), name="web"))))
    assert bench.operations() == []  # C waits for its first success, B stays out, a new name is no new service
    bench.hear({C: State.UP})
    assert bench.weights(HTTP) == {A: 1, C: 1}


def test_reload_makes_before_it_breaks() -> None:
    bench = Bench(config(virtual(real(A))), table((HTTP, {A: 1})))
    bench.hear({A: State.UP})
    replaced = virtual(real(B), real(C))
    bench.feed(ConfigChanged(config(replaced)))
    assert bench.weights(replaced) == {A: 1}  # A is not configured any more, and goes on serving
    bench.hear({B: State.UP})
    assert bench.weights(replaced) == {A: 1, B: 1}
    bench.hear({C: State.DOWN})
    assert bench.weights(replaced) == {B: 1}


def test_reload_hands_the_worker_and_vrrp_their_share() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1})))
    bench.greet()
    bench.feed(VrrpCame())
    instance = VrrpInstance("lb0", "eth0", 1, 200, 2, ())
    effects = bench.feed(ConfigChanged(config(HTTP, vrrp=(instance,))))
    assert [effect.instances for effect in effects if isinstance(effect, ConfigureVrrp)] == [(instance,)]
    assert [len(effect.checks) for effect in effects if isinstance(effect, AssignChecks)] == [2]


def test_a_refused_operation_is_told_waits_and_is_tried_again() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1})))
    adding = AddDestination(service_key(HTTP.virtual), Destination(DestinationKey(B, 80), 3, 1))
    bench.refuse[adding] = Refusal(adding, 12, "out of memory")
    bench.hear({A: State.UP, B: State.UP})
    assert "operation_refused" in bench.told()
    bench.hear({A: State.UP, B: State.UP})
    assert bench.operations() == []  # not again at once
    bench.refuse.clear()
    bench.now += 1.1
    assert ReadTable() in bench.feed(Ticked())
    assert bench.weights(HTTP) == {A: 1, B: 1}
    assert bench.director.kernel.refusals == ()


def test_back_off_grows_with_every_refusal() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1})))
    adding = AddDestination(service_key(HTTP.virtual), Destination(DestinationKey(B, 80), 3, 1))
    bench.refuse[adding] = Refusal(adding, 12, "out of memory")
    bench.hear({A: State.UP, B: State.UP})
    waits = []
    for _ in range(3):
        assert bench.director.kernel.retry_at is not None
        waits.append(bench.director.kernel.retry_at - bench.now)
        bench.now = bench.director.kernel.retry_at
        bench.feed(Ticked())
    assert waits == [1.0, 2.0, 5.0]


def test_an_unreadable_table_is_not_changed_blindly() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.feed(TableUnreadable("no buffer space"))
    assert bench.told() == ["table_unreadable"]
    bench.feed(TableUnreadable("no buffer space"))
    assert bench.told() == []  # once
    bench.hear({A: State.UP, B: State.DOWN})
    assert bench.operations() == []
    bench.now += 2.1
    bench.feed(Ticked())
    assert bench.weights(HTTP) == {A: 1}


def test_stop_leaves_the_table() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.feed(StopAsked())
    assert bench.operations() == []
    bench.hear({A: State.DOWN})  # what comes after the stop changes nothing any more
    assert bench.weights(HTTP) == {A: 1, B: 1}


def test_stop_clears_what_is_ours_when_told_to() -> None:
    kernel = {**table((HTTP, {A: 1, B: 1})), **STRANGERS}
    bench = Bench(config(HTTP, clear_table_on_stop=True), kernel)
    bench.feed(StopAsked())
    assert bench.kernel == STRANGERS


def test_secrets_show_in_no_effect() -> None:
    check = Check(MysqlCheck(Login("monitor", Secret("s3cret-pass"))), Timing())
    bench = Bench(config(virtual(real(A, check=check))))
    bench.greet()
    assert "s3cret-pass" not in repr(bench.effects)


def test_a_changed_weight_is_set_in_place() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.hear({A: State.UP, B: State.UP})
    bench.feed(ConfigChanged(config(virtual(real(A, weight=7), real(B)))))
    assert bench.operations() == [SetDestination(service_key(HTTP.virtual), Destination(DestinationKey(A, 80), 3, 7))]


def test_a_new_service_is_made_before_an_old_one_goes() -> None:
    bench = Bench(config(HTTP), table((HTTP, {A: 1, B: 1})))
    bench.hear({A: State.UP, B: State.UP})
    moved = virtual(real(A), real(B), port=8080)
    bench.feed(ConfigChanged(config(moved)))
    kinds = [type(one) for one in bench.operations()]
    assert kinds.index(AddService) < kinds.index(DeleteService)
    assert DeleteDestination not in kinds


INSTANCE = VrrpInstance("lb0", "eth0", 1, 200, 2, ())


def configured_instances(effects: list[Effect]) -> list[tuple[VrrpInstance, ...]]:
    return [effect.instances for effect in effects if isinstance(effect, ConfigureVrrp)]


def test_a_balancer_with_an_empty_table_takes_no_address_before_its_first_verdicts() -> None:
    bench = Bench(config(HTTP, vrrp=(INSTANCE,)))
    assert configured_instances(bench.feed(VrrpCame())) == []
    assert configured_instances(bench.hear({A: State.DOWN})) == []  # B may still be well
    effects = bench.hear({B: State.UP})
    assert configured_instances(effects) == [(INSTANCE,)]
    kinds = [type(effect) for effect in effects]
    assert kinds.index(Apply) < kinds.index(ConfigureVrrp)  # the table first
    assert configured_instances(bench.hear({A: State.UP})) == []  # once


def test_one_server_of_every_service_is_enough_to_take_the_address() -> None:
    https = virtual(real(A), real(B), port=443, name="https")
    bench = Bench(config(HTTP, https, vrrp=(INSTANCE,)))
    bench.feed(VrrpCame())
    assert configured_instances(bench.hear({A: State.UP})) == [(INSTANCE,)]


def test_services_that_serve_already_need_no_wait() -> None:
    bench = Bench(config(HTTP, vrrp=(INSTANCE,)), table((HTTP, {A: 1})))
    assert configured_instances(bench.feed(VrrpCame())) == [(INSTANCE,)]


def test_a_restarted_director_does_not_hold_vrrp_back() -> None:
    bench = Bench(config(HTTP, vrrp=(INSTANCE,)), restarted=True)
    assert configured_instances(bench.feed(VrrpCame())) == [(INSTANCE,)]


def test_checks_that_never_answer_hold_vrrp_back_for_so_long_and_no_longer() -> None:
    bench = Bench(config(HTTP, vrrp=(INSTANCE,)))
    bench.feed(VrrpCame())
    bench.now += READY_LIMIT_SECONDS - 0.1
    assert configured_instances(bench.feed(Ticked())) == []
    bench.now += 0.2
    assert configured_instances(bench.feed(Ticked())) == [(INSTANCE,)]
    assert "vrrp_not_held_back_any_longer" in bench.told()


def test_without_an_instance_nothing_is_told_of_holding_vrrp_back() -> None:
    bench = Bench(config(HTTP))
    bench.feed(VrrpCame())
    bench.now += READY_LIMIT_SECONDS + 0.1
    assert configured_instances(bench.feed(Ticked())) == [()]
    assert "vrrp_not_held_back_any_longer" not in bench.told()


def test_a_reload_does_not_hold_vrrp_back_again() -> None:
    bench = Bench(config(HTTP, vrrp=(INSTANCE,)), table((HTTP, {A: 1})))
    bench.feed(VrrpCame())
    https = virtual(real(A), port=443, name="https")
    assert configured_instances(bench.feed(ConfigChanged(config(HTTP, https, vrrp=(INSTANCE,))))) == [(INSTANCE,)]


SPARE = virtual(real(A), real(B), fallback=(real(C, check=Check(NoCheck())),))


def test_a_fallback_server_serves_while_no_real_server_does() -> None:
    bench = Bench(config(SPARE), table((SPARE, {A: 1, B: 1})))
    bench.hear({A: State.UP, B: State.UP})
    assert bench.weights(SPARE) == {A: 1, B: 1}
    bench.hear({A: State.DOWN})
    assert bench.weights(SPARE) == {B: 1}
    bench.hear({B: State.DOWN})
    assert bench.weights(SPARE) == {C: 1}
    kinds = [type(one) for one in bench.operations()]
    assert kinds.index(AddDestination) < kinds.index(DeleteDestination)  # at no moment nobody
    bench.hear({A: State.UP})
    assert bench.weights(SPARE) == {A: 1}
    kinds = [type(one) for one in bench.operations()]
    assert kinds.index(AddDestination) < kinds.index(DeleteDestination)


def test_a_fallback_server_stays_out_until_every_real_server_was_probed() -> None:
    bench = Bench(config(SPARE))
    bench.hear({A: State.DOWN})
    assert bench.weights(SPARE) == {}
    bench.hear({B: State.DOWN})
    assert bench.weights(SPARE) == {C: 1}


def test_a_fallback_server_that_serves_goes_on_serving_when_the_director_restarts() -> None:
    bench = Bench(config(SPARE), table((SPARE, {C: 1})), restarted=True)
    assert bench.operations() == []
    bench.hear({A: State.DOWN, B: State.DOWN})
    assert bench.operations() == []


def test_quiesced_real_servers_make_room_for_the_fallback() -> None:
    service = virtual(real(A), scheduler="sh", flags=0x8, fallback=(real(C, check=Check(NoCheck())),))
    bench = Bench(config(service), table((service, {A: 1})))
    bench.hear({A: State.DOWN})
    assert bench.weights(service) == {A: 0, C: 1}
    bench.hear({A: State.UP})
    assert bench.weights(service) == {A: 1}
