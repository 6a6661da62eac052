"""The install script, with a package manager that only pretends: what it refuses, and what it puts back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.lab.machine import CHECKOUT, boot, discard

INSTALL = str(CHECKOUT / "tests/lab/install")


def pretend(folder: Path, **programs: str) -> dict[str, str]:
    """An environment in which these programs are shell scripts of ours."""
    for name, script in programs.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_nothing_happens_where_all_is_there(tmp_path: Path) -> None:
    environment = pretend(
        tmp_path, dpkg_query='shift 2; for name; do echo "installed $name"; done', apt_get="echo called; exit 1"
    )
    done = subprocess.run([INSTALL], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_root_it_says_what_is_missing(tmp_path: Path) -> None:
    status = 'shift 2; for name; do [ "$name" = socat ] || echo "installed $name"; done'
    environment = pretend(tmp_path, dpkg_query=status, id="echo 1000")
    done = subprocess.run([INSTALL], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "tests/lab/install: needs root to install: socat\n")


def test_the_guard_against_starting_services_is_taken_away_also_on_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the lab, on the machine's own kernel: /usr/sbin is nobody's but the test's."""
    monkeypatch.setenv("LVSD_LAB", "native")
    script = f"""
        mkdir /tmp/bin; PATH=/tmp/bin:$PATH
        printf '#!/bin/sh\\necho "removed socat"\\n' >/tmp/bin/dpkg-query
        printf '#!/bin/sh\\ncat /usr/sbin/policy-rc.d; exit 100\\n' >/tmp/bin/apt-get
        chmod +x /tmp/bin/*
        {INSTALL} >/tmp/said 2>&1; echo $?
        grep -c 'exit 101' /tmp/said
        ls /usr/sbin/policy-rc.d
        echo mine >/usr/sbin/policy-rc.d
        {INSTALL} >/tmp/said 2>&1; echo $?
        cat /usr/sbin/policy-rc.d"""
    result = boot(["sh", "-c", script], timeout_seconds=60, sink=discard)
    assert result.output.splitlines() == [
        "1",
        "1",
        "ls: cannot access '/usr/sbin/policy-rc.d': No such file or directory",
        "1",
        "mine",
    ]
