"""The table that keepalived makes of a keepalived.conf, and the one lvsd wants: the same, entry by entry."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.load import load
from config.model import Config, RealServer
from config.words import OnFailure
from lvsd.core.desired import kernel_service
from lvsd.core.identity import service_key
from netlink.ipvs_socket import IpvsSocket
from netlink.operations import DeleteService
from netlink.table import Destination, DestinationKey, Entry, Table
from tests.lab.waiting import WaitError, wait_until
from tests.unit.config.files_in_memory import FilesInMemory

pytestmark = pytest.mark.lab
WILD = Path(__file__).parents[1] / "golden/keepalived/wild"
SECONDS = 5.0
INCLUDING = {"includes"}  # the files it names stand nowhere here


def configuration(path: Path) -> Config | None:
    return load(["keepalived.conf"], FilesInMemory({"keepalived.conf": path.read_text()})).config


FILES = sorted(
    path.stem
    for path in WILD.glob("*.conf")
    if path.stem not in INCLUDING and (config := configuration(path)) is not None and config.services
)


def wanted(config: Config, begins_empty: bool) -> Table:
    """Every real server up, or none yet; a fallback server that stays waits with weight 0."""
    table = {}
    for service in config.services:
        found = [] if begins_empty else [destination(one, one.weight) for one in service.real_servers]
        found += [destination(one, 0) for one in service.fallback if one.on_failure is OnFailure.QUIESCE]
        table[service_key(service.virtual)] = Entry(kernel_service(service), {one.key: one for one in found})
    return table


def destination(real: RealServer, weight: int) -> Destination:
    tunnel = real.tunnel
    return Destination(
        DestinationKey(real.address, real.port),
        int(real.forwarding),
        weight,
        real.upper_threshold,
        real.lower_threshold,
        int(tunnel.type),
        tunnel.port,
        int(tunnel.checksum),
    )


@contextmanager
def keepalived(configuration_file: Path, folder: Path) -> Iterator[Path]:
    """Its health checker alone, in the lab's own network namespace; yields its log."""
    log = folder / "log"
    pids = ["--pid", str(folder / "pid"), "--checkers_pid", str(folder / "checkers.pid")]
    command = ["keepalived", "--check", "--dont-fork", "--log-console", "--use-file", str(configuration_file), *pids]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            yield log
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture
def kernel() -> Iterator[IpvsSocket]:
    with IpvsSocket() as socket:
        socket.apply([DeleteService(key) for key in socket.read_table()])
        yield socket
        socket.apply([DeleteService(key) for key in socket.read_table()])


@pytest.mark.parametrize("name", FILES)
def test_the_tables_are_the_same(name: str, kernel: IpvsSocket, tmp_path: Path) -> None:
    path = WILD / f"{name}.conf"
    config = configuration(path)
    assert config is not None
    expected = wanted(config, begins_empty="alpha" in path.read_text().split())
    with keepalived(path, tmp_path) as log:
        try:
            wait_until(lambda: kernel.read_table() == expected, SECONDS, "the table")
        except WaitError:
            assert dict(kernel.read_table()) == dict(expected), log.read_text()
