"""The supervisor with real processes as children: order of the end, restarts, hangs, what cannot be helped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# A child: writes down its starts and its end, says READY and then ALIVE as the real ones do.
CHILD = """
import os, signal, sys, time
def main(arguments):
    name, log, mode = arguments[:3]
    if "--number" in arguments:
        name += "-" + arguments[-1]
    def note(word):
        with open("/proc/self/cmdline") as shown, open(log, "a") as file:
            file.write(f"{name} {word} {os.getpid()} {shown.read().split(chr(0))[0]}\\n")
    def end(*_):
        note("ended")
        sys.exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "deaf" else end)
    note("restarted" if "--restarted" in arguments else "started")
    while mode == "slow" and not os.path.exists(log + ".go"):
        time.sleep(0.01)
    signal.signal(signal.SIGHUP, lambda *_: note("hup"))
    if mode == "permanent":
        return 78
    descriptor = int(os.environ["LVSD_NOTIFY_FD"])
    os.write(descriptor, b"READY\\n")
    while True:
        if mode != "hung":
            os.write(descriptor, b"ALIVE\\n")
        if name == "director" and os.path.exists(log + ".orders"):
            with open(log + ".orders", "rb") as orders:
                os.write(descriptor, orders.read())
            os.unlink(log + ".orders")
        time.sleep(0.05)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""

STOP_SECONDS = 30.0
NAMES = ("director", "vrrp", "checker", "notify")

DRIVER = """
import os, sys, a_module
from lvsd.runtime import children as c, supervisor as s
from lvsd.runtime.children import Forked, spawn
from lvsd.runtime.forking import Code
c.PYTHON = (sys.executable, "-m")  # not isolated: our child lies where PYTHONPATH says
log, *modes = sys.argv[1:]
# who is well may have to wait for a processor; those limits that a test waits for are short
s.HANG_LIMIT_SECONDS = s.WORKER_HANG_LIMIT_SECONDS = 2.0 if "hung" in modes else 20.0
s.VRRP_STOP_SECONDS = s.STOP_SECONDS = s.NOTIFY_STOP_SECONDS = 2.0 if {"deaf", "hung"} & {*modes} else 20.0
names = ("director", "vrrp", "checker", "notify")
def command(name, mode):
    return ("/nonexistent",) if mode == "missing" else (*c.PYTHON, "a_child", name, log, mode)
children = [
    s.Child(name, command(name, mode), told_of_restart=name in names[:2], vital=name != "notify")
    for name, mode in zip(names, modes, strict=True)
]
release = ("sh", "-c", f"echo released addresses 0 >> {log}")
s.DIRECTOR_ALONE_SECONDS = float(os.environ.get("ALONE_SECONDS", "1.0"))
supervisor = s.Supervisor(children, release, Code.loaded() if "FORKS" in os.environ else None)
if "ADOPTS" in os.environ:
    started, notify = spawn("director", children[0].command)
    supervisor.adopt(Forked(started.pid), notify)
sys.exit(supervisor.run())
"""


class Driven:
    """A supervisor in a process of its own."""

    def __init__(self, directory: Path, *modes: str, **environment: str) -> None:
        self.log = directory / "log"
        self.log.touch()
        (directory / "a_child.py").write_text(CHILD)
        self.module = directory / "a_module.py"  # that the supervisor has loaded
        self.module.touch()
        command = [sys.executable, "-c", DRIVER, str(self.log), *modes]
        environment = {**os.environ, "PYTHONPATH": str(directory), **environment}
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True, env=environment)

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()]

    def pid(self, name: str) -> int:
        return int([line[2] for line in self.lines() if line[0] == name and "started" in line[1]][-1])

    def count(self, name: str, word: str) -> int:
        return sum(line[:2] == [name, word] for line in self.lines())

    def shown(self, name: str) -> str:
        """How `ps` showed its last start: the first word."""
        return [line[3] for line in self.lines() if line[0] == name and "started" in line[1]][-1]

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.01)

    def order(self, words: str) -> None:
        """Have the director say this to its supervisor, once."""
        orders = Path(f"{self.log}.orders")
        self.until(lambda: not orders.exists())
        written = orders.with_suffix(".new")
        written.write_text(words)
        written.rename(orders)

    def running(self) -> set[str]:
        """The children that are there."""
        return {line[0] for line in self.lines() if "started" in line[1] and Path(f"/proc/{line[2]}").exists()}

    def up(self) -> None:
        self.until(lambda: all(self.count(name, "started") for name in NAMES))


