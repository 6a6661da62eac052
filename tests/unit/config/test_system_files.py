"""Reading real files, with limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.files import Files, FileTooLarge
from lvsd.runtime.files import SIZE_LIMIT_BYTES, SystemFiles

FILES: Files = SystemFiles()


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("é\r\n")
    assert FILES.read(str(path)) == "é\r\n"


def test_a_file_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * SIZE_LIMIT_BYTES)
    assert len(FILES.read(str(path))) == SIZE_LIMIT_BYTES
    path.write_bytes(b"x" * (SIZE_LIMIT_BYTES + 1))
    with pytest.raises(FileTooLarge) as raised:
        FILES.read(str(path))
    assert raised.value.limit_bytes == SIZE_LIMIT_BYTES


def test_an_endless_device_is_no_file() -> None:
    with pytest.raises(OSError, match="not a regular file"):
        FILES.read("/dev/zero")


def test_a_fifo_does_not_hold_us_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        FILES.read(str(tmp_path / "fifo"))


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="is a directory"):
        FILES.read(str(tmp_path))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FILES.read(str(tmp_path / "none"))


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        FILES.read(str(tmp_path / "a"))


def test_globs_start_beside_the_naming_file_and_are_sorted(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    for name in ("b.yaml", "a.yaml", ".hidden.yaml", "c.txt"):
        (tmp_path / "conf.d" / name).touch()
    expected = [str(tmp_path / "conf.d" / name) for name in ("a.yaml", "b.yaml")]
    assert list(FILES.glob("conf.d/*.yaml", str(tmp_path / "lvsd.yaml"))) == expected
    assert list(FILES.glob(str(tmp_path / "conf.d/*.yaml"), "/elsewhere/lvsd.yaml")) == expected
    assert list(FILES.glob("none/*.yaml", str(tmp_path / "lvsd.yaml"))) == []


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names are all that counts
    FILES.read(str(tmp_path / "a"))
    with pytest.raises(OSError, match="directory"):
        FILES.read(str(tmp_path))
    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208  # as above


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVSD_TEST", "x")
    assert FILES.environ("LVSD_TEST") == "x"
    monkeypatch.delenv("LVSD_TEST")
    assert FILES.environ("LVSD_TEST") is None


@pytest.mark.parametrize(("mode", "exposed"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_who_may_read_a_file(tmp_path: Path, mode: int, exposed: bool) -> None:  # parametrized
    path = tmp_path / "a"
    path.touch()
    path.chmod(mode)
    assert FILES.exposed(str(path)) is exposed


def test_a_missing_file_is_not_exposed(tmp_path: Path) -> None:
    assert FILES.exposed(str(tmp_path / "none")) is False
