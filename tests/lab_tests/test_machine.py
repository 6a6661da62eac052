"""The lab's host side: what it runs, what it answers, and above all what it leaves behind: nothing."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.backend import LabError
from tests.lab.job import EXIT_NO_LAB
from tests.lab.machine import LabTimeout, boot, discard
from tests.lab_tests.runner import Person, alive, await_end, await_output, family, finish, lab, read_until, traces

BACKENDS = pytest.mark.parametrize("backend", ["uml", "native"])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home for one lab; every test of this file ends by proving that the machine is as it was."""
    empty = tmp_path / "home"
    empty.mkdir()
    before = traces(empty)
    yield empty
    assert traces(empty) == before


@BACKENDS
def test_exit_status_output_and_files_come_back(home: Path, tmp_path: Path, backend: str) -> None:
    out = tmp_path / "out"
    script = "echo one; echo two >&2; hostname; pwd > /out/where; exit 7"
    with lab("run", "--out", str(out), "--", "sh", "-c", script, home=home, backend=backend) as process:
        assert finish(process) == (7, "one\ntwo\nlab\n", "")
    assert (out / "where").read_text().strip() == str(Path.cwd())


@BACKENDS
def test_a_command_killed_by_a_signal_is_told_as_a_shell_would(home: Path, backend: str) -> None:
    with lab("run", "--", "sh", "-c", "kill -9 $$", home=home, backend=backend) as process:
        assert finish(process)[0] == 128 + signal.SIGKILL


@BACKENDS
def test_a_command_that_is_not_there(home: Path, backend: str) -> None:
    with lab("run", "--", "no-such-thing", home=home, backend=backend) as process:
        assert finish(process) == (127, "no-such-thing: No such file or directory\n", "")


@BACKENDS
def test_bytes_pass_unchanged_both_ways_and_end_of_input_is_seen(home: Path, tmp_path: Path, backend: str) -> None:
    sample = tmp_path / "sample"
    sample.write_bytes(bytes(range(256)) * 4096)
    with (
        sample.open("rb") as source,
        lab("run", "--", "cat", home=home, backend=backend, stdin=source.fileno()) as process,
    ):
        output, _ = process.communicate(timeout=60)
    assert output == sample.read_bytes()


@BACKENDS
def test_what_is_written_inside_stays_inside(home: Path, backend: str) -> None:
    script = "touch /etc/lab-was-here && rm /bin/ls && echo gone > README.md && test -e /etc/lab-was-here"
    with lab("run", "--", "sh", "-c", script, home=home, backend=backend) as process:
        assert finish(process) == (0, "", "")
    assert not Path("/etc/lab-was-here").exists()
    assert Path("/bin/ls").exists()


@BACKENDS
def test_what_is_mounted_below_the_root_is_there_and_protected_too(tmp_path: Path, backend: str) -> None:
    """In a mount namespace of the test's own, with a file system on /srv."""
    inside = "cat /srv/there; echo changed >/srv/there; cat /srv/there"
    outside = f"""
        mount -t tmpfs tmpfs /srv; echo first >/srv/there
        {sys.executable} -m tests.lab run -- sh -c '{inside}'; cat /srv/there"""
    command = ["unshare", "--mount", "sh", "-c", outside]
    environment = {**os.environ, "HOME": str(tmp_path), "LVSD_LAB": backend}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["first", "changed", "first"]


def test_even_a_guest_that_mounts_the_host_cannot_write_to_it(home: Path) -> None:
    script = "mkdir /h && mount -t hostfs none /h -o / && ls /h/etc/passwd && touch /h/etc/lab-was-here"
    with lab("run", "--", "sh", "-c", script, home=home) as process:
        status, output, _ = finish(process)
    assert status == 1
    assert "Read-only file system" in output


@BACKENDS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_runner_that_is_killed_takes_everything_along(home: Path, backend: str, number: signal.Signals) -> None:
    script = "setsid sleep 1000 & sleep 1000 & echo begun; wait"
    with lab("run", "--", "sh", "-c", script, home=home, backend=backend) as process:
        await_output(process, b"begun")
        people = family(process.pid)
        assert len(people) >= 3
        process.send_signal(number)
        process.wait(60)
        await_end(people)


