"""What a forked child keeps of its parent, and when nobody is to be forked; each parent is a process of its own."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lvsd.runtime.forking import Code

# A parent with a supervisor's signal handlers and wake-up pipe; `work` is what its child does.
PARENT = """
import os, select, signal, sys, time
from lvsd.runtime.forking import fork
hears, tells = os.pipe()
wake, woken = os.pipe2(os.O_NONBLOCK)
signal.set_wakeup_fd(woken)
handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
for number in handled:
    signal.signal(number, lambda *_: None)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
def forked(work):
    return fork(work, "lvsd-a-child", tells, ())
def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
def said():
    return os.read(hears, 4096).decode()
def say(words):
    os.write(int(os.environ["LVSD_NOTIFY_FD"]), words.encode())
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", PARENT + program]
    return subprocess.run(command, input="", capture_output=True, text=True, timeout=30)


def test_a_signal_to_a_child_ends_it_from_the_first_moment_and_wakes_nobody_else() -> None:
    done = run("""
for _ in range(20):
    child = forked(lambda: time.sleep(60) or 0)
    os.kill(child, signal.SIGTERM)
    print(ended(child) == -signal.SIGTERM)
signal.pthread_sigmask(signal.SIG_BLOCK, ())
numbers = os.read(wake, 4096)
print({*numbers} == {signal.SIGCHLD})
""")
    assert done.stdout.split() == ["True"] * 21, done.stdout + done.stderr


def test_signals_are_as_a_started_process_has_them() -> None:
    done = run("""
def work():
    kinds = [signal.getsignal(number) for number in handled]
    say(f"{[kind is signal.SIG_DFL for kind in kinds]} {kinds[1] is signal.default_int_handler} "
        f"{signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN} {signal.set_wakeup_fd(-1)} "
        f"{signal.pthread_sigmask(signal.SIG_BLOCK, ())}")
    return 0
print(ended(forked(work)), said(), signal.pthread_sigmask(signal.SIG_BLOCK, ()))
""")
    assert done.stdout == "0 [True, False, True, True] True True -1 set() set()\n", done.stderr


def test_a_group_and_a_name_of_its_own_an_empty_input_and_no_descriptor_of_ours() -> None:
    done = run("""
def work():
    comm, shown = (open(f"/proc/self/{name}").read().strip("\\0\\n") for name in ("comm", "cmdline"))
    there = [one for one in map(int, os.listdir("/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{one}")]
    ours = os.environ["LVSD_PARENT_PID"] == str(os.getppid())
    say(f"{os.getpgid(0) == os.getpid()} {comm} {shown} {os.readlink('/proc/self/fd/0')} {ours} "
        f"{sorted(there) == [0, 1, 2, tells]}")
    return 0
shown = open("/proc/self/cmdline").read()
print(ended(forked(work)), said(), open("/proc/self/cmdline").read() == shown, "LVSD_PARENT_PID" in os.environ)
""")
    assert done.stdout == "0 True lvsd-a-child lvsd-a-child /dev/null True True True False\n", done.stderr


def test_its_status_is_what_its_work_says_and_our_callers_cleanup_is_not_its_business() -> None:
    done = run("""
import argparse
def refuses():
    argparse.ArgumentParser().parse_args(["--nonsense"])
def fails():
    raise ValueError("s3cret")
try:
    for work in (lambda: 78, lambda: sys.exit(3), lambda: sys.exit("words"), refuses, fails):
        print(ended(forked(work)), flush=True)
finally:
    print("ours", flush=True)
""")
    assert done.stdout.split() == ["78", "3", "1", "2", "1", "ours"]
    assert "process_crashed process=lvsd-a-child error=ValueError where=<string>:" in done.stderr
    assert "s3cret" not in done.stderr


def test_it_ends_with_its_parent() -> None:
    reader, writer = os.pipe()
    program = PARENT + f"fork(lambda: say('.') or time.sleep(60) or 0, 'lvsd-a-child', tells, ({writer},))\nsaid()\n"
    try:
        subprocess.run([sys.executable, "-I", "-c", program], pass_fds=(writer,), timeout=30, check=True)
    finally:
        os.close(writer)
    ended, _, _ = select.select([reader], [], [], 20)
    assert ended, "its end closes the pipe"
    os.close(reader)


def test_what_cannot_be_forked_raises_and_takes_signals_again() -> None:
    done = run("""
def refused():
    raise BlockingIOError("no process to be had")
os.fork = refused
try:
    forked(lambda: 0)
except OSError as error:
    print(error, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
""")
    assert done.stdout == "no process to be had set()\n", done.stderr


def test_code_is_current_until_a_file_of_it_is_another(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("one")
    code = Code.of((str(file), __file__))
    assert code.is_current()
    file.with_suffix(".new").write_text("one")
    file.with_suffix(".new").rename(file)
    assert not code.is_current()
    assert Code.of((str(file),)).is_current()
    file.unlink()
    assert not code.is_current()
    assert not Code.of((str(file),)).is_current(), "what was not there proves nothing"


def test_a_whole_tree_that_another_one_took_the_place_of(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text("the same")
    link = tmp_path / "current"
    link.symlink_to("old")
    code = Code.of((str(link / "module.py"),))
    assert code.is_current()
    link.unlink()
    link.symlink_to("new")
    assert not code.is_current()


def test_the_code_of_this_process_is_all_it_has_loaded() -> None:
    code = Code.loaded()
    assert code.is_current()
    assert {__file__, pytest.__file__, sys.executable, signal.__file__} <= code.stamps.keys()
