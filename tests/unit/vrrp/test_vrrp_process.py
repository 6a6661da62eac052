"""The command line of the vrrp process, and how little it loads."""

from __future__ import annotations

import getopt
import subprocess
import sys
from pathlib import Path

import pytest

from lvsd.runtime.vrrp_process import Options, main, options_of

FORBIDDEN = frozenset(
    {"asyncio", "pyroute2", "yaml", "click", "httpx", "logging", "ssl", "argparse", "subprocess", "multiprocessing"}
)


def test_the_options_of_a_run_and_of_a_release() -> None:
    run = options_of(["--socket", "/run/a", "--held-file", "/run/b", "--restarted"])
    assert run == Options(Path("/run/a"), Path("/run/b"), restarted=True)
    release = options_of(["--socket", "/run/a", "--held-file", "/run/b", "--release"])
    assert release == Options(Path("/run/a"), Path("/run/b"), release=True)


@pytest.mark.parametrize("words", [[], ["--release"], ["--socket", "/a", "more"], ["--bogus"], ["--held-file", "/a"]])
def test_a_wrong_command_line_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(getopt.GetoptError):
        options_of(words)
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("lvsd-vrrp: ")


def test_it_loads_nothing_that_is_large() -> None:
    program = "import sys, lvsd.runtime.vrrp_process\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(done.stdout.split())
    assert FORBIDDEN & loaded == set()
