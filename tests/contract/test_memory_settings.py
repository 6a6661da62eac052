"""Timeouts and sync daemons in memory keep the contract; the kernel proves the same contract in the lab."""

from __future__ import annotations

import pytest

from netlink.errors import NetlinkError
from netlink.memory import MemoryTable
from netlink.memory_settings import MemorySettings
from netlink.settings import BACKUP, StartDaemon
from tests.contract.settings_contract import SettingsContract, SettingsSubject, memory


class TestMemorySettings(SettingsContract):
    """Against the fake."""

    @pytest.fixture
    def settings(self) -> SettingsSubject:
        return memory()


def test_what_the_kernel_is_never_told_is_not_taken_here() -> None:
    with pytest.raises(NetlinkError):
        MemoryTable().apply_settings([StartDaemon("neither", "eth0")])


def test_a_long_mtu_makes_long_messages_of_a_backup() -> None:
    jumbo = MemorySettings({"eth0": 9000})
    jumbo.apply_settings([StartDaemon(BACKUP, "eth0"), StartDaemon("master", "eth0")])
    assert [daemon.max_length for daemon in jumbo.daemons()] == [1472, 8972]
