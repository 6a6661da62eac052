"""Rules at their edges: the second of two, the weight of nothing, the word before the last, the port beside."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from checkers.core.messages import State, Verdicts
from checkers.core.outcome import Inconclusive
from config.checks import Check, NoCheck
from config.model import RealServer, VirtualService
from config.pool_rules import HoldDown, LatencyWeights, Passive, PassiveAction, PoolRules
from config.words import Initial
from lvsd.core.effects import Tell
from lvsd.core.events import ClientsSeen, ConfigChanged, ConnectionsCounted, OverridesSet, Ticked, VerdictsHeard
from lvsd.core.health import WEIGHT_LIMIT
from lvsd.core.identity import check_id, real_id, service_key
from lvsd.core.overrides import Asked, Refused, decided
from lvsd.core.passive import Finding, Sample, Seen, kept
from lvsd.core.pool_state import Connections, Override, OverrideKind
from lvsd.core.unanswered import FORGET_WINDOWS, is_open
from netlink.table import DestinationKey
from tests.unit.core.world import Bench, config, real, table, verdict, virtual

A, B, C = "1.1.1.17", "1.1.1.18", "1.1.1.19"
FIRST, SECOND = "1.1.1.91", "1.1.1.92"
UP, DOWN = State.UP, State.DOWN
ANSWERED, UNANSWERED, QUIET = Finding.ANSWERED, Finding.UNANSWERED, Finding.QUIET
DISABLE, DRAIN, WEIGHT = OverrideKind.DISABLE, OverrideKind.DRAIN, OverrideKind.WEIGHT
WEB = virtual(real(A), real(B))


def up(service: VirtualService = WEB, *more: VirtualService) -> Bench:
    bench = Bench(config(service, *more))
    bench.hear(dict.fromkeys((A, B, C), UP))
    return bench


# ---- a person's word -----------------------------------------------------------------------------------------------


def word(bench: Bench, said: Asked) -> list[str]:
    """Who is meant, by real server; raises where it is refused."""
    found = decided(bench.director, said, bench.now)
    assert not isinstance(found, Refused), found
    return [name.rpartition(" > ")[2] for name in found]


def test_a_port_that_is_named_is_the_only_one_that_is_meant() -> None:
    service = virtual(real(A), real(A, port=81), real(B))
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    assert word(bench, Asked(f"{A}:81", DISABLE, 0)) == [f"{A}:81"]
    assert word(bench, Asked(A, DISABLE, 0)) == [f"{A}:80", f"{A}:81"]
    assert isinstance(decided(bench.director, Asked(f"{A}:82", DISABLE, 0), bench.now), Refused)


def test_what_a_person_asks_now_is_judged_and_not_what_was_asked_before() -> None:
    bench = up()
    bench.feed(OverridesSet({real_id(WEB, one): Override(WEIGHT, weight=5) for one in WEB.real_servers}))
    bench.hear({B: DOWN})
    assert isinstance(decided(bench.director, Asked(A, DISABLE, 0), bench.now), Refused)
    assert word(bench, Asked(A, WEIGHT, 0, weight=7)) == [f"{A}:80"]


@pytest.mark.parametrize(("flags", "refused"), [(0, True), (0x10, True), (0x8, False), (0x18, False)])
def test_only_the_fallback_flag_has_a_hashing_scheduler_bear_a_drain(flags: int, refused: bool) -> None:
    bench = up(replace(WEB, scheduler="sh", flags=flags))
    assert isinstance(decided(bench.director, Asked(A, DRAIN, 0), bench.now), Refused) is refused
    assert word(bench, Asked(A, WEIGHT, 0, weight=5)) == [f"{A}:80"]
    assert word(bench, Asked(A, DISABLE, 0)) == [f"{A}:80"]


def test_the_greatest_weight_is_one_and_a_greater_is_none() -> None:
    bench = up()
    assert word(bench, Asked(A, WEIGHT, 0, weight=WEIGHT_LIMIT))
    for wrong in (WEIGHT_LIMIT + 1, -1):
        assert isinstance(decided(bench.director, Asked(A, WEIGHT, 0, weight=wrong), bench.now), Refused)


def test_when_all_fail_and_await_a_person_the_lost_quorum_awaits_nobody() -> None:
    service = replace(WEB, rules=PoolRules(manual_resume=True))
    bench = up(service)
    bench.hear({A: DOWN, B: DOWN})
    assert "quorum_lost" in bench.told()
    assert [one.kind for one in bench.director.overrides.values()] == [OverrideKind.AWAIT] * 2


# ---- what is presumed ----------------------------------------------------------------------------------------------


def first(address: str, initial: Initial) -> RealServer:
    return replace(real(address), initial=initial)


def joined(initial: Initial) -> tuple[Bench, VirtualService]:
    """A and B serve, C has joined."""
    bench, service = up(), virtual(real(A), real(B), first(C, initial))
    bench.feed(ConfigChanged(config(service)))
    return bench, service


def test_what_is_presumed_outlives_a_reload_that_says_the_same() -> None:
    bench, service = joined(Initial.UP)
    assert bench.weights(service) == {A: 1, B: 1, C: 1}
    bench.feed(ConfigChanged(config(replace(service, name="renamed"))))
    assert bench.weights(service) == {A: 1, B: 1, C: 1}


def test_what_is_presumed_ends_with_the_words_or_the_real_server() -> None:
    bench, service = joined(Initial.UP)
    bench.feed(ConfigChanged(config(WEB)))
    assert bench.director.presumed == {}
    bench, service = joined(Initial.DOWN)
    bench.feed(ConfigChanged(config(virtual(real(A), real(B), real(C)))))
    assert bench.director.presumed == {}
    assert C not in bench.weights(service)


def test_who_is_in_the_table_without_weight_does_not_serve() -> None:
    """Of an earlier table of ours with weights of 0 alone nobody is a predecessor's word."""
    service = virtual(first(A, Initial.UP), first(B, Initial.UNKNOWN))
    bench = Bench(config(service), table((service, {A: 0, B: 0})), frozenset({service_key(service.virtual)}))
    assert bench.weights(service)[A] == 1


