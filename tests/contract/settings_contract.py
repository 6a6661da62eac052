"""What IPVS promises of timeouts and sync daemons: run against `netlink.memory` and against the kernel in the lab."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Protocol

import pytest

from netlink.errors import Refusal, SettingRefusal
from netlink.memory import MemoryTable
from netlink.memory_settings import MemorySettings
from netlink.operations import AddDestination, AddService, Operation
from netlink.settings import BACKUP, MASTER, SetTimeouts, Setting, StartDaemon, StopDaemon
from netlink.table import SyncDaemon, Timeouts
from tests.contract.table_contract import HTTP6, PLAIN6, to

INTERFACE = "sync0"
START = SetTimeouts(901, 121, 302)
MASTER_7 = StartDaemon(MASTER, INTERFACE, 7)
BACKUP_7 = StartDaemon(BACKUP, INTERFACE, 7)
MIXED = AddDestination(HTTP6, to("192.0.2.11", forwarding=2))


class SettingsSubject(Protocol):
    """An IPVS whose settings can be read and changed."""

    def timeouts(self) -> Timeouts: ...

    def daemons(self) -> tuple[SyncDaemon, ...]: ...

    def apply_settings(self, settings: Sequence[Setting]) -> tuple[SettingRefusal, ...]: ...

    def apply(self, operations: Sequence[Operation]) -> tuple[Refusal, ...]: ...


TAKEN: dict[str, tuple[tuple[Setting, ...], tuple[SyncDaemon, ...]]] = {
    "master": ((MASTER_7,), (SyncDaemon(MASTER, INTERFACE, 7, 1472, "224.0.0.81", 8848, 1),)),
    "backup": ((BACKUP_7,), (SyncDaemon(BACKUP, INTERFACE, 7, 1472, "224.0.0.81", 8848, 1),)),
    "both": (
        (BACKUP_7, MASTER_7),
        tuple(SyncDaemon(role, INTERFACE, 7, 1472, "224.0.0.81", 8848, 1) for role in (MASTER, BACKUP)),
    ),
    "everything said": (
        (StartDaemon(MASTER, INTERFACE, 255, 1000, "239.1.2.3", 9000, 3),),
        (SyncDaemon(MASTER, INTERFACE, 255, 1000, "239.1.2.3", 9000, 3),),
    ),
    "IPv6": (
        (StartDaemon(BACKUP, INTERFACE, 0, 0, "ff02:0::51", 9000, 3),),
        (SyncDaemon(BACKUP, INTERFACE, 0, 1452, "ff02::51", 9000, 3),),
    ),
    "short messages": (
        (StartDaemon(MASTER, INTERFACE, 1, 100), StartDaemon(BACKUP, INTERFACE, 1, 100)),
        (
            SyncDaemon(MASTER, INTERFACE, 1, 100, "224.0.0.81", 8848, 1),
            SyncDaemon(BACKUP, INTERFACE, 1, 1024, "224.0.0.81", 8848, 1),
        ),
    ),
    "long messages": (
        (StartDaemon(BACKUP, INTERFACE, 1, 65535),),
        (SyncDaemon(BACKUP, INTERFACE, 1, 65507, "224.0.0.81", 8848, 1),),
    ),
    "one stopped": (
        (BACKUP_7, MASTER_7, StopDaemon(BACKUP)),
        (SyncDaemon(MASTER, INTERFACE, 7, 1472, "224.0.0.81", 8848, 1),),
    ),
    "restarted with other settings": (
        (MASTER_7, StopDaemon(MASTER), StartDaemon(MASTER, INTERFACE, 8)),
        (SyncDaemon(MASTER, INTERFACE, 8, 1472, "224.0.0.81", 8848, 1),),
    ),
}

REFUSED_SETTINGS: dict[str, tuple[tuple[Setting, ...], Setting, int]] = {
    "already running": ((MASTER_7,), MASTER_7, errno.EEXIST),
    "already running with other settings": ((BACKUP_7,), StartDaemon(BACKUP, INTERFACE, 8), errno.EEXIST),
    "no such interface": ((), StartDaemon(MASTER, "nosuch0"), errno.ENODEV),
    "no multicast": ((), StartDaemon(MASTER, INTERFACE, group="192.0.2.1"), errno.EINVAL),
    "no IPv6 multicast": ((), StartDaemon(MASTER, INTERFACE, group="2001:db8::1"), errno.EINVAL),
    "no master to stop": ((BACKUP_7,), StopDaemon(MASTER), errno.ESRCH),
    "no backup to stop": ((), StopDaemon(BACKUP), errno.ESRCH),
    "timeout too long": ((), SetTimeouts(udp=0x7FFFFFFF), errno.EINVAL),
}


class SettingsContract:
    """Inherited by a test class with a fixture `settings`: an IPVS without daemons, its timeouts those of `START`."""

    @pytest.mark.parametrize("name", TAKEN)
    def test_takes(self, settings: SettingsSubject, name: str) -> None:
        before, running = TAKEN[name]
        assert settings.apply_settings(before) == ()
        assert settings.daemons() == running

    @pytest.mark.parametrize("name", REFUSED_SETTINGS)
    def test_refuses(self, settings: SettingsSubject, name: str) -> None:
        before, refused, number = REFUSED_SETTINGS[name]
        assert settings.apply_settings(before) == ()
        held = settings.timeouts(), settings.daemons()
        assert [(one.setting, one.errno) for one in settings.apply_settings([refused])] == [(refused, number)]
        assert (settings.timeouts(), settings.daemons()) == held

    def test_only_what_is_said_is_set(self, settings: SettingsSubject) -> None:
        assert settings.timeouts() == Timeouts(901, 121, 302)
        assert settings.apply_settings([SetTimeouts(tcp_fin=50)]) == ()
        assert settings.timeouts() == Timeouts(901, 50, 302)
        assert settings.apply_settings([SetTimeouts()]) == ()
        assert settings.timeouts() == Timeouts(901, 50, 302)

    def test_a_refusal_does_not_stop_what_follows(self, settings: SettingsSubject) -> None:
        refused = settings.apply_settings([StopDaemon(MASTER), MASTER_7, MASTER_7, SetTimeouts(udp=60)])
        assert [one.errno for one in refused] == [errno.ESRCH, errno.EEXIST]
        assert settings.timeouts() == Timeouts(901, 121, 60)
        assert [one.role for one in settings.daemons()] == [MASTER]

    def test_no_destination_of_another_family_beside_a_daemon(self, settings: SettingsSubject) -> None:
        assert settings.apply([AddService(PLAIN6)]) == ()
        assert settings.apply_settings([BACKUP_7]) == ()
        assert [one.errno for one in settings.apply([MIXED])] == [errno.EINVAL]
        assert settings.apply_settings([StopDaemon(BACKUP)]) == ()
        assert settings.apply([MIXED]) == ()
        assert [one.errno for one in settings.apply_settings([BACKUP_7])] == [errno.EINVAL]


def begun(subject: SettingsSubject) -> SettingsSubject:
    """With no daemon, and the timeouts of `START`."""
    subject.apply_settings([StopDaemon(daemon.role) for daemon in subject.daemons()])
    assert subject.apply_settings([START]) == ()
    return subject


def memory() -> SettingsSubject:
    """The fake."""
    return begun(MemoryTable(settings=MemorySettings({INTERFACE: 1500})))
