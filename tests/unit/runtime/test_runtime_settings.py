"""The runtime around IPVS's settings: what goes to the kernel, what a reload tells of it, what outlives a director."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from config.model import Config, ConnectionSync, Ipvs, Timeouts
from config.words import SyncRole
from lvsd.core.events import ConfigChanged
from lvsd.core.wording import change_texts, refusal_texts
from lvsd.runtime.director_runtime import Runtime
from lvsd.runtime.store import DAEMONS, Snapshot, Store
from netlink import table as kernel
from netlink.errors import NetlinkError
from netlink.ipvs_socket import IpvsSocket
from netlink.memory import MemoryTable
from netlink.settings import MASTER, SetTimeouts, StartDaemon

NOTHING = Snapshot((), {}, {}, {})
SAID = Config(ipvs=Ipvs(Timeouts(tcp=600), ConnectionSync("eth0", SyncRole.MASTER, sync_id=7)))
OURS = StartDaemon(MASTER, "eth0", 7)


def begun(memory: MemoryTable, directory: Path, config: Config) -> Runtime:
    runtime = Runtime(Store(directory), cast(IpvsSocket, memory))
    runtime.start(config, NOTHING, restarted=False)
    return runtime


def test_what_is_said_goes_to_the_kernel_and_ours_ends_in_another_life(tmp_path: Path) -> None:
    memory = MemoryTable()
    begun(memory, tmp_path, SAID)
    assert memory.timeouts() == kernel.Timeouts(600, 120, 300)
    assert [daemon.sync_id for daemon in memory.daemons()] == [7]
    assert Store(tmp_path).daemons() == {OURS}
    begun(memory, tmp_path, Config())
    assert memory.daemons() == ()
    assert Store(tmp_path).daemons() == frozenset()


async def test_a_reload_tells_what_changed_and_what_was_refused(tmp_path: Path) -> None:
    runtime = begun(MemoryTable(), tmp_path, SAID)
    elsewhere = Config(ipvs=Ipvs(Timeouts(tcp=500), ConnectionSync("eth9", SyncRole.MASTER)))
    (answer,) = await runtime.recorded(ConfigChanged(elsewhere))
    assert change_texts(answer) == (
        "set timeouts tcp 500",
        "stop master sync daemon",
        "start master sync daemon on eth9 sync id 0",
    )
    assert refusal_texts(answer) == ("start master sync daemon on eth9 sync id 0: no such interface",)


def test_a_tick_mends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvsd.runtime.director_runtime.proc_ip_vs_pieces", lambda: ())
    memory = MemoryTable()
    runtime = begun(memory, tmp_path, SAID)
    memory.apply_settings([SetTimeouts(tcp=5)])
    runtime.tick()
    assert memory.timeouts().tcp == 600


def test_settings_that_cannot_be_read_or_set_cost_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        message = "no answer"
        raise NetlinkError(message)

    memory = MemoryTable()
    monkeypatch.setattr(memory, "apply_settings", silent)
    runtime = begun(memory, tmp_path, SAID)
    assert runtime.belief.settings.unreadable == "no answer"
    monkeypatch.undo()
    runtime.tick()
    assert memory.timeouts().tcp == 600
    monkeypatch.setattr(memory, "timeouts", silent)
    runtime.tick()
    assert runtime.belief.settings.unreadable == "no answer"


def test_a_damaged_memory_of_daemons_is_none(tmp_path: Path) -> None:
    memory = MemoryTable()
    begun(memory, tmp_path, SAID)
    (tmp_path / DAEMONS).write_text("[1]")
    with pytest.raises(ValueError, match="Expected"):
        Store(tmp_path).daemons()
    begun(memory, tmp_path, Config())
    assert [daemon.role for daemon in memory.daemons()] == [MASTER]
