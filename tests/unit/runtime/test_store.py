"""The state directory: whole files or none, for root alone; a snapshot reads like the disk it was taken from."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.load import load
from lvsd.runtime.files import SystemFiles
from lvsd.runtime.store import FILE_LIMIT_BYTES, LAST_GOOD, OWNED, ROLES, Recorder, Replay, Snapshot, Store
from netlink.table import Family, ServiceKey

KEYS = frozenset({ServiceKey(Family.INET, 6, "1.1.1.12", 80), ServiceKey(Family.INET6, fwmark=7)})


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_owned_services_come_back(directory: Path) -> None:
    state = directory / "state"
    assert Store(state).owned() == frozenset()
    Store(state).remember_owned(KEYS)
    assert Store(state).owned() == KEYS


def test_roles_that_were_told_come_back(directory: Path) -> None:
    store = Store(directory)
    assert store.roles() == {}
    store.remember_roles({"INSTANCE lb0": "MASTER"})
    assert Store(directory).roles() == {"INSTANCE lb0": "MASTER"}
    (directory / ROLES).write_text('{"INSTANCE lb0": 1}')
    with pytest.raises(ValueError):  # noqa: PT011  msgspec's own words
        store.roles()


def test_everything_is_for_the_owner_alone(directory: Path) -> None:
    state = directory / "state"
    store = Store(state)
    store.remember_owned(KEYS)
    store.remember_good(Snapshot((), {}, {}, {}))
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()} == {0o600}
    assert {path.name for path in state.iterdir()} == {OWNED, LAST_GOOD}  # nothing half-written beside


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"family": 99}]', b"\xff\xfe"])
def test_a_damaged_file_is_a_value_error(directory: Path, content: bytes) -> None:
    (directory / OWNED).write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011  msgspec's own words
        Store(directory).owned()


def test_a_file_beyond_all_measure_is_not_read(directory: Path) -> None:
    with (directory / OWNED).open("wb") as file:
        file.truncate(FILE_LIMIT_BYTES + 1)
    with pytest.raises(ValueError, match="larger than"):
        Store(directory).owned()


def test_a_link_laid_in_the_way_is_not_followed(directory: Path) -> None:
    victim = directory / "victim"
    victim.write_text("precious")
    state = directory / "state"
    store = Store(state)
    (state / f".{OWNED}.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        store.remember_owned(KEYS)
    assert victim.read_text() == "precious"


def test_a_snapshot_loads_as_the_files_did_also_when_they_are_gone(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LVSD_TEST_SECRET", "from-env")
    (directory / "conf.d").mkdir()
    (directory / "secret").write_text("from-file\n")
    (directory / "conf.d/web.yaml").write_text(
        "services:\n  web:\n    virtual: 1.1.1.12:80\n    real_servers: [1.1.1.17]\n"
        "    check: {type: mysql, login: a, password: {file: ../secret}}\n"
        "  db:\n    virtual: 1.1.1.12:3306\n    real_servers: [1.1.1.17]\n"
        "    check: {type: mysql, login: a, password: {env: LVSD_TEST_SECRET}}\n"
    )
    main = directory / "lvsd.yaml"
    main.write_text("include: conf.d/*.yaml\n")
    recorder = Recorder(SystemFiles())
    loaded = load((str(main),), recorder)
    assert loaded.config is not None, loaded.problems
    store = Store(directory / "state")
    store.remember_good(recorder.snapshot((str(main),)))
    for path in (main, directory / "conf.d/web.yaml", directory / "secret"):
        path.unlink()
    monkeypatch.delenv("LVSD_TEST_SECRET")
    snapshot = store.last_good()
    assert snapshot is not None
    again = load(snapshot.paths, Replay(snapshot))
    assert again.config == loaded.config


def test_a_snapshot_keeps_files_that_are_not_utf8(directory: Path) -> None:
    path = directory / "ldirectord.cf"
    path.write_bytes(b"# caf\xe9\nvirtual=1.1.1.12:80\n\treal=1.1.1.17:80 gate\n")
    recorder = Recorder(SystemFiles())
    loaded = load([str(path)], recorder)
    snapshot = recorder.snapshot((str(path),))
    assert recorder.missed == set()
    Store(directory / "state").remember_good(snapshot)
    again = Store(directory / "state").last_good()
    assert again == snapshot
    assert again is not None
    assert loaded.config is not None
    assert load(again.paths, Replay(again)).config == loaded.config
