"""Commands of the administrator's: their environment, their end, their output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import tracemalloc
from pathlib import Path

import pytest

from checkers.core.messages import AssignedCheck, Target
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes.attempt import attempt
from checkers.probes.external import arguments
from config.checks import ExternalCheck, Timing
from tests.unit.checkers.servers import find

TARGET = Target("10.1.1.15", 3306, "1.1.1.12", 3307, "mysql")


async def ran(*command: str, timeout: float = 5.0) -> Outcome:
    return (await find(ExternalCheck(command), 3306, timeout)).outcome


async def test_exit_0_is_healthy_with_the_commands_words() -> None:
    assert await ran("/bin/sh", "-c", "echo fine; echo really >&2") == Healthy("fine\\nreally")


async def test_another_status_and_a_signal_are_failures() -> None:
    assert await ran("/bin/sh", "-c", "echo no; exit 3") == Unhealthy(Reason.COMMAND_FAILED, "exit status 3: no")
    assert await ran("/bin/sh", "-c", "kill -9 $$") == Unhealthy(Reason.COMMAND_FAILED, "killed by signal 9:")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, Healthy("on")),
        (1, Unhealthy(Reason.COMMAND_FAILED, "exit status 1: on")),
        (2, Healthy("on", weight=0)),
        (50, Healthy("on", weight=48)),
        (255, Healthy("on", weight=253)),
    ],
)
async def test_a_dynamic_command_asks_for_a_weight(status: int, expected: Outcome) -> None:
    check = ExternalCheck(("/bin/sh", "-c", f"echo on; exit {status}"), dynamic=True)
    assert (await find(check, 3306)).outcome == expected


async def test_a_dynamic_command_that_a_signal_ended_has_failed() -> None:
    found = (await find(ExternalCheck(("/bin/sh", "-c", "kill -9 $$"), dynamic=True), 3306)).outcome
    assert found == Unhealthy(Reason.COMMAND_FAILED, "killed by signal 9:")


async def test_a_command_that_cannot_start_is_our_own_fault() -> None:
    found = await ran("/nonexistent/check")
    assert isinstance(found, Inconclusive)
    assert "No such file" in found.detail


async def test_placeholders_are_filled_in_their_own_argument() -> None:
    command = ("check", "{address}:{port}", "{virtual_address}", "{virtual_port}", "{x}", "$(id)")
    assert arguments(TARGET, command) == ["check", "10.1.1.15:3306", "1.1.1.12", "3307", "{x}", "$(id)"]


async def test_the_environment_names_the_target_and_nothing_else_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LVSD_SECRET", "hidden")
    environ = tmp_path / "environ"
    await find(ExternalCheck(("/bin/cp", "/proc/self/environ", str(environ))), 3306, service="mysql")
    lines = environ.read_text().rstrip("\0").split("\0")
    assert sorted(line.partition("=")[0] for line in lines) == [
        "LVSD_REAL_ADDRESS",
        "LVSD_REAL_PORT",
        "LVSD_SERVICE",
        "LVSD_VIRTUAL_ADDRESS",
        "LVSD_VIRTUAL_PORT",
        "PATH",
    ]
    assert "LVSD_REAL_PORT=3306" in lines


async def test_there_is_no_input() -> None:
    assert await ran("/bin/cat") == Healthy("")


def ended(pid: int) -> bool:
    """Whether a process is no more (a zombie of another parent has ended)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def gone(pid: int) -> bool:
    """Whether a process ends before long."""
    deadline = time.monotonic() + 20
    while not ended(pid) and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return ended(pid)


async def test_the_whole_group_is_killed_at_the_timeout(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    words = f"sleep 60 & echo $! >{pids}; echo $$ >>{pids}; echo working; wait"
    found = await ran("/bin/sh", "-c", words, timeout=2.0)
    assert found == Unhealthy(Reason.COMMAND_TIMEOUT, "killed at the timeout: working")
    numbers = [int(line) for line in pids.read_text().split()]
    assert len(numbers) == 2
    assert all([await gone(number) for number in numbers])


async def test_what_is_left_of_the_group_goes_too_and_its_pipe_holds_nobody_up(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    assert await ran("/bin/sh", "-c", f"sleep 60 & echo $! >{pids}; echo done") == Healthy("done")
    assert await gone(int(pids.read_text()))


async def test_output_without_end_is_not_kept() -> None:
    tracemalloc.start()
    try:
        found = await ran("/bin/sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(found, Healthy)
    assert peak < 2_000_000


async def test_a_cancelled_command_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    check = ExternalCheck(("/bin/sh", "-c", f"echo $$ >{pids}.new; mv {pids}.new {pids}; sleep 60"))
    task = asyncio.create_task(attempt(AssignedCheck("id", TARGET, check, Timing(timeout=60)), lambda _: None))
    async with asyncio.timeout(20):
        while not pids.exists():
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(int(pids.read_text()))


async def test_no_descriptor_is_left_behind() -> None:
    await ran("/bin/true")
    before = descriptors()  # what tests before this one left may be closed at any time
    for _ in range(5):
        await ran("/bin/true")
    assert descriptors() - before == set()


def descriptors() -> set[tuple[str, str]]:
    """Those of this process, and what each is of: a number may be used again, a pipe has a name of its own."""
    found = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are what is wanted
        with contextlib.suppress(FileNotFoundError):  # the directory's own
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))  # noqa: PTH115 - as above
    return found
