"""The director's runtime around its core: a fault in one event, what a reload tells, what grows."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from config.load import load
from config.model import Config
from lvsd.control import hooks
from lvsd.core.events import ConfigChanged, Ticked
from lvsd.runtime import configuration
from lvsd.runtime.configuration import Reloader, first_configuration
from lvsd.runtime.director_runtime import Runtime
from lvsd.runtime.files import SystemFiles
from lvsd.runtime.notify_link import NotifyLink
from lvsd.runtime.store import Recorder, Store
from netlink.errors import Refusal
from netlink.ipvs_socket import IpvsSocket
from netlink.memory import MemoryTable
from netlink.operations import Operation
from netlink.table import Table

TEXT = """
services:
  web:
    virtual: 192.0.2.100:80
    check: {type: none}
    real_servers: [192.0.2.11, 192.0.2.12]
"""


class Kernel:
    """A table in memory; `broken`: a fault of ours in the next plan."""

    def __init__(self) -> None:
        self.memory = MemoryTable()
        self.broken = False

    def read_table(self) -> Table:
        return self.memory.read_table()

    def apply(self, operations: Sequence[Operation]) -> tuple[Refusal, ...]:
        if self.broken:
            self.broken = False
            raise RuntimeError
        return self.memory.apply(operations)


class Bench:
    """A runtime over files in a directory."""

    def __init__(self, directory: Path) -> None:
        self.kernel = Kernel()
        self.file = directory / "lvsd.yaml"
        self.store = Store(directory / "state")
        self.begin(TEXT)

    def begin(self, text: str, notify: NotifyLink | None = None) -> None:
        """As a director that starts with this text."""
        self.runtime = Runtime(self.store, cast(IpvsSocket, self.kernel))
        self.reloader = Reloader(self.runtime, self.store, (str(self.file),))
        if notify is not None:
            self.runtime.attach(notify)
        config = self.configured(text)
        recorder = Recorder(SystemFiles())
        load((str(self.file),), recorder)
        snapshot = recorder.snapshot((str(self.file),))
        self.runtime.start(config, snapshot, restarted=False)
        self.reloader.begin(snapshot)

    def configured(self, text: str) -> Config:
        self.file.write_text(text)
        loaded = load((str(self.file),), SystemFiles())
        assert loaded.config is not None, loaded.problems
        return loaded.config

    def held(self) -> int:
        return sum(len(entry.destinations) for entry in self.kernel.read_table().values())


@pytest.fixture
def bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as name:
        yield Bench(Path(name))


def test_a_fault_of_ours_costs_one_event_and_none_that_follow(bench: Bench) -> None:
    fewer = bench.configured(TEXT.replace(", 192.0.2.12", ""))
    bench.kernel.broken = True
    with pytest.raises(RuntimeError):
        bench.runtime.feed(ConfigChanged(fewer))
    assert bench.held() == 2
    bench.runtime.feed(ConfigChanged(fewer))
    assert bench.held() == 1


async def test_a_reload_tells_what_went_to_the_kernel_and_of_nothing_else(bench: Bench) -> None:
    bench.file.write_text(TEXT.replace(", 192.0.2.12", ""))
    reply = await bench.reloader.reload()
    assert reply.operations == ("delete 192.0.2.12:80 from tcp 192.0.2.100:80",)
    bench.file.write_text(TEXT)
    bench.runtime.feed(Ticked())
    assert len((await bench.reloader.reload()).operations) == 1
    assert (await bench.reloader.reload()).operations == ()


async def test_the_kernel_does_not_wait_for_the_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def apply(operations: Sequence[Operation]) -> tuple[Refusal, ...]:
        order.append("kernel")
        return bench.kernel.memory.apply(operations)

    monkeypatch.setattr(bench.kernel, "apply", apply)
    monkeypatch.setattr(bench.store, "remember_good", lambda _: order.append("disk"))
    bench.file.write_text(TEXT.replace(", 192.0.2.12", ""))
    await bench.reloader.reload()
    bench.begin(TEXT)
    assert order == ["kernel", "disk"] * 2


def test_the_last_good_configuration_is_that_of_the_same_files(bench: Bench, tmp_path: Path) -> None:
    bench.file.write_text("wrong")
    store = Store(bench.file.parent / "state")
    own, _ = first_configuration(store, (str(bench.file),), restarted=True)
    assert own.config is not None
    other = tmp_path / "other.yaml"
    other.write_text("wrong")
    theirs, _ = first_configuration(store, (str(other),), restarted=True)
    assert theirs.config is None


class Asked(NotifyLink):
    """Keeps what it is asked."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))
        self.commands: list[hooks.RunCommand] = []

    def send(self, message: hooks.ToNotify) -> None:
        assert isinstance(message, hooks.RunCommand)
        self.commands.append(message)


