"""What a confined process still holds, seen from outside."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkers.core.messages import CAP_NET_RAW
from checkers.core.proof import faults, standing
from checkers.runtime import sandbox

USER = "nobody"
HELD = """
import os, sys
from checkers.runtime.sandbox import confine, Refused
if sys.argv[4:]:  # only now: a checkout may lie where another user cannot read it
    uid, gid, *groups = map(int, sys.argv[4:])
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
try:
    confine(sys.argv[1], map(int, sys.argv[2].split()), int(sys.argv[3]))
except Refused as error:
    print("refused", error)
    raise SystemExit(70)
os.write(1, b"confined\\n")
sys.stdin.read()
"""


@contextlib.contextmanager
def confined(
    name: str = USER,
    kept: tuple[int, ...] = (),
    become: tuple[int, ...] = (),
    capabilities: int = 0,
    **options: object,
) -> Iterator[subprocess.Popen[str]]:
    """A process that confined itself, and lives until the block ends. `become`: user, group, groups it has before."""
    command = [sys.executable, "-c", HELD, name, " ".join(map(str, kept)), str(capabilities), *map(str, become)]
    with subprocess.Popen(  # type: ignore[call-overload] # options are the caller's
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.wait(10)


def said(process: subprocess.Popen[str]) -> str:
    """The next line it says."""
    assert process.stdout is not None
    return process.stdout.readline()


def rest(process: subprocess.Popen[str]) -> str:
    """All it says until its end."""
    assert process.stdout is not None
    return process.stdout.read()


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")


@as_root
def test_root_becomes_a_user_that_holds_nothing() -> None:
    with confined(extra_groups=[4]) as process:
        assert said(process) == "confined\n"
        held = standing(Path(f"/proc/{process.pid}/status").read_text())
    account = pwd.getpwnam(USER)
    assert faults(held, dropped_by_root=True) == ()
    assert held.uids == (account.pw_uid,) * 4
    assert held.gids == (account.pw_gid,) * 4


@as_root
def test_one_capability_stays_and_nothing_that_is_executed_has_it() -> None:
    with confined(capabilities=CAP_NET_RAW) as process:
        assert said(process) == "confined\n"
        held = standing(Path(f"/proc/{process.pid}/status").read_text())
    assert faults(held, dropped_by_root=True, kept=CAP_NET_RAW) == ()
    assert held.capabilities == {"CapInh": 0, "CapPrm": 1 << 13, "CapEff": 1 << 13, "CapBnd": 0, "CapAmb": 0}
    assert held.uids == (pwd.getpwnam(USER).pw_uid,) * 4
    assert len(faults(held, dropped_by_root=True)) == 2


@as_root
def test_who_has_not_the_capability_cannot_keep_it() -> None:
    account = pwd.getpwnam(USER)
    with confined("root", become=(account.pw_uid, account.pw_gid), capabilities=CAP_NET_RAW) as process:
        assert rest(process).startswith("refused")
    assert process.returncode == 70


@as_root
def test_inherited_descriptors_are_closed_but_those_kept() -> None:
    pipes = [*os.pipe(), *os.pipe()]
    kept = (pipes[3], pipes[1])
    try:
        with confined(kept=kept, pass_fds=pipes) as process:
            assert said(process) == "confined\n"
            held = sorted(int(entry.name) for entry in Path(f"/proc/{process.pid}/fd").iterdir())
    finally:
        for descriptor in pipes:
            os.close(descriptor)
    assert held == [0, 1, 2, *sorted(kept)]


@as_root
def test_the_limits_are_set() -> None:
    with confined() as process:
        assert said(process) == "confined\n"
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        status = Path(f"/proc/{process.pid}/status").read_text()
        folder = Path(f"/proc/{process.pid}/cwd").readlink()
    bounds = {line[:26].rstrip(): line[26:].split()[:2] for line in limits.splitlines()}
    assert bounds["Max core file size"] == ["0", "0"]
    assert int(bounds["Max open files"][1]) <= sandbox.DESCRIPTORS
    assert int(bounds["Max processes"][1]) <= sandbox.PROCESSES
    assert int(bounds["Max address space"][1]) <= sandbox.ADDRESS_SPACE_BYTES
    assert "Umask:\t0077" in status
    assert folder == Path("/")


@as_root
@pytest.mark.parametrize("user", ["root", "no-such-user"])
def test_a_user_that_is_none_or_root_is_refused(user: str) -> None:
    with confined(user) as process:
        assert rest(process).startswith("refused")
    assert process.returncode == 70


@as_root
def test_somebody_else_gives_up_what_it_can() -> None:
    """As an unprivileged user would start it, with its groups: it keeps both, proves the rest."""
    account = pwd.getpwnam(USER)
    with confined("root", become=(account.pw_uid, account.pw_gid, 4)) as process:
        assert said(process) == "confined\n"
        held = standing(Path(f"/proc/{process.pid}/status").read_text())
    assert held.uids == (account.pw_uid,) * 4
    assert held.groups == (4,)
    assert faults(held, dropped_by_root=False) == ()


@as_root
def test_its_memory_is_closed_to_others_of_the_same_user() -> None:
    account = pwd.getpwnam(USER)
    with confined() as process:
        assert said(process) == "confined\n"
        command = ["cat", f"/proc/{process.pid}/environ"]
        other = subprocess.run(command, user=account.pw_uid, group=account.pw_gid, capture_output=True, timeout=30)
    assert other.returncode == 1
    assert b"Permission denied" in other.stderr


def test_it_ends_with_its_parent() -> None:
    """A parent in between is killed; the confined process hears of it by its standard output's end."""
    between = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', {HELD!r}, {USER!r}, '', '0'], stdin=subprocess.PIPE)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", between], stdout=subprocess.PIPE, text=True) as parent:
        assert said(parent) == "confined\n"
        parent.kill()
        assert rest(parent) == ""  # the end: nobody holds the pipe any more


def test_a_parent_that_is_gone_already_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from checkers.runtime.sandbox import ParentGone, confine\n"
        "try:\n confine('nobody', ())\nexcept ParentGone:\n print('gone')"
    )
    monkeypatch.setenv(sandbox.PARENT_ENV, "1")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert found.stdout == "gone\n"