# ---- fallback servers ----------------------------------------------------------------------------------------------


def test_a_fallback_that_waits_in_the_table_is_not_one_that_serves() -> None:
    """After a crash: who was not probed yet goes on where it serves, and is not put in where it waited."""
    service = virtual(real(A), fallback=(real(FIRST), real(SECOND)))
    bench = Bench(config(service), table((service, {FIRST: 0, SECOND: 1})), restarted=True)
    bench.hear({A: DOWN})
    assert {name for name, weight in bench.weights(service).items() if weight} == {SECOND}
    found = tuple(verdict(check_id(service, one), UP, bench.now) for one in service.fallback)
    bench.feed(VerdictsHeard(Verdicts(bench.director.generation, found)))
    assert {name for name, weight in bench.weights(service).items() if weight} == {FIRST}


# ---- clients that are not answered ---------------------------------------------------------------------------------

RULE = Passive(connections=10, window=5.0, action=PassiveAction.FAIL)
WATCHED = replace(WEB, rules=PoolRules(passive=RULE))


def look(bench: Bench, *services: VirtualService, **found: Finding) -> list[str]:
    """A window of clients' packets, of A and B."""
    bench.now += RULE.window
    seen = {
        service_key(service.virtual): {
            real_id(service, one): Seen(found["a" if one.address == A else "b"], 12) for one in service.real_servers
        }
        for service in services
    }
    bench.feed(ClientsSeen(seen))
    return bench.told()


def test_the_second_is_looked_at_like_the_first() -> None:
    bench = up(WATCHED)
    assert look(bench, WATCHED, a=ANSWERED, b=UNANSWERED) == ["real_server_suspect"]
    for _ in range(2):
        look(bench, WATCHED, a=ANSWERED, b=UNANSWERED)
    assert bench.weights(WATCHED) == {A: 1}


def test_windows_in_which_nobody_was_answered_count_for_nothing_later() -> None:
    bench = up(WATCHED)
    for _ in range(5):
        look(bench, WATCHED, a=UNANSWERED, b=UNANSWERED)
    look(bench, WATCHED, a=UNANSWERED, b=ANSWERED)
    assert bench.weights(WATCHED) == {A: 1, B: 1}


def test_who_is_suspect_is_forgotten_so_long_after_the_last_and_not_the_first_sign() -> None:
    bench, key = up(WATCHED), service_key(WATCHED.virtual)
    probing = replace(WATCHED, rules=PoolRules(passive=replace(RULE, action=PassiveAction.PROBE)))
    for service in (WATCHED, probing):
        bench = up(service)
        for _ in range(FORGET_WINDOWS + 2):
            look(bench, service, a=UNANSWERED, b=QUIET)
        look(bench, service, a=QUIET, b=QUIET)
        assert is_open(bench.director, key)
        for _ in range(FORGET_WINDOWS):
            look(bench, service, a=QUIET, b=QUIET)
        assert not is_open(bench.director, key)


def test_of_two_services_each_is_looked_at_by_its_own_rule() -> None:
    other = replace(virtual(real(A), real(B), port=81, name="other"), rules=WATCHED.rules)
    plain = virtual(real(A), real(B), port=82, name="plain")
    bench = up(other, plain, WATCHED)
    assert look(bench, WATCHED, a=UNANSWERED, b=ANSWERED) == ["real_server_suspect"]
    assert is_open(bench.director, service_key(WATCHED.virtual))
    assert not is_open(bench.director, service_key(other.virtual))
    assert look(bench, plain, a=UNANSWERED, b=ANSWERED) == []


