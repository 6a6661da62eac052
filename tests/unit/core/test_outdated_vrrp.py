"""A vrrp process that an upgrade left behind is told of once, shown as long as it is there, and left alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from lvsd.core import views
from lvsd.core.effects import Effect, Level, Tell
from lvsd.core.events import VrrpCame, VrrpHeard, VrrpWent
from lvsd.ctl import render
from lvsd.ctl.processes import processes
from lvsd.version import VERSION, is_older
from lvsd.vrrp.messages import VrrpStatus, decode_status, encode
from tests.unit.core.vrrp_world import config, connected, instance
from tests.unit.core.world import Bench

OLDER = "0.0.9"


def heard(bench: Bench, said: str, pid: int = 4711) -> list[Effect]:
    return bench.feed(VrrpHeard(VrrpStatus(1, pid, (), version=said)))


def outdated(effects: list[Effect]) -> list[Tell]:
    return [one for one in effects if isinstance(one, Tell) and one.event == "vrrp_outdated"]


@pytest.mark.parametrize("said", [OLDER, ""])
def test_it_is_told_once_of_each_process_with_what_to_do(said: str) -> None:
    bench = connected(config(instance()))
    effects = heard(bench, said)
    (told,) = outdated(effects)
    assert told.level is Level.WARNING
    assert told.fields == {
        "pid": 4711,
        "version": said or "unknown",
        "ours": VERSION,
        "hint": "`lvsctl failover` where this balancer is active, then `systemctl restart lvsd`",
    }
    assert all(isinstance(one, Tell) for one in effects)  # nothing is done about it
    assert outdated(heard(bench, said)) == []
    bench.feed(VrrpWent())
    bench.feed(VrrpCame())
    assert outdated(heard(bench, said)) == []  # the same process has come back
    assert len(outdated(heard(bench, said, pid=4712))) == 1


@pytest.mark.parametrize("said", [VERSION, "999.0"])
def test_of_one_that_is_not_older_nothing_is_said(said: str) -> None:
    bench = connected(config(instance()))
    assert heard(bench, said) == []
    reply = views.status(bench.director, bench.now)
    assert [one.outdated for one in reply.processes if one.name == "vrrp"] == [""]
    assert "older lvsd" not in render.status(reply)


def test_status_says_it_until_another_process_is_there() -> None:
    bench = connected(config(instance()))
    heard(bench, OLDER)
    reply = views.status(bench.director, bench.now)
    assert (
        f"the vrrp process is of an older lvsd ({OLDER}): "
        "`lvsctl failover` where this balancer is active, then `systemctl restart lvsd`\n"
    ) in render.status(reply)
    assert f"connected, of lvsd {OLDER}" in processes(reply)
    heard(bench, VERSION, pid=4712)
    assert "older lvsd" not in render.status(views.status(bench.director, bench.now))


def test_one_of_before_it_was_said_is_understood() -> None:
    old = msgspec.msgpack.encode({"type": "status", "generation": 1, "pid": 42, "instances": []})
    assert decode_status(old).version == ""
    assert decode_status(encode(VrrpStatus(1, 42, (), version=VERSION))).version == VERSION


@pytest.mark.parametrize(
    ("version_said", "than", "older"),
    [
        ("0.1.0", "0.1.0", False),
        ("0.1", "0.1.0", False),
        ("0.9.9", "0.10.0", True),
        ("0.10.0", "0.9.9", False),
        ("", "0.1.0", True),
        ("0.1.0.dev3", "0.1.0", True),
        ("0.1.0.dev3", "0.1.0.dev3", False),
        ("²", "0.1.0", True),
        ("9" * 5000, "0.1.0", True),
    ],
)
def test_versions_are_compared_by_their_numbers(version_said: str, than: str, older: bool) -> None:
    assert is_older(version_said, than) is older


def test_the_version_that_runs_is_the_one_that_is_installed() -> None:
    project = Path(__file__).parents[3] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == VERSION
