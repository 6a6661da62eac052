"""Named pipes: lines as they are, nobody waits, what is lost is told, a reader goes on."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvsd.runtime.fifos import Fifos


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "roles"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    events: list[str] = []
    monkeypatch.setattr("lvsd.runtime.sparingly.tell", lambda _, event, **__: events.append(event))
    return events


def reader(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def test_a_pipe_is_made_for_us_alone_and_waits_for_its_reader(path: Path) -> None:
    fifos = Fifos()
    fifos.keep([str(path)], 0.0)
    mode = path.stat().st_mode
    assert stat.S_ISFIFO(mode)
    assert stat.S_IMODE(mode) == 0o600
    fifos.write(str(path), 'INSTANCE "lb0" MASTER 100', 0.0)
    fifos.write(str(path), 'GROUP "both" BACKUP 0', 0.0)
    assert os.read(reader(path), 4096) == b'INSTANCE "lb0" MASTER 100\nGROUP "both" BACKUP 0\n'


def test_a_reader_sees_no_end_while_the_pipe_is_kept(path: Path) -> None:
    fifos = Fifos()
    fifos.keep([str(path)], 0.0)
    descriptor = reader(path)
    for number in range(3):
        fifos.keep([str(path)], 0.0)  # a reload
        fifos.write(str(path), f"line {number}", 0.0)
    assert os.read(descriptor, 4096) == b"line 0\nline 1\nline 2\n"
    with pytest.raises(BlockingIOError):
        os.read(descriptor, 1)
    fifos.keep([], 0.0)
    assert os.read(descriptor, 1) == b""


def test_what_nobody_reads_is_lost_and_told_once_a_minute(path: Path, told: list[str]) -> None:
    fifos = Fifos()
    for _ in range(2000):
        fifos.write(str(path), "x" * 100, 0.0)
    assert told == ["fifo_line_lost"]
    content = os.read(reader(path), 1 << 20)
    assert len(content) > 10_000
    assert set(content.splitlines()) <= {b"x" * 100}  # whole lines, or none


def test_a_pipe_that_was_made_anew_is_found(path: Path) -> None:
    fifos = Fifos()
    fifos.keep([str(path)], 0.0)
    path.unlink()
    os.mkfifo(path)
    fifos.write(str(path), "here", 0.0)
    assert os.read(reader(path), 4096) == b"here\n"
    path.unlink()
    fifos.write(str(path), "again", 0.0)
    assert os.read(reader(path), 4096) == b"again\n"


@pytest.mark.parametrize("kind", ["file", "link", "directory", "nowhere", "nul"])
def test_what_is_no_pipe_is_left_alone_and_told(path: Path, told: list[str], kind: str) -> None:
    name = str(path)
    match kind:
        case "file":
            path.write_text("precious")
        case "link":
            os.mkfifo(path.with_name("other"))
            path.symlink_to("other")
        case "directory":
            path.mkdir()
        case "nowhere":
            name = str(path / "deeper")
        case _:
            name += "\0"
    fifos = Fifos()
    fifos.keep([name], 0.0)
    fifos.write(name, "x", 0.0)
    assert told == ["fifo_not_opened"]
    assert kind != "file" or path.read_text() == "precious"


def test_a_line_is_one_line(path: Path) -> None:
    fifos = Fifos()
    fifos.write(str(path), "a\nb\0" + "c" * 1000, 0.0)
    assert os.read(reader(path), 4096) == b"a?b?" + b"c" * 508 + b"\n"