# ---- many words at once --------------------------------------------------------------------------------------------

THREE = virtual(real(A), real(B), real(C))


def words(bench: Bench) -> dict[str, OverrideKind]:
    """Address -> the word on it."""
    named = {name.rpartition(" > ")[2].partition(":")[0]: one.kind for name, one in bench.director.overrides.items()}
    return dict(sorted(named.items()))


def said(bench: Bench, service: VirtualService, **spoken: Override) -> None:
    addresses = {"a": A, "b": B, "c": C}
    bench.feed(OverridesSet({real_id(service, real(addresses[one])): said for one, said in spoken.items()}))


def test_one_that_awaits_a_person_takes_nobody_elses_word_away() -> None:
    service = replace(THREE, rules=PoolRules(manual_resume=True))
    bench = up(service)
    said(bench, service, c=Override(WEIGHT, weight=5))
    bench.hear({A: DOWN})
    bench.hear({B: DOWN})
    assert words(bench) == {A: OverrideKind.AWAIT, B: OverrideKind.AWAIT, C: WEIGHT}


def test_a_word_ends_in_its_time_and_no_other_with_it() -> None:
    service = replace(THREE, rules=PoolRules(manual_resume=True))
    bench = up(service)
    bench.hear({C: DOWN})
    said(bench, service, a=Override(WEIGHT, weight=5, until=bench.now + 10), b=Override(DISABLE))
    bench.now += 9
    bench.feed(Ticked())
    assert (bench.told(), len(words(bench))) == ([], 3)
    bench.now += 1
    bench.feed(Ticked())
    assert words(bench) == {B: DISABLE, C: OverrideKind.AWAIT}
    ended = [one.fields for one in bench.effects if isinstance(one, Tell) and one.event == "override_ended"]
    assert ended == [{"service": "http", "real_server": f"{A}:80", "kind": "weight", "why": "over"}]
    bench.feed(ConfigChanged(config(virtual(real(A), real(C)))))
    ended = [one.fields for one in bench.effects if isinstance(one, Tell) and one.event == "override_ended"]
    assert {(one["real_server"], one["why"]) for one in ended} >= {(f"{B}:80", "not configured any more")}
    assert words(bench) == {}


def test_each_drain_ends_by_itself_and_no_other_word_is_one() -> None:
    bench = up(THREE)
    said(bench, THREE, a=Override(DRAIN, since=bench.now), b=Override(DRAIN, since=bench.now), c=Override(DISABLE))
    bench.now += 60
    left = {DestinationKey(A, 80): Connections(1, 0, 0)}
    bench.feed(ConnectionsCounted({service_key(THREE.virtual): left}))
    assert words(bench) == {A: DRAIN, B: OverrideKind.DRAINED, C: DISABLE}
    bench.now += 60
    bench.feed(ConnectionsCounted({service_key(THREE.virtual): {}}))
    assert words(bench) == {A: OverrideKind.DRAINED, B: OverrideKind.DRAINED, C: DISABLE}


# ---- groups, latencies, counters -----------------------------------------------------------------------------------


def test_beside_one_in_its_slow_start_goes_on_who_serves_of_the_next_group() -> None:
    """Also where not all of that group do."""
    reals = (real(A, 10), *(replace(real(one, 10), priority_group=2) for one in (B, C)))
    service = replace(virtual(*reals), rules=PoolRules(slow_start=30.0))
    bench = up(service)
    bench.hear({B: DOWN})
    bench.hear({A: DOWN})
    assert bench.weights(service) == {C: 10}
    bench.hear({A: UP})
    assert bench.weights(service) == {A: 1, C: 10}
    bench.now += 30
    bench.feed(Ticked())
    assert bench.weights(service)[A] == 10
    assert bench.weights(service)[C] == 0


@pytest.mark.parametrize(("flags", "waits"), [(0, False), (0x10, False), (0x8, True), (0x18, True)])
def test_who_stands_by_waits_in_the_table_only_where_nobody_is_sent_to_it(flags: int, waits: bool) -> None:
    service = virtual(real(A), replace(real(B), priority_group=2), scheduler="sh", flags=flags)
    assert (B in up(service).weights(service)) is waits


def test_latencies_are_heard_of_behind_those_of_services_that_do_not_follow_them() -> None:
    other = virtual(real(A), real(B), port=81, name="other")
    service = replace(WEB, rules=PoolRules(latency_weights=LatencyWeights()))
    bench = up(other, service)
    bench.hear({A: UP, B: UP})
    assert len(bench.director.pools[service_key(service.virtual)].speeds) == 2


