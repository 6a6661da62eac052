"""What a process does to itself, seen from outside: each case is a short process of its own."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
LIFE_SECONDS = 20  # of a child that nobody ends

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to drop")


def _run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **environment},
    )


@root_only
def test_only_the_kept_capabilities_are_left_and_no_child_gets_more() -> None:
    done = _run(
        "import subprocess\n"
        "from lvsd.runtime import process\n"
        "process.keep_capabilities((process.CAP_NET_ADMIN, process.CAP_NET_RAW))\n"
        "subprocess.run(['cat', '/proc/self/status'], check=True)\n"
    )
    fields = dict(line.split(":\t") for line in done.stdout.splitlines() if ":\t" in line)
    assert {fields[name].strip() for name in ("CapPrm", "CapEff", "CapBnd")} == {"0000000000003000"}
    assert fields["CapAmb"].strip() == fields["CapInh"].strip() == "0000000000000000"
    assert fields["NoNewPrivs"].strip() == "1"


@root_only
def test_capabilities_that_cannot_be_had_raise() -> None:
    done = _run(
        "from lvsd.runtime import process\n"
        "process.keep_capabilities((process.CAP_NET_RAW,))\n"
        "try:\n"
        "    process.keep_capabilities((process.CAP_NET_ADMIN,))\n"
        "except PermissionError as error:\n"
        "    print('refused', error)\n"
    )
    assert done.stdout.startswith("refused"), done.stderr


def test_the_name_is_cut_where_the_kernel_cuts_it() -> None:
    done = _run(
        "from lvsd.runtime import process\n"
        "from pathlib import Path\n"
        "process.name_process('lvsd-vrrp-of-a-long-name')\n"
        "print(Path('/proc/self/comm').read_text(), end='')\n"
    )
    assert done.stdout == "lvsd-vrrp-of-a-\n"


def test_the_parents_death_ends_the_process() -> None:
    """The middle process dies once its child is watching; the child's end closes the pipe we read."""
    reader, writer = os.pipe()
    middle = (
        "import os, subprocess, sys\n"
        "child = 'import signal, time\\n'"
        "'from lvsd.runtime import process\\n'"
        "'process.die_with_parent()\\n'"
        "'print(1, flush=True)\\n'"
        f"'time.sleep({LIFE_SECONDS})\\n'\n"
        "command = [sys.executable, '-I', '-c', child]\n"
        f"started = subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=({writer},))\n"
        "started.stdout.readline()\n"
        "os._exit(0)\n"
    )
    try:
        subprocess.run([sys.executable, "-I", "-c", middle], pass_fds=(writer,), timeout=30, check=True)
    finally:
        os.close(writer)
    ended, _, _ = select.select([reader], [], [], LIFE_SECONDS / 2)
    os.close(reader)
    assert ended


def test_a_parent_that_is_gone_already_is_noticed() -> None:
    done = _run(
        "from lvsd.runtime import process\n"
        "try:\n"
        "    process.die_with_parent()\n"
        "except process.ParentGone:\n"
        "    print('gone')\n",
        LVSD_PARENT_PID="999999999",
    )
    assert done.stdout == "gone\n"


def test_the_notifier_speaks_once_it_has_a_pipe_and_never_blocks() -> None:
    reader, writer = os.pipe()
    program = (
        "from lvsd.runtime.process import Notifier\n"
        "import os\n"
        "notifier = Notifier.from_environment()\n"
        "notifier.ready()\n"
        "for _ in range(20000):\n"
        "    notifier.alive()\n"
        "print('LVSD_NOTIFY_FD' in os.environ)\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", program],
            env={**os.environ, "LVSD_NOTIFY_FD": str(writer)},
            pass_fds=(writer,),
            capture_output=True,
            text=True,
            timeout=30,
        )
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    assert done.stdout == "False\n"
    assert said.startswith(b"READY\nALIVE\n")


@pytest.mark.parametrize("number", ["", "x", "-1", "99999"])
def test_without_a_pipe_the_notifier_does_nothing(number: str) -> None:
    done = _run(
        "from lvsd.runtime.process import Notifier\nNotifier.from_environment().ready()\nprint('fine')\n",
        LVSD_NOTIFY_FD=number,
    )
    assert done.stdout == "fine\n"


def test_these_modules_are_light() -> None:
    done = _run("import sys\nfrom lvsd.runtime import journal, process\nprint(*sorted(sys.modules))\n")
    heavy = {"asyncio", "pyroute2", "yaml", "click", "httpx", "msgspec", "logging", "ssl", "multiprocessing"}
    assert not heavy & set(done.stdout.split())


@root_only
def test_capabilities_that_are_gone_already_need_no_right_to_drop() -> None:
    """As under a service manager that has reduced the bounding set, CAP_SETPCAP included."""
    done = _run(
        "from lvsd.runtime import process\n"
        "kept = (process.CAP_NET_ADMIN, process.CAP_NET_RAW)\n"
        "process.keep_capabilities(kept)\n"
        "process.keep_capabilities(kept)\n"
        "print('kept')\n"
    )
    assert done.stdout == "kept\n", done.stderr


@pytest.mark.parametrize(("times", "looked_at"), [(2, False), (0.5, True)])
def test_much_that_is_made_while_the_collector_is_paused_is_never_looked_at(times: float, looked_at: bool) -> None:
    done = _run(
        "import gc\n"
        "from lvsd.runtime.process import LOOKED_AT_AT_ONCE, collector_paused\n"
        "with collector_paused():\n"
        "    assert not gc.isenabled()\n"
        f"    kept = [[] for _ in range(int({times} * LOOKED_AT_AT_ONCE))]\n"
        "assert gc.isenabled()\n"
        "print(any(one is kept[0] for one in gc.get_objects()))\n"
    )
    assert done.stdout.split() == [str(looked_at)], done.stderr


READ_AND_PREPARED = """
import gc, sys
from config.load import load
from lvsd.core import groundwork
from lvsd.core.state import Director
from lvsd.runtime.files import SystemFiles

def read(path):
    loaded = load((path,), SystemFiles())
    if loaded.config is not None:
        groundwork.of(Director(), loaded.config)
    return loaded.config is not None

right = read(sys.argv[1])
gc.collect()
gc.disable()
read(sys.argv[1])
print(right, gc.collect())
"""


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("examples/minimal.yaml", True),
        ("tests/golden/ldirectord/guide.cf", True),
        ("tests/golden/keepalived/guide_lb1.conf", True),
        ("README.md", False),
    ],
)
def test_what_is_read_and_prepared_holds_no_cycles(path: str, right: bool) -> None:
    """Or each reload would leave them behind for ever: nobody looks at them (`collector_paused`)."""
    done = subprocess.run(
        [sys.executable, "-c", READ_AND_PREPARED, path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=CHECKOUT,
    )
    assert done.stdout.split() == [str(right), "0"], done.stderr
