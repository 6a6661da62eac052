"""What people said of real servers, in the state directory and over the control socket."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lvsd.core.pool_state import Override, OverrideKind
from lvsd.runtime.override_store import decoded, encoded
from lvsd.runtime.store import OVERRIDES, Store

NAME = "tcp 1.1.1.12:80 > 1.1.1.17:80"
SAID = {
    NAME: Override(OverrideKind.DRAIN, 0, "new kernel", 0, 50.0, 7250.0),
    "fwmark 7 > 1.1.1.18:0": Override(OverrideKind.WEIGHT, 9, "", 1000, 60.0, None),
}


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_it_comes_back_on_another_clock() -> None:
    text = encoded(SAID, ahead=1_000_000.0)
    later = decoded(text, ahead=1_000_040.0)  # the machine was started again: its clock began anew
    assert later[NAME] == Override(OverrideKind.DRAIN, 0, "new kernel", 0, 10.0, 7210.0)
    assert later["fwmark 7 > 1.1.1.18:0"].until is None
    assert decoded(text, ahead=1_000_000.0) == SAID


def test_the_file_can_be_read_by_a_person() -> None:
    document = json.loads(encoded(SAID, ahead=1000.0))
    assert document["version"] == 1
    assert document["overrides"][1] == {
        "real_server": NAME, "kind": "drain", "weight": 0, "reason": "new kernel", "uid": 0, "since": 1050.0,
        "until": 8250.0,
    }  # fmt: skip


def test_nothing_is_written_as_nothing(directory: Path) -> None:
    store = Store(directory)
    assert store.overrides() == {}
    store.remember_overrides(SAID)
    found = store.overrides()
    assert {name: (one.kind, one.weight, one.reason, one.uid) for name, one in found.items()} == {
        name: (one.kind, one.weight, one.reason, one.uid) for name, one in SAID.items()
    }
    store.remember_overrides({})
    assert store.overrides() == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"version": 2, "overrides": []}', b'{"version": 1}', b'{"version": 1, "overrides": [{}]}', b"\xff"],
)
def test_a_damaged_file_is_a_value_error(directory: Path, content: bytes) -> None:
    (directory / OVERRIDES).write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011  msgspec's own words
        Store(directory).overrides()