@BACKENDS
def test_a_timeout_ends_a_command_that_does_not(home: Path, backend: str) -> None:
    with lab(
        "run", "--timeout", "12", "--", "sh", "-c", "echo begun; sleep 1000", home=home, backend=backend
    ) as process:
        await_output(process, b"begun")
        people = family(process.pid)
        status, _, errors = finish(process)
    assert (status, errors) == (124, "lab: the lab was ended: the command still ran at its time-out\n")
    assert not alive(people)


def hang(people: frozenset[Person]) -> None:
    """Stop the kernel where it is."""
    for person in people:
        if b"linux.uml" in Path(f"/proc/{person.pid}/cmdline").read_bytes():
            os.kill(person.pid, signal.SIGSTOP)


def test_a_kernel_that_hangs_is_ended(home: Path) -> None:
    with lab("run", "--timeout", "12", "--", "sh", "-c", "echo begun; sleep 1000", home=home) as process:
        await_output(process, b"begun")
        people = family(process.pid)
        hang(people)
        assert finish(process)[0] == 124
    assert not alive(people)


def test_a_kernel_that_hangs_goes_with_its_killed_runner(home: Path) -> None:
    """Nobody is left to notice that the console was closed: only the parent-death signals end this one."""
    with lab("run", "--", "sh", "-c", "echo begun; sleep 1000", home=home) as process:
        await_output(process, b"begun")
        people = family(process.pid)
        hang(people)
        process.kill()
        process.wait(60)
        await_end(people)


def test_a_kernel_that_crashes_is_told_with_its_last_words(home: Path) -> None:
    with lab("run", "--", "sh", "-c", "echo c > /proc/sysrq-trigger", home=home) as process:
        status, _, errors = finish(process)
    assert status == EXIT_NO_LAB
    assert "sysrq triggered crash" in errors


def test_a_machine_without_a_kernel_for_it_is_an_error_not_a_skip(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home))
    with lab("run", "--", "true", home=home) as process:
        status, _, errors = finish(process)
    assert status == EXIT_NO_LAB
    assert "tests/lab/install" in errors


def test_a_person_gets_a_terminal(home: Path) -> None:
    """Window size, line editing and Ctrl-C are those of a real terminal."""
    person, terminal = pty.openpty()
    subprocess.run(["stty", "rows", "33", "cols", "99"], stdin=terminal, check=True)
    with lab("shell", "--topology", "none", home=home, stdin=terminal) as process:
        await_output(process, b"lab# ")
        os.write(person, b"until stty size | grep 33; do read -t 1 x; done\n")
        await_output(process, b"33 99")
        os.write(person, b"bash -c 'echo go$((1 + 1)); exec sle\x7feep 1000'\n")
        await_output(process, b"go2")
        os.write(person, b"\x03")
        await_output(process, b"lab# ")
        os.write(person, b"exit 5\n")
        assert process.wait(60) == 5
    os.close(person)
    os.close(terminal)


def test_commands_may_be_piped_into_the_shell(home: Path) -> None:
    with subprocess.Popen(["printf", "hostname\\nexit 3\\n"], stdout=subprocess.PIPE) as words:
        assert words.stdout is not None
        with lab("shell", "--topology", "none", home=home, stdin=words.stdout.fileno()) as process:
            status, output, _ = finish(process)
    assert status == 3
    assert "lab\n" in output


def test_the_call_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVSD_LAB", "native")
    said: list[bytes] = []
    result = boot(["sh", "-c", "echo $WORD; exit 2"], timeout_seconds=30, env={"WORD": "yes"}, sink=said.append)
    assert (result.status, result.output, b"".join(said)) == (2, "yes\n", b"yes\n")
    with pytest.raises(LabTimeout):
        boot(["sleep", "1000"], timeout_seconds=1, sink=discard)
    monkeypatch.setenv("LVSD_LAB", "vmware")
    with pytest.raises(LabError, match="uml and native"):
        boot(["true"], timeout_seconds=30)


def test_read_until_needs_what_it_waits_for() -> None:
    """The waiting helper of this file fails when the other side ends early."""
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"other")
    os.close(write_fd)
    with pytest.raises(AssertionError, match="ended before"):
        read_until(read_fd, b"wanted")
    os.close(read_fd)
