"""The notify process with real commands: order, limits, whole groups, users, floods, its end."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lvsd.control.hooks import AppendLine, RunCommand, ToNotify, encode

ORDINARY_SIGNALS = 0x7FFFFFFF  # 32 and 33 are the C library's own: no program says what becomes of them
# The process itself, with shorter limits.
DRIVER = """
import sys
from lvsd.runtime import child_group, commands, notify_process
commands.LIMIT_SECONDS = float(sys.argv[2])
child_group.GRACE_SECONDS = notify_process.GRACE_SECONDS = 0.5
notify_process.DRAIN_SECONDS = float(sys.argv[3])
sys.exit(notify_process.main(["--socket", sys.argv[1]]))
"""


class Notify:
    """lvsd-notify as a child of ours."""

    def __init__(self, directory: Path, limit: float = 60.0, drain: float = 5.0) -> None:
        self.directory = directory
        self.path = directory / "notify.sock"
        self.log = directory / "log"
        command = [sys.executable, "-c", DRIVER, str(self.path), str(limit), str(drain)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, start_new_session=True)
        self.until(self.path.exists)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(os.fspath(self.path))

    def ask(self, *messages: ToNotify) -> None:
        for message in messages:
            self.socket.send(encode(message))

    def run(self, script: str, lane: str = "a", user: str = "", **environment: str) -> None:
        self.ask(RunCommand(lane, ("/bin/sh", "-c", script), {"DIR": str(self.directory), **environment}, user))

    def told(self, event: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if f" {event} " in line]

    def read(self, name: str) -> str:
        path = self.directory / name
        return path.read_text() if path.exists() else ""

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.01)


@pytest.fixture
def begin() -> Iterator[Callable[..., Notify]]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)  # another user writes here too
        begun: list[Notify] = []

        def begin(**limits: float) -> Notify:
            begun.append(Notify(Path(name), **limits))
            return begun[-1]

        yield begin
        for one in begun:
            one.socket.close()
            one.process.kill()
            one.process.wait()


def gone(pid: str) -> bool:
    try:
        return Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_lane_keeps_its_order_and_others_do_not_wait(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.run("until test -e $DIR/go; do sleep 0.01; done; echo first >> $DIR/out")
    for number in range(20):
        notify.run(f"echo {number} >> $DIR/out")
    notify.run("echo other > $DIR/other", lane="b")
    notify.until(lambda: notify.read("other"))
    assert notify.read("out") == ""
    (notify.directory / "go").touch()
    notify.until(lambda: len(notify.told("command_done")) == 22)
    assert notify.read("out").split() == ["first", *map(str, range(20))]


def test_a_command_finds_a_clean_place(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.run(
        "env | sort > $DIR/env; pwd > $DIR/cwd; cat > $DIR/stdin; echo $$ $(ps -o pgid=,sid= -p $$) > $DIR/ids; "
        "ls /proc/$$/fd | wc -l > $DIR/fds; grep SigIgn /proc/$$/status > $DIR/signals",
        LVSD_SERVICE="web",
    )
    notify.until(lambda: notify.told("command_done"))
    names = {line.partition("=")[0] for line in notify.read("env").splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"DIR", "LANG", "LVSD_SERVICE", "PATH"}
    assert notify.read("cwd") == "/\n"
    assert notify.read("stdin") == ""
    pid, group, session = notify.read("ids").split()
    assert pid == group == session
    assert int(notify.read("fds")) <= 4
    assert int(notify.read("signals").split()[1], 16) & ORDINARY_SIGNALS == 0


def test_a_failure_is_told_with_what_it_said_and_no_argument(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.run("echo no such thing; echo twice >&2; exit 3 # secret")
    notify.until(lambda: notify.told("command_failed"))
    (line,) = notify.told("command_failed")
    assert "status=3" in line
    assert "no such thing | twice" in line
    assert "command=/bin/sh" in line
    assert "secret" not in line


def test_what_cannot_run_is_told_and_its_lane_goes_on(begin: Callable[..., Notify]) -> None:
    notify = begin()
    for argv in (("/nonexistent",), (), ("/etc/passwd",), ("/bin/true", "\0")):
        notify.ask(RunCommand("a", argv, {}))
    if os.geteuid() == 0:
        notify.ask(RunCommand("a", ("/bin/true",), {}, "no-such-user"))
    notify.run("true")
    notify.until(lambda: notify.told("command_done"))
    assert len(notify.told("command_not_run")) == (5 if os.geteuid() == 0 else 4)


def test_a_script_without_a_first_line_is_the_shells(begin: Callable[..., Notify]) -> None:
    notify = begin()
    script = notify.directory / "hook"
    script.write_text(f'echo "$1" > {notify.directory}/out\n')
    script.chmod(0o755)
    notify.ask(RunCommand("a", (str(script), "one word"), {}))
    notify.until(lambda: notify.read("out") == "one word\n")


def test_the_time_limit_ends_the_whole_group(begin: Callable[..., Notify]) -> None:
    notify = begin(limit=3.0)  # within which the command gets to where it waits
    notify.run(
        "sh -c 'trap \"\" TERM; echo $$ > $DIR/grandchild; while :; do sleep 0.05; done' & "
        "until test -s $DIR/grandchild; do sleep 0.01; done; echo begun; sleep 100"
    )
    notify.until(lambda: notify.read("grandchild"))
    notify.run("echo next > $DIR/next")
    notify.until(lambda: notify.told("command_timed_out"))
    assert "begun" in notify.told("command_timed_out")[0]
    notify.until(lambda: gone(notify.read("grandchild")))
    notify.until(lambda: notify.read("next"))


def test_what_a_command_leaves_running_lives_on_and_may_speak(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.run("(until test -e $DIR/go; do sleep 0.01; done; echo hello && echo spoke > $DIR/out) & exit 0")
    notify.until(lambda: notify.told("command_done"))
    (notify.directory / "go").touch()
    notify.until(lambda: notify.read("out") == "spoke\n")


def test_a_flood_of_words_is_read_and_cut(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.run("head -c 5000000 /dev/zero | tr '\\0' x; exit 1")
    notify.until(lambda: notify.told("command_failed"))
    assert 3000 < len(notify.told("command_failed")[0]) < 4096


def test_a_flood_of_commands_drops_the_oldest_and_tells(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.run("until test -e $DIR/go; do sleep 0.01; done")
    for number in range(300):
        notify.run(f"echo {number} >> $DIR/out")
    notify.run("echo heard > $DIR/heard", lane="b")
    notify.until(lambda: notify.read("heard"))  # and so all that was said before
    assert notify.told("command_dropped")
    (notify.directory / "go").touch()
    notify.until(lambda: notify.read("out").split()[-1:] == ["299"])
    ran = [int(word) for word in notify.read("out").split()]
    assert ran == list(range(300 - 256, 300))
    assert len(notify.told("command_dropped")) == 1  # a minute


def test_so_many_lanes_run_at_once_and_all_have_their_turn(begin: Callable[..., Notify]) -> None:
    notify = begin()
    for lane in range(40):
        notify.run(f"until test -e $DIR/go; do sleep 0.05; done; echo {lane} >> $DIR/out", lane=str(lane))
    children = Path(f"/proc/{notify.process.pid}/task/{notify.process.pid}/children")
    notify.until(lambda: len(children.read_text().split()) == 16)
    (notify.directory / "go").touch()
    notify.until(lambda: len(notify.read("out").split()) == 40)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_command_runs_as_its_user_with_its_groups(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.run("id -u > $DIR/who; id -G > $DIR/groups; grep CapEff /proc/$$/status > $DIR/caps", user="nobody")
    notify.until(lambda: notify.told("command_done"))
    account = pwd.getpwnam("nobody")
    assert int(notify.read("who")) == account.pw_uid
    assert sorted(map(int, notify.read("groups").split())) == sorted(os.getgrouplist("nobody", account.pw_gid))
    assert int(notify.read("caps").split()[1], 16) == 0


def test_its_end_does_what_waits_and_ends_what_takes_too_long(begin: Callable[..., Notify]) -> None:
    notify = begin(drain=6.0)
    notify.run("until test -e $DIR/go; do sleep 0.01; done")
    for number in range(5):
        notify.run(f"echo {number} >> $DIR/out")
    notify.run("echo $$ > $DIR/pid; sleep 100; echo never > $DIR/never", lane="b")
    notify.run("echo never > $DIR/never", lane="b")
    notify.until(lambda: notify.read("pid"))
    notify.process.terminate()
    (notify.directory / "go").touch()
    assert notify.process.wait(30) == 0
    assert notify.read("out").split() == ["0", "1", "2", "3", "4"]
    assert notify.read("never") == ""
    assert len(notify.told("command_timed_out")) == 1
    assert len(notify.told("commands_dropped")) == 1
    assert gone(notify.read("pid"))


def test_the_words_of_who_has_left_count_at_the_end(begin: Callable[..., Notify]) -> None:
    notify = begin()
    os.kill(notify.process.pid, signal.SIGSTOP)
    late = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    late.connect(os.fspath(notify.path))
    late.send(encode(RunCommand("a", ("/bin/sh", "-c", f"echo late > {notify.directory}/out"), {})))
    late.close()
    notify.process.terminate()
    os.kill(notify.process.pid, signal.SIGCONT)
    assert notify.process.wait(10) == 0
    assert notify.read("out") == "late\n"


def test_garbage_costs_its_sender_the_connection_alone(begin: Callable[..., Notify]) -> None:
    notify = begin()
    for packet in (b"\xc1", b"x" * 70000):
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stranger.settimeout(10)
        stranger.connect(os.fspath(notify.path))
        stranger.send(packet)
        assert stranger.recv(1) == b""
        stranger.close()
    notify.run("true")
    notify.until(lambda: notify.told("command_done"))


def test_lines_are_added_whole_to_regular_files_alone(begin: Callable[..., Notify]) -> None:
    notify = begin()
    out = notify.directory / "outcomes"
    (notify.directory / "link").symlink_to(out)
    os.mkfifo(notify.directory / "fifo")
    for path in ("link", "fifo", "missing/file"):
        notify.ask(*(AppendLine(str(notify.directory / path), "no") for _ in range(3)))
    notify.ask(AppendLine(str(out), "one"), AppendLine(str(out), "two\nforged"))
    notify.until(lambda: notify.read("outcomes").endswith("forged\n"))
    assert notify.read("outcomes") == "one\ntwo?forged\n"
    assert out.stat().st_mode & 0o777 == 0o640
    assert len(notify.told("line_not_written")) == 3
    out.rename(notify.directory / "outcomes.1")
    notify.ask(AppendLine(str(out), "three"))
    notify.until(lambda: notify.read("outcomes") == "three\n")


def test_it_leaves_when_nobody_can_reach_it(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.path.unlink()
    assert notify.process.wait(10) == 1


def test_it_is_light() -> None:
    code = "import sys, lvsd.runtime.notify_process; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    for heavy in ("asyncio", "ssl", "email", "config.model", "lvsd.core", "netlink", "aiosmtplib"):
        assert heavy not in loaded.stdout.split()
