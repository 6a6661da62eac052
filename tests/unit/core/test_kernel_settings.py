"""Timeouts and sync daemons: what is said is set and mended, what is not is left, what was ours is ended."""

from __future__ import annotations

import pytest

from config.model import Timeouts
from config.words import SyncRole
from lvsd.core.effects import ReadSettings
from lvsd.core.events import ConfigChanged, SettingsUnreadable, StopAsked
from lvsd.core.kernel_settings import LINGER_SECONDS
from lvsd.vrrp.messages import Role
from netlink import table as kernel
from netlink.memory import MemoryTable
from netlink.settings import BACKUP, MASTER, SetTimeouts, StartDaemon, StopDaemon
from tests.unit.core.settings_world import SettingsBench, config, role_told, sync

OURS = StartDaemon(MASTER, "eth0", 7)
STRANGERS = StartDaemon(MASTER, "eth0", 99)


def holding(*daemons: StartDaemon) -> MemoryTable:
    memory = MemoryTable()
    assert memory.apply_settings(daemons) == ()
    return memory


def following(role: Role) -> SettingsBench:
    bench = SettingsBench(config(sync(SyncRole.FOLLOW)))
    bench.feed(role_told(role))
    return bench


def test_nothing_said_nothing_looked_at() -> None:
    bench = SettingsBench(config(), holding(STRANGERS))
    assert bench.tick() == []
    assert not any(isinstance(effect, ReadSettings) for effect in bench.effects)


def test_only_the_timeouts_said_are_set() -> None:
    bench = SettingsBench(config(timeouts=Timeouts(tcp=600)))
    assert bench.kernel.timeouts() == kernel.Timeouts(600, 120, 300)
    assert bench.sent == [SetTimeouts(tcp=600)]
    assert bench.tick() == []


def test_a_strangers_timeout_is_mended_and_told() -> None:
    bench = SettingsBench(config(timeouts=Timeouts(tcp=600)))
    bench.kernel.apply_settings([SetTimeouts(500, 50, 50)])
    assert bench.tick() == [SetTimeouts(tcp=600)]
    assert bench.told() == ["setting_changed_by_stranger", "setting_changed"]
    assert bench.kernel.timeouts() == kernel.Timeouts(600, 50, 50)


@pytest.mark.parametrize(
    ("role", "roles"),
    [(SyncRole.MASTER, [MASTER]), (SyncRole.BACKUP, [BACKUP]), (SyncRole.BOTH, [MASTER, BACKUP])],
)
def test_a_said_role_runs(role: SyncRole, roles: list[str]) -> None:
    bench = SettingsBench(config(sync(role)))
    assert bench.roles() == roles
    assert bench.tick() == []
    assert {one.role for one in bench.remembered} == set(roles)


def test_a_strangers_daemon_in_our_place_is_replaced_and_in_another_left() -> None:
    strangers = StartDaemon(BACKUP, "eth0", 99)
    bench = SettingsBench(config(sync(SyncRole.MASTER)), holding(STRANGERS, strangers))
    assert bench.sent == [StopDaemon(MASTER), OURS]
    assert [(one.role, one.sync_id) for one in bench.running()] == [(MASTER, 7), (BACKUP, 99)]


def test_what_runs_as_wanted_is_adopted_and_not_ours() -> None:
    bench = SettingsBench(config(sync(SyncRole.MASTER)), holding(OURS))
    assert bench.sent == []
    assert bench.feed(ConfigChanged(config())) == []
    assert bench.roles() == [MASTER]


def test_a_daemon_that_a_hand_stops_comes_back() -> None:
    bench = SettingsBench(config(sync(SyncRole.MASTER)))
    bench.kernel.apply_settings([StopDaemon(MASTER)])
    assert bench.tick() == [OURS]
    assert "setting_changed_by_stranger" in bench.told()


