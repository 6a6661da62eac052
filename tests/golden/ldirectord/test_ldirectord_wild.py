"""Files as administrators write them: what ldirectord says to each, and what becomes of it here, line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import Loaded, load
from tests.golden.ldirectord.summary import summary
from tests.unit.config.files_in_memory import FilesInMemory

WILD = Path(__file__).parent / "wild"
HOST = {"/proc/sys/kernel/hostname": "lb1\n", "/etc/ha.d/mail-farm.cf": (WILD / "mail-farm.cf").read_text()}
FILES = sorted(WILD.glob("*.cf"))
REFUSED = {
    "blank-line-inside": 7,
    "comments-behind-values": 5,
    "old-names": 1,
    "template-leftovers": 2,
    "two-blanks": 6,
    "unquoted": 2,
    "windows-yes": 2,
}
"""What `ldirectord FILE status` (1.186-ha) refuses, and the line it names; it takes the others."""


def loaded(path: Path) -> Loaded:
    return load([path.name], FilesInMemory({path.name: path.read_bytes(), **HOST}))


def test_there_are_files() -> None:
    assert len(FILES) >= 28
    assert {path.stem for path in FILES} >= set(REFUSED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_our_verdict_is_ldirectords(path: Path) -> None:
    errors = [one.line for one in loaded(path).problems if one.severity.value == "error"]
    assert errors[:1] == ([REFUSED[path.stem]] if path.stem in REFUSED else [])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_becomes_of_it(path: Path) -> None:
    assert summary(loaded(path)) == path.with_suffix(".txt").read_text()