SAMPLE = Sample(100.0, 50, 500, 400, 50_000)


@pytest.mark.parametrize("counter", ["at", "connections", "packets_in", "packets_out", "bytes_in"])
def test_where_any_counter_went_back_all_before_is_forgotten(counter: str) -> None:
    later = Sample(101.0, 50, 500, 400, 50_000)
    assert kept((SAMPLE,), later) == (SAMPLE, later)
    back = dataclasses.replace(later, **{counter: getattr(SAMPLE, counter) - 1})
    assert kept((SAMPLE,), back) == (back,)


def test_no_more_samples_are_kept_than_are_compared() -> None:
    samples: tuple[Sample, ...] = ()
    for moment in range(20):
        samples = kept(samples, dataclasses.replace(SAMPLE, at=float(moment)))
    assert [one.at for one in samples] == [16.0, 17.0, 18.0, 19.0]


# ---- what a worker says, and what leaves how -----------------------------------------------------------------------


def test_what_nobody_knows_of_in_a_packet_keeps_nothing_behind_it_from_being_heard() -> None:
    bench = Bench(config(WEB), table((WEB, {A: 1, B: 1})), restarted=True)
    strange = verdict("tcp 192.0.2.9:80 > 192.0.2.10:80", DOWN, bench.now)
    empty = replace(verdict(check_id(WEB, real(A)), State.UNKNOWN, bench.now), probes=0)
    found = verdict(check_id(WEB, real(B)), DOWN, bench.now)
    bench.feed(VerdictsHeard(Verdicts(bench.director.generation, (strange, empty, found))))
    assert bench.weights(WEB) == {A: 1}


def test_a_worker_that_repeats_what_it_was_told_changes_nothing() -> None:
    bench = up()
    bench.hear({A: DOWN})
    told = replace(verdict(check_id(WEB, real(A)), UP, bench.now), probes=0)
    bench.feed(VerdictsHeard(Verdicts(bench.director.generation, (told,))))
    assert bench.weights(WEB) == {B: 1}


def test_a_worker_that_cannot_tell_takes_back_neither_the_state_nor_since_when_it_is() -> None:
    bench = up()
    began = bench.now
    bench.now += 30
    lost = verdict(check_id(WEB, real(A)), State.UNKNOWN, bench.now, Inconclusive("no descriptors"))
    bench.feed(VerdictsHeard(Verdicts(bench.director.generation, (lost,))))
    believed = bench.director.verdicts[check_id(WEB, real(A))]
    assert (believed.state, believed.since, believed.probed_at) == (UP, began, bench.now)


@pytest.mark.parametrize(("flags", "left"), [(0, {B: 1}), (0x10, {B: 1}), (0x8, {A: 0, B: 1}), (0x18, {A: 0, B: 1})])
def test_who_fails_under_sh_stays_without_weight_only_where_its_clients_are_sent_on(
    flags: int, left: dict[str, int]
) -> None:
    service = replace(WEB, scheduler="sh", flags=flags)
    bench = up(service)
    bench.hear({A: DOWN})
    assert bench.weights(service) == left


# ---- holds after failures ------------------------------------------------------------------------------------------

HELD = PoolRules(hold_down=HoldDown(10.0, 60.0, 100.0))


def flap(bench: Bench, address: str) -> None:
    bench.hear({address: DOWN})
    bench.now += 1
    bench.hear({address: UP})


def test_a_hold_ends_for_the_quorum_that_counts_now_the_lower_while_it_is_gained_and_the_higher_after() -> None:
    service = replace(THREE, rules=HELD, quorum=2, hysteresis=1, fallback=(real(FIRST, check=Check(NoCheck())),))
    bench = up(service)
    flap(bench, A)
    flap(bench, A)
    bench.hear({B: DOWN})
    assert bench.weights(service) == {C: 1}  # lost with none alone
    bench = up(service)
    flap(bench, A)
    bench.hear({A: DOWN, B: DOWN, C: DOWN})
    bench.hear({B: UP, C: UP})
    assert bench.weights(service) == {FIRST: 1}
    bench.hear({A: UP})
    assert bench.weights(service) == {A: 1, B: 1, C: 1}  # gained with all three


def test_who_is_let_go_has_nobody_elses_failures_forgotten() -> None:
    service = replace(WEB, rules=HELD)
    bench = up(service)
    flap(bench, B)
    flap(bench, A)
    flap(bench, A)
    assert bench.weights(service) == {B: 1}
    bench.hear({B: DOWN})
    assert bench.weights(service) == {A: 1}
    bench.now += 1
    bench.hear({B: UP})
    assert bench.weights(service) == {A: 1}  # its second failure
