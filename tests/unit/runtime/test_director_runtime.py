"""The director's runtime around its core: a fault in one event, what a reload tells, what grows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from config.load import load
from config.model import Config
from lvsd.core.events import ConfigChanged, Ticked
from lvsd.runtime.configuration import Reloader, first_configuration
from lvsd.runtime.director_runtime import Runtime
from lvsd.runtime.files import SystemFiles
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
        store = Store(directory / "state")
        self.runtime = Runtime(store, cast(IpvsSocket, self.kernel))
        self.reloader = Reloader(self.runtime, store, (str(self.file),))
        config = self.configured(TEXT)
        recorder = Recorder(SystemFiles())
        load((str(self.file),), recorder)
        self.runtime.start(config, recorder.snapshot((str(self.file),)), restarted=False)

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


def test_the_last_good_configuration_is_that_of_the_same_files(bench: Bench, tmp_path: Path) -> None:
    bench.file.write_text("wrong")
    store = Store(bench.file.parent / "state")
    own, _ = first_configuration(store, (str(bench.file),), restarted=True)
    assert own.config is not None
    other = tmp_path / "other.yaml"
    other.write_text("wrong")
    theirs, _ = first_configuration(store, (str(other),), restarted=True)
    assert theirs.config is None
