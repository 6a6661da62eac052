"""Tracked scripts in the notify process: results, time limits, never two at once, who hears of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from lvsd.control.hooks import PACKET_LIMIT_BYTES, Instruct, Script, ScriptEnded, decode_result
from tests.unit.runtime.test_notify_process import Notify, begin, gone

__all__ = ["begin"]  # a fixture


def script(notify: Notify, text: str, name: str = "a", *, interval: float = 0.1, timeout: float = 5.0) -> Script:
    command = ("/bin/sh", "-c", f"DIR={notify.directory}; {text}")
    return Script(f"{name} {text}", name, command, interval, timeout)


def hear(connection: socket.socket) -> ScriptEnded:
    connection.settimeout(10)
    return decode_result(connection.recv(PACKET_LIMIT_BYTES))


def test_each_run_is_reported(begin: Callable[..., Notify]) -> None:
    notify = begin()
    one = script(notify, "test -e $DIR/good")
    notify.ask(Instruct((one,)))
    first, *_, sixth = [hear(notify.socket) for _ in range(6)]
    assert (first.id, first.status, first.timed_out) == (one.id, 1, False)
    assert sixth.at >= first.at + 0.25  # four intervals at least lie between, but for what the first run took
    (notify.directory / "good").touch()
    notify.until(lambda: hear(notify.socket).status == 0)
    assert len(notify.told("tracked_script_failed")) == 1


def test_what_it_says_is_told_when_its_result_changes_and_its_command_is_not(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.ask(Instruct((script(notify, "echo no gateway; exit 4", "gateway"),)))
    for _ in range(3):
        assert hear(notify.socket).status == 4
    (line,) = notify.told("tracked_script_failed")
    assert "script=gateway" in line
    assert "no gateway" in line
    assert "DIR" not in line


def test_a_script_that_hangs_is_bad_at_its_timeout_and_its_group_dies(begin: Callable[..., Notify]) -> None:
    notify = begin()
    text = "trap '' TERM; sleep 600 & echo $! >> $DIR/pids; for i in $(seq 60); do sleep 1; done"
    notify.ask(Instruct((script(notify, text, timeout=2.0),)))
    assert hear(notify.socket).timed_out
    assert hear(notify.socket).timed_out  # the second run began after the first was dead
    first, *_ = notify.read("pids").split()
    notify.until(lambda: gone(first))


def test_it_never_runs_twice_at_once(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.ask(Instruct((script(notify, "mkdir $DIR/lock || exit 9; sleep 0.3; rmdir $DIR/lock"),)))
    assert [hear(notify.socket).status for _ in range(4)] == [0, 0, 0, 0]


def test_a_script_that_stays_is_not_disturbed_and_one_that_goes_is_ended(begin: Callable[..., Notify]) -> None:
    notify = begin()
    stays = script(notify, "echo x >> $DIR/stays", "stays", interval=600)
    goes = script(notify, "echo $$ >> $DIR/goes; exec sleep 600", "goes", timeout=600)
    notify.ask(Instruct((stays, goes)))
    assert hear(notify.socket).id == stays.id
    notify.until(lambda: notify.read("goes"))
    notify.ask(Instruct((stays,)))
    notify.until(lambda: gone(notify.read("goes")))
    assert hear(notify.socket).id == stays.id  # the last result is said again: that is all
    assert notify.read("stays") == "x\n"


def test_who_connects_later_hears_the_last_results(begin: Callable[..., Notify]) -> None:
    notify = begin()
    one = script(notify, "exit 3", interval=600)
    notify.ask(Instruct((one,)))
    first = hear(notify.socket)
    notify.socket.close()
    notify.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    notify.socket.connect(os.fspath(notify.path))
    notify.ask(Instruct((one,)))
    assert hear(notify.socket) == first


def test_scripts_go_on_without_a_director(begin: Callable[..., Notify]) -> None:
    notify = begin()
    notify.ask(Instruct((script(notify, "echo x >> $DIR/out"),)))
    notify.socket.close()
    notify.until(lambda: len(notify.read("out").split()) > 5)


def test_what_cannot_run_is_bad(begin: Callable[..., Notify]) -> None:
    notify = begin()
    for argv, user in ((("/nonexistent",), ""), ((), ""), (("/bin/true", "\0"), ""), (("/etc/passwd",), "")):
        notify.ask(Instruct((Script(f"x {argv}", "x", argv, 600.0, 1.0, user),)))
        assert hear(notify.socket).status != 0
    if os.geteuid() == 0:
        notify.ask(Instruct((Script("y", "y", ("/bin/true",), 600.0, 1.0, "no-such-user"),)))
        assert hear(notify.socket).status == 127


def test_a_director_that_does_not_listen_holds_nobody_up_and_hears_the_last_later(begin: Callable[..., Notify]) -> None:
    notify = begin()
    many = 400  # more than the socket holds, and than may run at once
    notify.ask(Instruct(tuple(Script(f"{number}", "s", ("/bin/true",), 600.0, 60.0) for number in range(many))))
    notify.run("touch $DIR/done")
    notify.until((notify.directory / "done").exists)
    heard: set[str] = set()
    while len(heard) < many:
        heard.add(hear(notify.socket).id)


def test_the_end_of_a_run_that_nobody_wants_any_more_is_no_result(begin: Callable[..., Notify]) -> None:
    notify = begin()
    text = "test -e $DIR/first && exit 5; trap '' TERM; touch $DIR/first; for i in $(seq 600); do sleep 0.1; done"
    one = script(notify, text, timeout=600)
    notify.ask(Instruct((one,)))
    notify.until((notify.directory / "first").exists)
    notify.ask(Instruct(()), Instruct((one,)))
    result = hear(notify.socket)
    assert (result.status, result.timed_out) == (5, False)


def test_the_end_waits_for_no_script(begin: Callable[..., Notify]) -> None:
    notify = begin(drain=20.0)
    notify.ask(Instruct((script(notify, "echo $$ > $DIR/pid; exec sleep 600", timeout=600),)))
    notify.until(lambda: notify.read("pid"))
    notify.process.terminate()
    assert notify.process.wait(10) == 0
    assert gone(notify.read("pid"))
