"""Commands and lines for roles of VRRP: each change once and in order, whatever restarts or is reloaded."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from config.model import Daemon, FirewallMark, VrrpGroup, VrrpHooks
from lvsd.core.effects import Effect, Level, RememberRoles, RunCommand, Tell
from lvsd.core.events import ConfigChanged, Started, StopAsked, VrrpCame, VrrpHeard, VrrpWent
from lvsd.core.roles import word_of
from lvsd.version import VERSION
from lvsd.vrrp.messages import Cause, Role, VrrpStatus
from tests.unit.core.vrrp_world import EVERY, calls, config, connected, instance, lines, report, role, status
from tests.unit.core.world import Bench, real, virtual

FIFO = "/run/roles"
PIPED = Daemon(notify_fifo=FIFO)


def test_each_role_runs_its_command_then_that_of_any_role() -> None:
    bench = connected(config(instance()))
    assert calls(role(bench, Role.BACKUP)) == ["/bin/backup", "/bin/any x INSTANCE lb0 BACKUP 100"]
    assert calls(role(bench, Role.ACTIVE)) == ["/bin/active", "/bin/any x INSTANCE lb0 MASTER 100"]
    assert calls(role(bench, Role.ACTIVE)) == []
    lost = status("lb0", Role.INITIALIZE, fault="interface eth0 is down", cause=Cause.LINK_DOWN)
    assert calls(report(bench, lost)) == ["/bin/fault", "/bin/any x INSTANCE lb0 FAULT 100"]
    assert calls(bench.feed(StopAsked())) == ["/bin/stop", "/bin/any x INSTANCE lb0 STOP 100"]


def test_commands_of_one_instance_share_a_lane_and_are_told_what_happened() -> None:
    bench = connected(config(instance()))
    ran = [one for one in report(bench, status("lb0", Role.ACTIVE, priority=87)) if isinstance(one, RunCommand)]
    assert {one.lane for one in ran} == {"vrrp instance lb0"}
    assert ran[0].environment == {
        "LVSD_EVENT": "vrrp_active",
        "LVSD_INSTANCE": "lb0",
        "LVSD_ROLE": "active",
        "LVSD_PRIORITY": "87",
    }


@pytest.mark.parametrize(
    ("standing", "cause", "fault", "word"),
    [
        (Role.ACTIVE, Cause.RESUMED, "", "MASTER"),
        (Role.BACKUP, Cause.START, "", "BACKUP"),
        (Role.INITIALIZE, Cause.START, "", None),
        (Role.INITIALIZE, Cause.LINK_DOWN, "no", "FAULT"),
        (Role.INITIALIZE, Cause.LINK_DOWN, "script chk: no result yet", None),
        (Role.INITIALIZE, Cause.LINK_DOWN, "sync group: a: script chk: no result yet", None),
        (Role.INITIALIZE, Cause.SHUTDOWN, "", "STOP"),
        (Role.INITIALIZE, Cause.SHUTDOWN, "no", "STOP"),
    ],
)
def test_words_of_roles(standing: Role, cause: Cause, fault: str, word: str | None) -> None:
    assert word_of(status("lb0", standing, cause=cause, fault=fault)) == word


def test_vrrp_stops_before_the_director_and_it_is_told_once() -> None:
    bench = connected(config(instance()))
    role(bench, Role.ACTIVE)
    stopped = report(bench, status("lb0", Role.INITIALIZE, cause=Cause.SHUTDOWN))
    assert calls(stopped) == ["/bin/stop", "/bin/any x INSTANCE lb0 STOP 100"]
    assert calls(bench.feed(StopAsked())) == []


def test_what_never_had_a_role_does_not_stop() -> None:
    assert calls(connected(config(instance())).feed(StopAsked())) == []


def lost(effects: list[Effect]) -> list[str]:
    return [one.event for one in effects if isinstance(one, Tell) and one.level is Level.WARNING]


def test_one_that_said_that_it_ends_is_not_lost_and_its_successor_may_be() -> None:
    bench = connected(config(instance()))
    bench.feed(VrrpHeard(VrrpStatus(1, 4711, (), version=VERSION, ending=True)))
    assert lost(bench.feed(VrrpWent())) == []
    bench.feed(VrrpCame())
    bench.feed(VrrpHeard(VrrpStatus(1, 4712, (), version=VERSION)))
    assert lost(bench.feed(VrrpWent())) == ["vrrp_process_lost"]


def test_a_lost_vrrp_process_that_resumes_changes_nothing() -> None:
    bench = connected(config(instance()))
    role(bench, Role.ACTIVE)
    assert calls(bench.feed(VrrpWent())) == []
    assert calls(report(bench, status("lb0", Role.ACTIVE, cause=Cause.RESUMED))) == []
    assert calls(role(bench, Role.BACKUP)) == ["/bin/backup", "/bin/any x INSTANCE lb0 BACKUP 100"]


def follow(dead: Bench, *, restarted: bool = True) -> Bench:
    """A director that takes over from a dead one."""
    bench = Bench(dead.director.config)
    bench.feed(Started(dead.director.config, frozenset(), {}, restarted, roles=dead.director.roles))
    return bench


def test_who_follows_a_dead_director_tells_what_has_changed_meanwhile_and_nothing_again() -> None:
    dead = connected(config(instance()))
    role(dead, Role.ACTIVE)
    assert calls(role(follow(dead), Role.ACTIVE)) == []
    assert calls(role(follow(dead), Role.BACKUP))[0] == "/bin/backup"
    assert calls(role(follow(dead, restarted=False), Role.ACTIVE))[0] == "/bin/active"


def test_what_is_told_is_written_down_first() -> None:
    bench = connected(config(instance()))
    effects = role(bench, Role.ACTIVE)
    kinds = [type(effect) for effect in effects]
    assert kinds.index(RememberRoles) < kinds.index(RunCommand)
    assert [dict(one.roles) for one in effects if isinstance(one, RememberRoles)] == [{"INSTANCE lb0": "MASTER"}]


def test_a_reload_repeats_nothing_and_new_commands_hold_from_the_next_change() -> None:
    bench = connected(config(instance()))
    role(bench, Role.ACTIVE)
    assert calls(bench.feed(ConfigChanged(config(instance(hooks=VrrpHooks(backup=("/bin/new",))))))) == []
    assert calls(role(bench, Role.ACTIVE)) == []
    assert calls(role(bench, Role.BACKUP)) == ["/bin/new"]


def test_an_instance_that_is_configured_no_more_stops_by_its_own_commands() -> None:
    bench = connected(config(instance(), instance(name="lb1", number=2)))
    report(bench, status("lb0", Role.ACTIVE), status("lb1", Role.BACKUP))
    gone = bench.feed(ConfigChanged(config(instance(name="lb1", number=2))))
    assert calls(gone) == ["/bin/stop", "/bin/any x INSTANCE lb0 STOP 100"]
    assert dict(bench.director.roles) == {"INSTANCE lb1": "BACKUP"}
    assert calls(report(bench, status("lb0", Role.ACTIVE), status("lb1", Role.BACKUP))) == []  # an old report


GROUP = VrrpGroup("both", replace(EVERY, any=("/bin/group",)))
PAIR = config(
    instance(name="a", group="both", hooks=VrrpHooks(any=("/bin/a",))),
    instance(name="b", group="both", hooks=VrrpHooks(), number=2),
    groups=(GROUP,),
)


def test_a_group_has_a_role_when_its_members_agree() -> None:
    bench = connected(PAIR)
    assert calls(report(bench, status("a", Role.BACKUP), status("b", Role.BACKUP))) == [
        "/bin/a INSTANCE a BACKUP 100",
        "/bin/backup",
        "/bin/group GROUP both BACKUP 0",
    ]
    assert calls(report(bench, status("a", Role.ACTIVE), status("b", Role.BACKUP))) == ["/bin/a INSTANCE a MASTER 100"]
    became = report(bench, status("a", Role.ACTIVE), status("b", Role.ACTIVE))
    assert calls(became) == ["/bin/active", "/bin/group GROUP both MASTER 0"]
    assert {one.lane for one in became if isinstance(one, RunCommand)} == {"vrrp group both"}
    failed = report(bench, status("a", Role.INITIALIZE, fault="x"), status("b", Role.ACTIVE))
    assert calls(failed)[-1] == "/bin/group GROUP both FAULT 0"
    assert calls(bench.feed(StopAsked()))[-1] == "/bin/group GROUP both STOP 0"


def test_a_group_without_its_members_stops() -> None:
    bench = connected(PAIR)
    report(bench, status("a", Role.BACKUP), status("b", Role.BACKUP))
    assert calls(bench.feed(ConfigChanged(config())))[-1] == "/bin/group GROUP both STOP 0"


def test_lines_are_keepaliveds_members_before_their_group() -> None:
    bench = connected(replace(PAIR, daemon=PIPED))
    effects = report(bench, status("a", Role.ACTIVE, priority=120), status("b", Role.ACTIVE))
    assert lines(effects) == [
        f'{FIFO} INSTANCE "a" MASTER 120',
        f'{FIFO} INSTANCE "b" MASTER 100',
        f'{FIFO} GROUP "both" MASTER 0',
    ]


def test_real_servers_and_quorums_have_a_pipe_of_their_own() -> None:
    web = virtual(real("1.1.1.17"), real("2001:db8::7"), name="web")
    marked = replace(virtual(real("1.1.1.17"), name="m"), virtual=FirewallMark(7))
    bench = Bench(replace(config(services=(web, marked)), daemon=Daemon(lvs_notify_fifo=FIFO)))
    up = bench.hear({"1.1.1.17": State.UP, "2001:db8::7": State.DOWN})
    assert lines(up) == [
        f"{FIFO} RS [2001:db8::7]:tcp:80 [1.1.1.12]:tcp:80 DOWN",
        f"{FIFO} VS [1.1.1.12]:tcp:80 UP",
        f"{FIFO} VS FWM 7 UP",
    ]
    assert lines(bench.hear({"1.1.1.17": State.DOWN})) == [
        f"{FIFO} RS [1.1.1.17]:tcp:80 [1.1.1.12]:tcp:80 DOWN",
        f"{FIFO} VS [1.1.1.12]:tcp:80 DOWN",
        f"{FIFO} RS [1.1.1.17]:tcp:80 FWM 7 DOWN",
        f"{FIFO} VS FWM 7 DOWN",
    ]
    assert f"{FIFO} RS [1.1.1.17]:tcp:80 [1.1.1.12]:tcp:80 UP" in lines(bench.hear({"1.1.1.17": State.UP}))
    without = bench.feed(ConfigChanged(replace(bench.director.config, services=(marked,))))
    assert lines(without) == []