def test_ours_ends_with_its_configuration() -> None:
    bench = SettingsBench(config(sync(SyncRole.MASTER)))
    assert bench.feed(ConfigChanged(config())) == [StopDaemon(MASTER)]
    assert bench.remembered == frozenset()
    assert not any(isinstance(effect, ReadSettings) for effect in bench.effects[-1:])


def test_ours_of_an_earlier_life_ends_and_a_strangers_in_its_place_does_not() -> None:
    bench = SettingsBench(config(), holding(OURS), frozenset({OURS}))
    assert (bench.sent, bench.remembered) == ([StopDaemon(MASTER)], frozenset())
    other = SettingsBench(config(), holding(STRANGERS), frozenset({OURS}))
    assert (other.sent, other.remembered) == ([], frozenset())


def test_a_role_no_longer_said_ends_if_it_is_ours() -> None:
    bench = SettingsBench(config(sync(SyncRole.BOTH)))
    assert bench.feed(ConfigChanged(config(sync(SyncRole.MASTER)))) == [StopDaemon(BACKUP)]
    assert bench.remembered == {OURS}


def test_other_settings_restart_it() -> None:
    bench = SettingsBench(config(sync(SyncRole.MASTER)))
    wanted = StartDaemon(MASTER, "eth0", 7, port=9000)
    assert bench.feed(ConfigChanged(config(sync(SyncRole.MASTER, port=9000)))) == [StopDaemon(MASTER), wanted]
    assert bench.tick() == []


def test_a_length_no_longer_said_restarts_it_once() -> None:
    bench = SettingsBench(config(sync(SyncRole.MASTER, max_length=1000)))
    assert bench.feed(ConfigChanged(config(sync(SyncRole.MASTER)))) == [StopDaemon(MASTER), OURS]
    assert bench.running()[0].max_length == 1472
    assert bench.tick() == []


@pytest.mark.parametrize("length", [10, 65535])
def test_a_length_the_kernel_bounds_is_no_difference(length: int) -> None:
    bench = SettingsBench(config(sync(SyncRole.BOTH, max_length=length)))
    assert bench.tick() == []


def test_nobody_follows_before_vrrp_speaks_but_hears() -> None:
    bench = SettingsBench(config(sync(SyncRole.FOLLOW)))
    assert bench.roles() == [BACKUP]


def test_what_runs_is_left_until_vrrp_speaks() -> None:
    bench = SettingsBench(config(sync(SyncRole.FOLLOW)), holding(OURS))
    assert bench.sent == []
    assert bench.feed(role_told(Role.ACTIVE)) == []
    assert bench.roles() == [MASTER]


def test_the_active_becomes_master_at_once_and_ends_its_backup_behind_it() -> None:
    bench = following(Role.BACKUP)
    assert bench.feed(role_told(Role.ACTIVE)) == [OURS, StopDaemon(BACKUP)]
    assert bench.feed(role_told(Role.ACTIVE)) == []
    assert bench.tick() == []


def test_who_yields_hears_at_once_and_sends_what_it_gathered() -> None:
    bench = following(Role.ACTIVE)
    assert bench.feed(role_told(Role.BACKUP)) == [StartDaemon(BACKUP, "eth0", 7)]
    assert bench.tick(LINGER_SECONDS - 0.5) == []
    assert bench.roles() == [MASTER, BACKUP]
    assert bench.tick(1.0) == [StopDaemon(MASTER)]
    assert bench.tick() == []
    assert "setting_changed_by_stranger" not in bench.told()


def test_a_role_that_comes_back_while_it_lingers_keeps_its_master() -> None:
    bench = following(Role.ACTIVE)
    bench.feed(role_told(Role.BACKUP))
    assert bench.feed(role_told(Role.ACTIVE)) == [StopDaemon(BACKUP)]
    assert bench.tick(LINGER_SECONDS + 1) == []
    bench.feed(role_told(Role.BACKUP))
    assert bench.tick(LINGER_SECONDS - 0.5) == []


