"""What a command line may be given, and what is said of one that cannot be carried out."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

LVSD = str(Path(sys.executable).with_name("lvsd"))
LVSCTL = str(Path(sys.executable).with_name("lvsctl"))


def ran(*command: str, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=cwd)


@pytest.mark.parametrize(
    "command",
    [
        (LVSD, "run", "-c", "lvsd.yaml"),
        (LVSD, "run", "-c", "/nonexistent", "--run-dir", "run"),
        (LVSD, "run", "-c", "/nonexistent", "--state-dir", "state"),
        (LVSCTL, "plan", "-c", "lvsd.yaml"),
    ],
)
def test_a_relative_path_in_a_directory_that_is_gone_is_a_wrong_usage(command: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as name:
        gone = Path(name) / "gone"
        gone.mkdir()
        shell = f'cd "{gone}" && rmdir "{gone}" && exec "$@"'
        done = ran("sh", "-c", shell, "sh", *command)
    assert done.returncode == 2, done.stderr
    assert "working directory does not exist" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [(LVSD, "schema"), (LVSD, "--help"), (LVSCTL, "--help")])
@pytest.mark.parametrize("output", ["| true", ">&-", "> /dev/full"])
def test_an_output_that_nobody_takes_makes_no_traceback(command: tuple[str, ...], output: str) -> None:
    done = ran("sh", "-c", f'"$@" {output}', "sh", *command)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_output_is_no_reason_to_fail() -> None:
    program = (
        "import click, sys\n"
        "from lvsd.ctl.command_line import Commands\n"
        "@click.group('x', cls=Commands)\n"
        "def main(): pass\n"
        "@main.command()\n"
        "def one(): click.echo(sys.stdout.isatty())\n"
        "main(['one'])\n"
    )
    done = ran("sh", "-c", '"$@" >&-', "sh", sys.executable, "-c", program)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make such a directory")
def test_a_directory_that_cannot_be_made_is_told_in_one_line() -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "lvsd.yaml"
        file.write_text("services: {a: {virtual: 127.0.0.9:80, check: {type: tcp}, real_servers: [127.0.0.1]}}\n")
        done = ran(LVSD, "run", "-c", str(file), "--run-dir", "/proc/no/run")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "/proc/no/run: No such file or directory" in done.stderr
    assert "root" not in done.stderr