@pytest.fixture(params=["executed", "forked"])
def drive(request: pytest.FixtureRequest) -> Iterator[Callable[..., Driven]]:
    with tempfile.TemporaryDirectory() as name:
        begun: list[Driven] = []

        def begin(*modes: str, **environment: str) -> Driven:
            if request.param == "forked":
                environment["FORKS"] = "1"
            begun.append(Driven(Path(name), *(*modes, *("good",) * (4 - len(modes))), **environment))
            return begun[-1]

        yield begin
        for one in begun:
            one.process.kill()
            one.process.wait()
            for line in one.lines():
                if "started" in line[1] and Path(f"/proc/{line[2]}").exists():
                    os.kill(int(line[2]), signal.SIGKILL)


def test_the_end_has_an_order_and_status_0(drive: Callable[..., Driven]) -> None:
    driven = drive()
    driven.up()
    driven.process.terminate()
    assert driven.process.wait(STOP_SECONDS) == 0
    assert [line[0] for line in driven.lines() if line[1] == "ended"] == ["vrrp", "director", "checker", "notify"]


def test_a_killed_child_is_started_again_and_told_so(drive: Callable[..., Driven]) -> None:
    driven = drive()
    driven.up()
    os.kill(driven.pid("vrrp"), signal.SIGKILL)
    driven.until(lambda: driven.count("vrrp", "restarted") == 1)
    os.kill(driven.pid("checker"), signal.SIGKILL)
    driven.until(lambda: driven.count("checker", "started") == 2)  # it has no use for being told
    assert driven.count("director", "started") == 1


def test_a_child_that_keeps_failing_loses_what_it_holds(drive: Callable[..., Driven]) -> None:
    driven = drive()
    driven.up()
    for number in range(1, 6):
        os.kill(driven.pid("vrrp"), signal.SIGKILL)
        driven.until(lambda: driven.count("vrrp", "restarted") == min(number, 4))  # noqa: B023  called at once
    driven.until(lambda: driven.count("released", "addresses") == 1)
    driven.until(lambda: driven.count("vrrp", "started") == 2)  # and starts as if for the first time


def test_a_hung_child_is_killed_and_started_again(drive: Callable[..., Driven]) -> None:
    driven = drive("good", "good", "hung")
    driven.up()
    driven.until(lambda: driven.count("checker", "started") >= 2)


def test_a_deaf_vrrp_is_killed_and_its_addresses_released(drive: Callable[..., Driven]) -> None:
    driven = drive("good", "deaf", "good")
    driven.up()
    driven.process.terminate()
    assert driven.process.wait(STOP_SECONDS) == 0
    words = [line[0] for line in driven.lines() if line[1] in ("ended", "addresses")]
    assert words == ["released", "director", "checker", "notify"]


def test_a_director_that_can_never_run_ends_the_service(drive: Callable[..., Driven]) -> None:
    driven = drive("permanent", "good", "good")
    assert driven.process.wait(STOP_SECONDS) == 1
    assert driven.count("director", "started") == 1


def test_a_reload_signal_goes_to_the_director_alone(drive: Callable[..., Driven]) -> None:
    driven = drive()
    driven.up()
    driven.process.send_signal(signal.SIGHUP)
    driven.until(lambda: driven.count("director", "hup") == 1)
    assert driven.count("vrrp", "hup") + driven.count("checker", "hup") == 0


def test_a_reload_signal_waits_for_a_director_that_is_still_starting(drive: Callable[..., Driven]) -> None:
    driven = drive("slow", "good", "good")
    driven.up()
    driven.process.send_signal(signal.SIGHUP)
    driven.process.send_signal(signal.SIGHUP)
    os.kill(driven.pid("checker"), signal.SIGKILL)
    driven.until(lambda: driven.count("checker", "started") == 2)  # by then the signals have been dealt with
    driven.log.with_name("log.go").touch()
    driven.until(lambda: driven.count("director", "hup") == 1)
    assert driven.count("director", "started") == 1
    assert driven.count("director", "restarted") == 0