def test_an_instance_that_is_no_more_is_not_active() -> None:
    bench = following(Role.ACTIVE)
    bench.feed(ConfigChanged(config(sync(SyncRole.FOLLOW), vrrp=())))
    assert bench.roles() == [MASTER, BACKUP]
    bench.tick(LINGER_SECONDS + 1)
    assert bench.roles() == [BACKUP]


def test_at_the_end_both_run_and_the_next_life_goes_on_from_there() -> None:
    bench = following(Role.ACTIVE)
    assert bench.feed(StopAsked()) == [StartDaemon(BACKUP, "eth0", 7)]
    assert bench.roles() == [MASTER, BACKUP]
    following_life = SettingsBench(config(sync(SyncRole.FOLLOW)), bench.kernel, bench.remembered)
    following_life.feed(role_told(Role.BACKUP))
    following_life.tick(LINGER_SECONDS + 1)
    assert following_life.roles() == [BACKUP]


def test_at_the_end_who_hears_goes_on() -> None:
    assert following(Role.BACKUP).feed(StopAsked()) == []


def test_at_the_end_a_said_role_is_left() -> None:
    bench = SettingsBench(config(sync(SyncRole.MASTER)))
    assert bench.feed(StopAsked()) == []
    assert bench.roles() == [MASTER]


def test_a_cleared_table_ends_ours_alone() -> None:
    bench = SettingsBench(config(sync(SyncRole.MASTER), clear=True), holding(StartDaemon(BACKUP, "eth0", 99)))
    assert bench.feed(StopAsked()) == [StopDaemon(MASTER)]
    assert (bench.roles(), bench.remembered) == ([BACKUP], frozenset())


def test_a_refusal_is_told_once_and_tried_ever_more_seldom() -> None:
    bench = SettingsBench(config(sync(SyncRole.MASTER, interface="eth9")))
    assert bench.told() == ["config_loaded", "setting_refused"]
    tries = [(bench.now, bench.told()) for _ in range(60) if bench.tick()]
    assert [round(at - 100) for at, _ in tries] == [1, 3, 8, 18, 48]
    assert all(told == [] for _, told in tries)


def test_a_reload_does_not_wait_for_the_back_off() -> None:
    bench = SettingsBench(config(sync(SyncRole.MASTER, interface="eth9")))
    bench.tick()
    assert bench.feed(ConfigChanged(config(sync(SyncRole.MASTER)))) == [OURS]


def test_a_changed_role_does_not_wait_for_the_back_off() -> None:
    bench = SettingsBench(config(sync(SyncRole.FOLLOW, interface="eth9")))
    bench.tick(20)
    bench.feed(role_told(Role.BACKUP))
    assert bench.feed(role_told(Role.ACTIVE)) == [StartDaemon(MASTER, "eth9", 7)]


def test_what_the_kernel_takes_and_does_not_show_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = kernel.SyncDaemon(MASTER, "eth0", 1, 1, "224.0.0.81", 1, 1)
    monkeypatch.setattr(MemoryTable, "daemons", lambda _: (odd,))
    monkeypatch.setattr(MemoryTable, "apply_settings", lambda *_: ())
    bench = SettingsBench(config(sync(SyncRole.MASTER)))
    assert bench.told().count("setting_not_kept") == 1
    later = [(len(bench.tick()), bench.told()) for _ in range(60)]
    assert sum(sent for sent, _ in later) <= 2 * 6
    assert not any("setting_not_kept" in told for _, told in later)


def test_nothing_is_sent_while_they_cannot_be_read() -> None:
    bench = SettingsBench(config(timeouts=Timeouts(tcp=600)))
    bench.feed(SettingsUnreadable("no answer"))
    assert bench.told() == ["settings_unreadable"]
    bench.feed(SettingsUnreadable("no answer"))
    assert bench.told() == []
    assert bench.feed(ConfigChanged(config(timeouts=Timeouts(tcp=500)))) == []
    assert bench.tick() == [SetTimeouts(tcp=500)]