async def looked(bench: Bench) -> None:
    """Some seconds later."""
    for _ in range(4):
        bench.reloader.tick()
        await bench.reloader.settled()


AUTORELOAD = f"daemon: {{autoreload: true, on_config_change: [/bin/tell, it], command_user: daemon}}\n{TEXT}"


@pytest.fixture
def asked(bench: Bench) -> Asked:
    link = Asked()
    bench.begin(AUTORELOAD, link)
    return link


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    events: list[str] = []
    monkeypatch.setattr(configuration, "tell", lambda _, event, **__: events.append(event))
    return events


async def test_a_changed_file_is_told_to_the_command_and_taken_over(bench: Bench, asked: Asked) -> None:
    bench.file.write_text(AUTORELOAD.replace(", 192.0.2.12", ""))
    await looked(bench)
    assert bench.held() == 1
    assert asked.commands == [hooks.RunCommand("config", ("/bin/tell", "it", str(bench.file)), {}, "daemon")]
    assert bench.runtime.belief.generation == 2


async def test_a_wrong_file_is_told_and_refused_once(bench: Bench, asked: Asked, told: list[str]) -> None:
    bench.file.write_text("wrong: [")
    await looked(bench)
    os.utime(bench.file)
    await looked(bench)
    assert told.count("config_refused") == 1
    assert len(asked.commands) == 1
    assert bench.runtime.belief.generation == 1
    bench.file.write_text(AUTORELOAD)
    await looked(bench)
    assert len(asked.commands) == 2
    assert bench.runtime.belief.generation == 2


async def test_without_autoreload_a_changed_file_is_only_told(bench: Bench, told: list[str]) -> None:
    bench.begin(TEXT)
    bench.file.write_text(TEXT.replace(", 192.0.2.12", ""))
    await looked(bench)
    await looked(bench)
    assert told == ["config_file_changed"]
    assert bench.held() == 2
    assert (await bench.reloader.reload()).accepted
    await looked(bench)
    assert told == ["config_file_changed"]


async def test_a_reload_by_hand_runs_the_command_too(bench: Bench, asked: Asked) -> None:
    await bench.reloader.reload()
    assert asked.commands == []
    bench.file.write_text(AUTORELOAD.replace(", 192.0.2.12", ""))
    await bench.reloader.reload()
    await looked(bench)
    assert len(asked.commands) == 1


async def test_maintenance_holds_before_anything_is_put_into_service(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "192.0.2.12").touch()
    bench.begin(f"daemon: {{maintenance_directory: {tmp_path}}}\n{TEXT}")
    assert bench.held() == 1
    (tmp_path / "192.0.2.12").unlink()
    bench.runtime.tick()
    assert bench.held() == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give rights up")
def test_a_file_that_a_reload_could_not_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lvsd.yaml"
    path.write_text(TEXT)
    path.chmod(0o600)
    for owner, count in ((65534, 1), (0, 0)):
        os.chown(path, owner, -1)
        code = (
            "from lvsd.runtime.configuration import warn_of_unreadable\n"
            "from lvsd.runtime.process import keep_capabilities\n"
            "from lvsd.runtime.store import Snapshot\n"
            f"keep_capabilities({{12}})\nwarn_of_unreadable(Snapshot((), {{{str(path)!r}: ''}}, {{}}, {{}}))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert run.stderr.count("config_file_not_readable") == count
