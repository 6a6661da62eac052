"""Tracked files and processes on this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from config.model import AnyTrack, Config, TrackedFile, TrackedProcess
from lvsd.core.events import TracksSeen
from lvsd.runtime.track_watch import TrackWatch, content, running
from tests.unit.core.vrrp_world import config, instance


def tracking(*tracks: AnyTrack) -> Config:
    return config(instance(*tracks))


def test_only_news_are_told(tmp_path: Path) -> None:
    path = tmp_path / "weight"
    watch, wanted = TrackWatch(), tracking(TrackedFile(1, str(path)))
    assert watch.look(tracking()) is None
    assert watch.look(wanted) == TracksSeen({str(path): None}, {})
    assert watch.look(wanted) is None
    path.write_text("5\n")
    assert watch.look(wanted) == TracksSeen({str(path): "5\n"}, {})
    assert watch.look(wanted) is None
    assert watch.look(tracking()) == TracksSeen({}, {})
    assert watch.look(tracking()) is None


def test_what_is_no_short_regular_file_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_text("1" * 65)
    (tmp_path / "bytes").write_bytes(b"\xff")
    assert content(str(tmp_path / "pipe")) is None
    assert content(str(tmp_path)) is None
    assert content(str(tmp_path / "long")) is None
    assert content("/x\0") is None
    assert content(str(tmp_path / "bytes")) == "�"


def test_processes_are_counted_by_name() -> None:
    children = [subprocess.Popen(["/usr/bin/sleep", "60"]) for _ in range(2)]
    try:
        assert running(["sleep"])["sleep"] >= 2
        assert running(["no such process"]) == {"no such process": 0}
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_names_that_try_to_deceive(tmp_path: Path) -> None:
    lines = {
        "1": b"1 (nginx) S 0 1\n",
        "2": b"2 (a) S (nginx) S 0\n",  # a name with a bracket in it
        "3": b"3 (nginx) Z 0 1\n",  # ended, not reaped
        "4": b"4 (systemd-timesyn) S 1 4\n",
        "5": b"",
        "self": b"6 (nginx) S 0\n",
    }
    for number, line in lines.items():
        (tmp_path / number).mkdir()
        (tmp_path / number / "stat").write_bytes(line)
    (tmp_path / "7").mkdir()
    found = running(["nginx", "systemd-timesyncd", "a) S (nginx", "a"], tmp_path)
    assert found == {"nginx": 1, "systemd-timesyncd": 1, "a) S (nginx": 1, "a": 0}


def test_processes_are_looked_at_when_they_are_tracked(tmp_path: Path) -> None:
    watch = TrackWatch(tmp_path)
    assert watch.look(tracking(TrackedProcess(0, "x"))) == TracksSeen({}, {"x": 0})
