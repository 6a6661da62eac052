"""`lvsd convert`, `lvsd check --format`: exit statuses and files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lvsd.main import main
from lvsd.runtime import first_start

CF = "checktimeout = 3\nvirtual = 1.1.1.12:80\n\treal = 1.1.1.17:80 gate\n\tservice = none\n\tchecktype = connect\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "lb.txt"
    path.write_text(CF)
    path.chmod(0o600)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_to_standard_output_with_the_report_beside_it(source: Path) -> None:
    done = run("convert", source)
    assert done.exit_code == 0
    assert "virtual: 1.1.1.12:80\n" in done.stdout
    assert done.stderr.startswith("carried over: 1 service, 1 real server, 0 VRRP instances, 0 comment lines\n")


def test_to_a_file_for_its_owner_alone(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "lvsd.yaml"
    assert run("convert", source, "-o", target).exit_code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert run("check", target).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lb.txt", "lvsd.yaml"]


def test_a_file_that_is_there_is_kept_unless_forced(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "lvsd.yaml"
    target.write_text("mine")
    done = run("convert", source, "-o", target)
    assert (done.exit_code, target.read_text()) == (1, "mine")
    assert "--force" in done.stderr
    assert run("convert", source, "-o", target, "--force").exit_code == 0
    assert "virtual:" in target.read_text()


def test_nothing_is_written_after_an_error(tmp_path: Path) -> None:
    wrong, target = tmp_path / "ldirectord.cf", tmp_path / "lvsd.yaml"
    wrong.write_text("virtual = nothing\n")
    done = run("convert", wrong, "-o", target)
    assert (done.exit_code, target.exists(), done.stdout) == (1, False, "")
    assert "errors, for which nothing was written: " in done.stderr


def test_a_folder_that_is_not_there(source: Path, tmp_path: Path) -> None:
    done = run("convert", source, "-o", tmp_path / "none" / "lvsd.yaml")
    assert done.exit_code == 1
    assert "No such file or directory" in done.stderr


def test_the_report_for_programs(source: Path) -> None:
    told = json.loads(run("convert", "--json", source).stderr)
    assert told["carried"]["services"] == 1
    assert set(told) == {"carried", "errors", "changed", "not_carried", "other"}


@pytest.mark.parametrize(("language", "status"), [("ldirectord", 0), ("keepalived", 1)])
def test_a_language_that_is_said(source: Path, language: str, status: int) -> None:
    assert run("convert", "--from", language, source).exit_code == status
    assert run("check", "--format", language, source).exit_code == status


def test_what_runs_is_told_the_language_too(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, ...]] = []

    def start(held: int, files: tuple[str, ...], *_: Path) -> None:
        os.close(held)
        started.append(files)

    monkeypatch.setattr(first_start, "start", start)
    directories = ("--run-dir", tmp_path / "run", "--state-dir", tmp_path / "state")
    run("run", "--format", "ldirectord", "-c", source, *directories)
    assert started == [(f"ldirectord:{source}",)]
    run("run", "-c", source, *directories)
    assert started[1:] == [(str(source),)]


def test_wrong_usage() -> None:
    assert run("convert").exit_code == 2
    assert run("convert", "--from", "lvsd", "x").exit_code == 2
