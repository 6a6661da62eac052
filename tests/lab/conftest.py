"""What tests inside the lab share; outside it they are not collected, and said so, rather than passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.shares import files_of
from tests.lab.topology import Topology
from tests.lab.world import World

HERE = Path(__file__).parent
INSIDE = os.environ.get("LVSD_IN_LAB") == "1"
collect_ignore_glob = [] if INSIDE else ["test_*.py"]

MakeWorld = Callable[[Topology], World]


def pytest_report_header() -> str:
    """Leave no doubt about what was not run."""
    return "tests/lab: inside" if INSIDE else "tests/lab: NOT run here; run `python -m tests.lab test`"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Everything below this folder carries the marker; what another lab runs beside this one is left out."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
    mine = files_of(os.environ.get("LVSD_LAB_SHARE", "1/1"), sorted({item.path.name for item in items}))
    others = [item for item in items if item.path.name not in mine]
    if others:
        items[:] = [item for item in items if item.path.name in mine]
        config.hook.pytest_deselected(items=others)


@pytest.fixture
def make_world() -> Iterator[MakeWorld]:
    """What builds worlds that end with the test."""
    with ExitStack() as stack:

        def make(topology: Topology) -> World:
            return stack.enter_context(World(topology))

        yield make