def test_a_process_that_cannot_be_started_takes_nothing_down(drive: Callable[..., Driven]) -> None:
    driven = drive("good", "good", "missing")
    driven.until(lambda: driven.count("director", "started") + driven.count("vrrp", "started") == 2)
    os.kill(driven.pid("director"), signal.SIGKILL)
    driven.until(lambda: driven.count("director", "restarted") == 1)
    driven.process.terminate()
    assert driven.process.wait(STOP_SECONDS) == 0


def test_a_vrrp_that_cannot_be_started_loses_what_it_holds(drive: Callable[..., Driven]) -> None:
    driven = drive("good", "missing", "good")
    driven.until(lambda: driven.count("released", "addresses") >= 1)


@pytest.mark.parametrize("mode", ["permanent", "missing", "hung"])
def test_the_service_neither_waits_for_notify_nor_ends_with_it(drive: Callable[..., Driven], mode: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system, tempfile.TemporaryDirectory() as name:
        system.bind(f"{name}/systemd")
        system.settimeout(20)
        driven = drive("good", "good", "good", mode, NOTIFY_SOCKET=f"{name}/systemd")
        assert system.recv(100) == b"READY=1"
        if mode != "missing":
            driven.until(lambda: driven.count("notify", "started") >= 2)
        assert [driven.count(one, "started") for one in NAMES[:3]] == [1, 1, 1]
        driven.process.terminate()
        assert driven.process.wait(STOP_SECONDS) == 0


def test_ctrl_c_at_a_terminal_keeps_the_order_of_the_end(drive: Callable[..., Driven]) -> None:
    driven = drive()
    driven.up()
    os.killpg(driven.process.pid, signal.SIGINT)
    assert driven.process.wait(STOP_SECONDS) == 0
    assert [line[0] for line in driven.lines() if line[1] == "ended"] == ["vrrp", "director", "checker", "notify"]


def test_workers_come_and_go_as_the_director_says_and_the_others_stay(drive: Callable[..., Driven]) -> None:
    driven = drive()
    driven.up()
    driven.order("WORKERS 1 2 3 0\n")
    driven.until(lambda: {"checker", "checker-2", "checker-3", "checker-0"} <= driven.running())
    os.kill(driven.pid("checker-2"), signal.SIGKILL)
    driven.until(lambda: driven.count("checker-2", "started") == 2)
    driven.order("WORKERS 1 3\n")
    driven.until(lambda: driven.count("checker-2", "ended") + driven.count("checker-0", "ended") == 2)
    driven.until(lambda: not {"checker-2", "checker-0"} & driven.running())  # until they are reaped, too
    driven.order("WORKERS 1 2 3\n")
    driven.until(lambda: driven.count("checker-2", "started") == 3)
    driven.order("nonsense\nWORKERS\nWORKERS 2 3\nRESTART 99\nRESTART 0\n")
    driven.order("WORKERS 1 2 3\n")
    driven.until(lambda: not Path(f"{driven.log}.orders").exists())
    counts = [driven.count(name, "started") for name in ("checker", "checker-3", "checker-0", "director", "vrrp")]
    assert counts == [1, 1, 1, 1, 1]
    driven.process.terminate()
    assert driven.process.wait(STOP_SECONDS) == 0
    ended = [line[0] for line in driven.lines() if line[1] == "ended"][2:]
    assert ended[:2] == ["vrrp", "director"]
    assert set(ended[2:5]) == {"checker", "checker-2", "checker-3"}
    assert ended[5:] == ["notify"]


def test_a_worker_that_the_director_distrusts_is_replaced_whatever_it_does(drive: Callable[..., Driven]) -> None:
    driven = drive("good", "good", "deaf")
    driven.up()
    driven.order("RESTART 1\nWORKERS 1\n")
    driven.until(lambda: driven.count("checker", "started") == 2)
    assert driven.count("director", "started") == 1


def test_a_surplus_worker_that_does_not_end_is_killed(drive: Callable[..., Driven]) -> None:
    driven = drive("good", "good", "deaf")
    driven.up()
    driven.order("WORKERS 1 2\n")
    driven.until(lambda: "checker-2" in driven.running())
    driven.order("WORKERS 1\n")
    driven.until(lambda: "checker-2" not in driven.running())
    assert driven.count("checker-2", "started") == 1


def starts(driven: Driven) -> list[str]:
    return [line[0] for line in driven.lines() if line[1] in ("started", "go")]


def test_the_others_wait_for_the_director(drive: Callable[..., Driven]) -> None:
    driven = drive("slow", ALONE_SECONDS="600")
    driven.until(lambda: driven.count("director", "started") == 1)
    with driven.log.open("a") as log:
        log.write("test go 0\n")
    driven.log.with_name("log.go").touch()
    driven.up()
    assert starts(driven)[:2] == ["director", "test"]
    driven.process.terminate()
    assert driven.process.wait(STOP_SECONDS) == 0


def test_the_others_do_not_wait_for_ever(drive: Callable[..., Driven]) -> None:
    driven = drive("slow", ALONE_SECONDS="0.1")
    driven.up()


def test_nobody_else_is_started_beside_a_director_that_can_never_run(drive: Callable[..., Driven]) -> None:
    driven = drive("permanent", ALONE_SECONDS="600")
    assert driven.process.wait(STOP_SECONDS) == 1
    assert starts(driven) == ["director"]


def test_a_director_that_was_there_before_is_adopted(drive: Callable[..., Driven]) -> None:
    driven = drive(ADOPTS="1", ALONE_SECONDS="600")
    driven.up()
    assert driven.count("director", "started") == 1
    driven.process.send_signal(signal.SIGHUP)
    driven.until(lambda: driven.count("director", "hup") == 1)
    driven.process.terminate()
    assert driven.process.wait(STOP_SECONDS) == 0
    assert [line[0] for line in driven.lines() if line[1] == "ended"] == ["vrrp", "director", "checker", "notify"]


@pytest.mark.parametrize("mode", ["good", "hung"])
def test_an_adopted_director_that_dies_or_hangs_is_started_again(drive: Callable[..., Driven], mode: str) -> None:
    driven = drive(mode, ADOPTS="1")
    driven.up()
    if mode == "good":
        os.kill(driven.pid("director"), signal.SIGKILL)
    driven.until(lambda: driven.count("director", "restarted") >= 1)
    assert driven.count("director", "started") == 1


def test_an_adopted_director_that_can_never_run_ends_the_service(drive: Callable[..., Driven]) -> None:
    driven = drive("permanent", ADOPTS="1")
    assert driven.process.wait(STOP_SECONDS) == 1


def test_an_adopted_director_that_is_deaf_is_killed_at_the_end(drive: Callable[..., Driven]) -> None:
    driven = drive("deaf", ADOPTS="1")
    driven.up()
    driven.process.terminate()
    assert driven.process.wait(STOP_SECONDS) == 0
    driven.until(lambda: "director" not in driven.running())


def test_a_forked_child_is_shown_by_its_name(drive: Callable[..., Driven], request: pytest.FixtureRequest) -> None:
    driven = drive()
    driven.up()
    driven.order("WORKERS 1 2\n")
    driven.until(lambda: "checker-2" in driven.running())
    forked = request.node.callspec.params["drive"] == "forked"
    for name in (*NAMES, "checker-2"):
        assert driven.shown(name) == (f"lvsd-{name}" if forked else sys.executable)


@pytest.mark.parametrize("drive", ["forked"], indirect=True)
@pytest.mark.parametrize("upgrade", [Path.touch, Path.unlink, lambda path: path.write_text("pass")])
def test_nobody_is_forked_from_code_that_is_not_on_the_disk_any_more(
    drive: Callable[..., Driven], upgrade: Callable[[Path], object]
) -> None:
    driven = drive()
    driven.up()
    os.kill(driven.pid("vrrp"), signal.SIGKILL)
    driven.until(lambda: driven.count("vrrp", "restarted") == 1)
    assert driven.shown("vrrp") == "lvsd-vrrp"
    upgrade(driven.module)
    for number in (1, 2):
        os.kill(driven.pid("checker"), signal.SIGKILL)
        driven.until(lambda: driven.count("checker", "started") == number + 1)  # noqa: B023  called at once
        assert driven.shown("checker") == sys.executable
    driven.process.terminate()
    assert driven.process.wait(STOP_SECONDS) == 0
    assert [line[0] for line in driven.lines() if line[1] == "ended"] == ["vrrp", "director", "checker", "notify"]
