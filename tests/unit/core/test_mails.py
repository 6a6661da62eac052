"""Mails: ldirectord's subjects, in the phases that are asked for, repeated, and never a flood."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from config.checks import Check, NoCheck
from config.model import FirewallMark, Mail, VirtualService
from config.pool_rules import Amount, CorrelatedFailure, Floor, PoolRules
from config.words import OnFailure
from lvsd.core import mails
from lvsd.core.director import step
from lvsd.core.effects import SendMail, Yield
from lvsd.core.events import ConfigChanged, MaintenanceSeen, Resumed, StopAsked, Ticked
from lvsd.core.identity import service_key
from lvsd.core.mails import MAILS_A_TICK, MESSAGES_A_MAIL
from netlink.errors import Refusal
from netlink.operations import AddDestination
from netlink.table import Destination, DestinationKey
from tests.unit.core.world import Bench, config, real, table, virtual

A, B, SPARE = "1.1.1.17", "1.1.1.18", "1.1.1.99"
UP, DOWN = State.UP, State.DOWN
OPS = Mail(to=("ops@example.com",), label="Web Site", comment="call Bob")


def mailed(mail: Mail = OPS, *, on_failure: OnFailure = OnFailure.REMOVE, fallback: bool = False) -> VirtualService:
    spare = (real(SPARE, check=Check(NoCheck())),) if fallback else ()
    return replace(virtual(real(A), real(B, weight=5), on_failure=on_failure, fallback=spare), mail=mail)


def running(service: VirtualService) -> Bench:
    """All is up, and the first round over."""
    bench = Bench(config(service))
    bench.hear({A: UP, B: UP})
    bench.feed(Ticked())
    return bench


def test_who_leaves_and_who_comes_back_is_told_in_ldirectords_words() -> None:
    bench = running(mailed())
    bench.hear({A: DOWN})
    assert bench.mails() == ["[Web Site] Deleted real server: 1.1.1.17:80 (1.1.1.12:80)"]
    bench.hear({A: UP})
    assert bench.mails() == ["[Web Site] Added real server: 1.1.1.17:80 (1.1.1.12:80) (Weight set to 1)"]


def test_quiescent_and_restored() -> None:
    bench = running(mailed(on_failure=OnFailure.QUIESCE))
    bench.hear({B: DOWN})
    assert bench.mails() == ["[Web Site] Quiescent real server: 1.1.1.18:80 (1.1.1.12:80) (Weight set to 0)"]
    bench.hear({B: UP})
    assert bench.mails() == ["[Web Site] Restored real server: 1.1.1.18:80 (1.1.1.12:80) (Weight set to 5)"]


def test_the_fallback_servers_turn_is_told_too() -> None:
    bench = running(mailed(fallback=True))
    bench.hear({A: DOWN, B: DOWN})
    assert "[Web Site] Added fallback server: 1.1.1.99:80 (1.1.1.12:80) (Weight set to 1)" in bench.mails()
    bench.hear({A: UP})
    assert bench.mails()[-1] == "[Web Site] Deleted fallback server: 1.1.1.99:80 (1.1.1.12:80)"


def test_a_mail_holds_what_ldirectords_did() -> None:
    bench = running(mailed())
    bench.hear({A: DOWN})
    mail = next(effect for effect in bench.effects if isinstance(effect, SendMail))
    assert mail.mail == OPS
    assert mail.body == (
        "Log-Message: [Web Site] Deleted real server: 1.1.1.17:80 (1.1.1.12:80)\n"
        "Daemon-Status: running\n"
        "\n"
        "Service name: Web Site\n"
        "Comment: call Bob\n"
    )


def test_a_mark_is_told_as_a_bare_number_and_no_label_is_no_bracket() -> None:
    service = replace(mailed(Mail(to=("ops@example.com",))), virtual=FirewallMark(7))
    bench = running(service)
    bench.hear({A: DOWN})
    assert bench.mails() == ["Deleted real server: 1.1.1.17:80 (7)"]


def test_a_server_that_a_reload_takes_away_is_purged() -> None:
    bench = running(mailed())
    bench.feed(ConfigChanged(config(replace(mailed(), real_servers=(real(B, weight=5),)))))
    assert bench.mails() == ["[Web Site] Purged real server (start): 1.1.1.17:80 (1.1.1.12:80)"]


def test_a_change_of_weight_is_no_mail() -> None:
    bench = running(mailed())
    bench.feed(ConfigChanged(config(replace(mailed(), real_servers=(real(A, weight=9), real(B, weight=5))))))
    assert bench.operations()
    assert bench.mails() == []


def test_what_the_kernel_refused_is_no_mail() -> None:
    bench = Bench(config(mailed()))
    adding = AddDestination(service_key(mailed().virtual), Destination(DestinationKey(A, 80), 3, 1))
    bench.refuse[adding] = Refusal(adding, 12, "out of memory")
    bench.hear({A: UP})
    assert bench.mails() == []


def test_a_restart_mails_nothing() -> None:
    bench = Bench(config(mailed()), table((mailed(), {A: 1, B: 5})), restarted=True)
    bench.hear({A: UP, B: UP})
    bench.feed(Ticked())
    assert bench.mails() == []


@pytest.mark.parametrize(
    ("phase", "expected"),
    [("starting", (1, 0, 0, 0)), ("running", (0, 1, 0, 0)), ("reloading", (0, 0, 1, 0)), ("stopping", (0, 0, 0, 1))],
)
def test_only_the_phases_asked_for(phase: str, expected: tuple[int, int, int, int]) -> None:
    service = mailed(replace(OPS, phases=frozenset({phase})))
    bench = Bench(replace(config(service, clear_table_on_stop=True)))
    bench.hear({A: UP})
    counts = [len(bench.mails())]
    bench.hear({B: DOWN})
    bench.feed(Ticked())
    bench.hear({B: UP})
    counts.append(len(bench.mails()))
    third = replace(service, real_servers=(*service.real_servers, real("1.1.1.20")))
    bench.feed(ConfigChanged(config(third, clear_table_on_stop=True)))
    bench.hear({A: DOWN})
    counts.append(len(bench.mails()))
    bench.feed(StopAsked())
    counts.append(len(bench.mails()))
    assert tuple(counts) == expected


def test_the_first_round_is_over_as_soon_as_all_are_judged() -> None:
    bench = Bench(config(mailed(replace(OPS, phases=frozenset({"running"})))))
    bench.hear({A: UP, B: UP})
    assert bench.mails() == []
    bench.hear({A: DOWN})
    assert len(bench.mails()) == 1


def test_who_stays_down_is_told_of_again_and_again() -> None:
    bench = running(mailed(replace(OPS, repeat=60.0)))
    bench.hear({A: DOWN})
    told = []
    for _ in range(130):
        bench.feed(Ticked())
        told += [(bench.now, subject) for subject in bench.mails()]
        bench.now += 1
    words = "[Web Site] Inaccessible real server: 1.1.1.17:80 (1.1.1.12:80)"
    assert told == [(160.0, words), (220.0, words)]
    bench.hear({A: UP})
    bench.feed(Ticked())
    bench.hear({A: DOWN})
    bench.feed(Ticked())
    assert bench.mails() == []  # the minute begins afresh


def test_nobody_is_reminded_of_maintenance_or_without_asking() -> None:
    bench = running(mailed(replace(OPS, repeat=1.0)))
    bench.feed(MaintenanceSeen(frozenset({A})))
    silent = running(mailed())
    silent.hear({A: DOWN})
    for one in (bench, silent):
        for _ in range(5):
            one.now += 1
            one.feed(Ticked())
            assert one.mails() == []


def farm(size: int, mail: Mail = OPS) -> VirtualService:
    servers = tuple(real(f"10.0.{number // 250}.{number % 250 + 1}") for number in range(size))
    return replace(virtual(*servers), mail=mail)


def states(service: VirtualService, state: State) -> dict[str, State]:
    return {one.address: state for one in service.real_servers}


def test_a_farm_that_dies_sends_few_mails_and_sums_up_the_rest() -> None:
    service = farm(30)
    bench = Bench(config(service))
    bench.hear(states(service, UP))
    for _ in range(3):
        bench.feed(Ticked())
    bench.hear(states(service, DOWN))
    assert len(bench.mails()) == MAILS_A_TICK
    bench.feed(Ticked())
    summed_up = next(effect for effect in bench.effects if isinstance(effect, SendMail))
    assert bench.mails() == ["20 further messages"]
    assert summed_up.body.count("Log-Message: ") == 20
    bench.feed(Ticked())
    assert bench.mails() == []


def test_what_one_mail_cannot_hold_is_counted() -> None:
    service = farm(2000)
    bench = Bench(config(service), table((service, {})))
    bench.hear(states(service, UP))
    bench.feed(Ticked())
    summed_up = next(effect for effect in bench.effects if isinstance(effect, SendMail))
    assert summed_up.body.count("Log-Message: ") == MESSAGES_A_MAIL
    assert f"and {2000 - MAILS_A_TICK - MESSAGES_A_MAIL} more" in summed_up.body


def test_many_recipients_get_theirs_over_the_next_ticks() -> None:
    services = tuple(
        replace(farm(20, Mail(to=(f"{number}@example.com",))), virtual=FirewallMark(number + 1)) for number in range(15)
    )
    bench = Bench(config(*services))
    bench.hear(states(services[0], UP))
    seen = [len(bench.mails())]
    for _ in range(3):
        bench.feed(Ticked())
        seen.append(len(bench.mails()))
    assert max(seen) == MAILS_A_TICK
    assert seen == [10, 10, 5, 0]


def test_the_stop_sums_up_at_once_what_it_took_out() -> None:
    service = farm(30)
    bench = Bench(config(service, clear_table_on_stop=True))
    bench.hear(states(service, UP))
    for _ in range(2):
        bench.feed(Ticked())
    bench.feed(StopAsked())
    assert len(bench.mails()) == MAILS_A_TICK + 1
    assert bench.mails()[0] == "[Web Site] Purged real server (stop): 10.0.0.1:80 (1.1.1.12:80)"
    assert bench.mails()[-1] == "20 further messages"
    quiet = Bench(config(service), table((service, {"10.0.0.1": 1})))
    quiet.feed(StopAsked())
    assert quiet.mails() == []


def test_a_broken_floor_is_told_at_once_and_its_end() -> None:
    bench = running(replace(mailed(), rules=PoolRules(Floor(Amount(2)))))
    bench.hear({A: DOWN})
    assert bench.mails() == ["[Web Site] Floor broken: 1 real servers up, 2 wanted (1.1.1.12:80): keep"]
    bench.hear({A: UP})
    assert bench.mails() == ["[Web Site] Floor restored: 2 real servers up, 2 wanted (1.1.1.12:80)"]


def test_a_suspicion_is_told_and_what_came_of_it() -> None:
    three = replace(mailed(), real_servers=(real(A), real(B), real(SPARE)))
    bench = Bench(config(replace(three, rules=PoolRules(correlated_failure=CorrelatedFailure()))))
    bench.hear({A: UP, B: UP, SPARE: UP})
    bench.now += 100
    bench.hear({A: DOWN, B: DOWN, SPARE: DOWN})
    assert bench.mails() == ["[Web Site] Failure suspected: 3 real servers failed at once (1.1.1.12:80), kept for now"]
    bench.hear({A: UP, B: UP, SPARE: UP})
    assert bench.mails() == ["[Web Site] Failure not confirmed (1.1.1.12:80)"]


def test_a_look_goes_on_where_it_was_and_begins_anew_with_a_new_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mails, "REAL_SERVERS_AT_ONCE", 1)
    mail = replace(OPS, repeat=1.0)
    services = [replace(mailed(mail), virtual=FirewallMark(number), name=str(number)) for number in (1, 2, 3)]
    bench = Bench(config(*services))
    bench.hear({A: UP, B: UP})
    bench.hear({A: DOWN})
    bench.feed(Ticked())
    bench.now += 1
    seen: list[str] = []
    director = bench.director
    for event in (Ticked(), Ticked(), Resumed(), Resumed()):  # the first turn is missed; the last finds nothing
        director, effects = step(director, event, bench.now)
        seen += [one.subject for one in effects if isinstance(one, SendMail)]
    words = "[Web Site] Inaccessible real server: 1.1.1.17:80"
    assert seen == [f"{words} (1)", f"{words} (2)", f"{words} (3)"]
    director, effects = step(director, Ticked(), bench.now + 1)
    assert Yield() in effects
    assert director.post.looked_at == 1
    director, _ = step(director, ConfigChanged(config(services[2])), bench.now + 1)
    assert director.post.looked_at == 0
    assert len(director.post.told_at) == 1
    quiet = replace(services[2], mail=OPS)
    director, _ = step(director, ConfigChanged(config(quiet)), bench.now + 1)
    assert not director.post.told_at
