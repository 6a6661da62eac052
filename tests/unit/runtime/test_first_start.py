"""The director that `lvsd run` forks: what it has, what it has not, and that it never outlives what should have been
its supervisor.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lvsd.runtime.children import Forked
from lvsd.runtime.first_start import LOCK_FILE, lock

LVSD = str(Path(sys.executable).with_name("lvsd"))
RIGHT = "services: {a: {virtual: 127.0.0.9:80, check: {type: tcp}, real_servers: [127.0.0.1]}}\n"

# `start` with a director of ours that writes down how it found itself, and then waits for its end; and with a
# supervisor of ours that does so too.
DRIVER = """
import json, os, sys, threading, time
from pathlib import Path
from lvsd.runtime import first_start, supervisor
from lvsd.runtime.forking import share
directory, user, end = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def write(name, found):
    (directory / "new").write_text(json.dumps(found))
    (directory / "new").rename(directory / name)
def direct(files, run_directory, state_directory, telling):
    write("director", {
        "pid": os.getpid(), "leads": os.getpgid(0) == os.getpid(), "input": os.readlink("/proc/self/fd/0"),
        "open": sorted(int(one) for one in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{one}")),
        "pipes": sorted([int(os.environ["LVSD_NOTIFY_FD"]), telling]),
        "environment": {name: os.environ.get(name, "") for name in ("LVSD_PARENT_PID", "NOTIFY_SOCKET")},
        "shown": Path("/proc/self/comm").read_text() + Path("/proc/self/cmdline").read_text().strip(chr(0)),
    })
    os.write(telling, user.encode())
    os.close(telling)
    time.sleep(60 if user else 0)
    return 78
def supervise(said, held, director, notify):
    share(supervisor.SHARED)
    write("supervisor", {
        "pid": os.getpid(), "director": director.pid, "user": said.checker_user, "files": said.files,
        "open": sorted(int(one) for one in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{one}")),
        "held": os.readlink(f"/proc/self/fd/{held}"), "notify": os.readlink(f"/proc/self/fd/{notify}"),
        "passed": [held, notify], "modules": [*sys.modules], "threads": threading.active_count(),
    })
    if end == "crash":
        raise OSError("no memory")
    return 3
first_start.direct = direct
first_start.TABLE_SECONDS = 0.1
supervisor.supervise = supervise
held = first_start.lock(directory)
os.dup2(spare := os.open("/dev/null", os.O_RDONLY), 99)
os.close(spare)
os.environ["NOTIFY_SOCKET"] = "/nonexistent"
first_start.start(held, ("one.yaml", "two.yaml"), directory, directory)
"""


def driven(directory: Path, user: str = "nobody", end: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, str(directory), user, end]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def written(directory: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / name).read_text())
    return found


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Ended, whoever has to fetch its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_director_ends_with_what_could_not_become_its_supervisor(tmp_path: Path) -> None:
    process = driven(tmp_path, end="crash")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "no memory" in errors
    director = written(tmp_path, "director")["pid"]
    until(lambda: is_gone(director), "the director's end")
    os.close(lock(tmp_path))


def test_the_director_has_what_a_started_process_has_and_nothing_else(tmp_path: Path) -> None:
    process = driven(tmp_path)
    process.communicate(timeout=20)
    found = written(tmp_path, "director")
    assert found["leads"]
    assert found["input"] == os.devnull
    assert found["open"] == sorted({0, 1, 2, *found["pipes"]})
    assert found["environment"] == {"LVSD_PARENT_PID": str(process.pid), "NOTIFY_SOCKET": ""}
    assert found["shown"] == "lvsd-director\nlvsd-director"


def test_the_same_process_becomes_the_supervisor_of_the_director_and_holds_the_lock(tmp_path: Path) -> None:
    process = driven(tmp_path)
    process.communicate(timeout=20)
    found = written(tmp_path, "supervisor")
    assert process.returncode == 3
    assert (found["pid"], found["director"]) == (process.pid, written(tmp_path, "director")["pid"])
    assert (found["user"], found["files"]) == ("nobody", ["one.yaml", "two.yaml"])
    assert found["held"] == str(tmp_path / LOCK_FILE)
    assert found["notify"].startswith("pipe:")
    assert found["open"] == sorted({0, 1, 2, 99, *found["passed"]}), "no end of another pipe"


def test_the_supervisor_can_be_forked_from_and_has_never_read_a_configuration(tmp_path: Path) -> None:
    driven(tmp_path).communicate(timeout=20)
    found = written(tmp_path, "supervisor")
    assert found["threads"] == 1
    assert not {"config.load", "yaml", "lvsd.runtime.director_process"} & {*found["modules"]}
    assert not [name for name in found["modules"] if name.startswith(("checkers.runtime", "checkers.probes"))]


def test_a_director_that_ends_before_it_knows_the_user_ends_it_all(tmp_path: Path) -> None:
    process = driven(tmp_path, user="")
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (1, "", "")
    assert not (tmp_path / "supervisor").exists()


def test_a_wrong_configuration_is_told_line_by_line_and_nothing_runs(tmp_path: Path) -> None:
    file = tmp_path / "lvsd.yaml"
    file.write_text(RIGHT.replace("check:", "chek:"))
    directories = [f"--run-dir={tmp_path / 'run'}", f"--state-dir={tmp_path / 'state'}"]
    command = [LVSD, "run", "-c", str(file), *directories]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{file}:1:")
    assert (done.stderr.count("\n"), "CFG010" in done.stderr) == (1, True), done.stderr


def test_one_lvsd_a_run_directory(tmp_path: Path) -> None:
    file = tmp_path / "lvsd.yaml"
    file.write_text(RIGHT)
    held = lock(tmp_path)
    command = [LVSD, "run", "-c", str(file), f"--run-dir={tmp_path}", f"--state-dir={tmp_path / 'state'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "does another lvsd run there?" in done.stderr
    assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"
    os.close(held)


def forked(work: Callable[[], int]) -> Forked:
    pid = os.fork()
    if pid == 0:
        os._exit(work())
    return Forked(pid)


def until_a_signal(told: int) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # other tests may have left us a handler
    os.write(told, b".")
    signal.pause()
    return 0


def test_a_forked_child_is_waited_for_and_its_status_kept() -> None:
    child = forked(lambda: 78)
    assert child.wait(20) == 78
    assert (child.poll(), child.returncode) == (78, 78)
    child.kill()  # of one that is gone: nothing


def test_a_forked_child_that_is_killed_tells_the_signal() -> None:
    hears, told = os.pipe()
    child = forked(lambda: until_a_signal(told))
    assert os.read(hears, 1) == b"."
    os.close(hears)
    os.close(told)
    assert child.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.0)
    child.terminate()
    assert child.wait(20) == -signal.SIGTERM
