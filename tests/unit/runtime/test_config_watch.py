"""Which files have changed on disk: content counts, half-written files wait, includes and new files are seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.load import load
from lvsd.runtime.config_watch import ConfigWatch
from lvsd.runtime.files import SystemFiles
from lvsd.runtime.store import Recorder

SERVICE = "services: {web: {virtual: 192.0.2.100:80, check: {type: none}, real_servers: [192.0.2.11]}}\n"


class Watched:
    """A configuration with an include by name and one by pattern."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.main = directory / "lvsd.yaml"
        (directory / "conf.d").mkdir()
        (directory / "one.yaml").write_text("daemon: {autoreload: true}\n")
        self.main.write_text(f"include: [one.yaml, conf.d/*.yaml]\n{SERVICE}")
        self.watch = ConfigWatch(SystemFiles())
        self.read(accepted=True)
        self.settle()

    def read(self, *, accepted: bool) -> tuple[str, ...]:
        recorder = Recorder(SystemFiles())
        assert (load((str(self.main),), recorder).config is not None) is accepted
        return self.watch.remember(recorder.snapshot((str(self.main),)), recorder.missed, accepted=accepted)

    def settle(self) -> tuple[str, ...]:
        """Look until there is something to look closer at, as many times as it takes."""
        for _ in range(3):
            if self.watch.look():
                return self.watch.changed()
        return ()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_nothing_changes(watched: Watched) -> None:
    assert not any(watched.watch.look() for _ in range(5))


def test_a_touched_file_has_not_changed(watched: Watched) -> None:
    os.utime(watched.main)
    assert watched.settle() == ()
    assert not watched.watch.look()


@pytest.mark.parametrize("name", ["lvsd.yaml", "one.yaml"])
def test_another_content_is_found_once(watched: Watched, name: str) -> None:
    path = watched.directory / name
    path.write_text(f"{path.read_text()}# changed\n")
    assert not watched.watch.look()  # it may be half-written
    path.write_text(f"{path.read_text()}# changed again\n")
    assert not watched.watch.look()
    assert watched.settle() == (str(path),)
    assert watched.settle() == ()


def test_a_file_of_the_same_size_and_time_is_found_by_its_inode(watched: Watched) -> None:
    before = watched.main.stat()
    text = watched.main.read_text()
    other = watched.directory / "new"
    other.write_text(text.replace("192.0.2.11]", "192.0.2.12]"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(watched.main)
    assert watched.settle() == (str(watched.main),)


def test_a_new_file_that_matches_is_found(watched: Watched) -> None:
    new = watched.directory / "conf.d" / "new.yaml"
    new.write_text("daemon: {clear_table_on_stop: true}\n")
    assert watched.settle() == (str(new),)
    watched.read(accepted=True)
    new.unlink()
    assert watched.settle() == (str(new),)


def test_a_new_file_that_is_still_being_written_waits(watched: Watched) -> None:
    new = watched.directory / "conf.d" / "new.yaml"
    for text in ("", "daemon:", "daemon: {}\n"):
        new.write_text(text)
        assert not watched.watch.look()
    assert watched.settle() == (str(new),)


def test_a_restless_folder_hides_nothing(watched: Watched) -> None:
    (watched.directory / "conf.d" / "new.yaml").write_text("daemon: {}\n")
    found: tuple[str, ...] = ()
    for number in range(4):
        (watched.directory / "conf.d" / f"unrelated-{number}").touch()
        if watched.watch.look():
            found += watched.watch.changed()
    assert found == (str(watched.directory / "conf.d" / "new.yaml"),)


def test_a_file_that_goes_and_comes_back_is_found(watched: Watched) -> None:
    watched.main.rename(watched.directory / "away")
    assert watched.settle() == (str(watched.main),)
    (watched.directory / "away").rename(watched.main)
    assert watched.settle() == (str(watched.main),)


def test_a_reload_by_hand_finds_what_it_read_and_nobody_finds_it_again(watched: Watched) -> None:
    watched.main.write_text(f"{watched.main.read_text()}# changed\n")
    assert watched.read(accepted=True) == (str(watched.main),)
    assert watched.read(accepted=True) == ()
    assert watched.settle() == ()


def test_after_a_refusal_everything_stays_watched(watched: Watched) -> None:
    watched.main.write_text("include: [missing.yaml]\nnonsense: [")
    assert watched.settle() == (str(watched.main),)
    watched.read(accepted=False)
    (watched.directory / "one.yaml").write_text("daemon: {}\n")
    assert watched.settle() == (str(watched.directory / "one.yaml"),)


def test_a_missing_include_is_found_when_it_comes(watched: Watched) -> None:
    watched.main.write_text(f"include: [missing.yaml]\n{SERVICE}")
    assert watched.settle() == (str(watched.main),)
    watched.read(accepted=False)
    assert watched.settle() == ()
    (watched.directory / "missing.yaml").write_text("daemon: {}\n")
    assert watched.settle() == (str(watched.directory / "missing.yaml"),)
