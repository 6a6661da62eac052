"""Inside the lab: process 1. Makes a root where anything may be written, loads modules, runs one command.

The same code runs in a User-Mode Linux kernel and in namespaces of the host (`box.py`); only the console, the
modules and the way to end differ. Standard library only, no site packages: this runs before there is a root.
"""

from __future__ import annotations

import os
import platform
import signal
import socket
import sys
import traceback
import tty
from pathlib import Path

from tests.lab import agent, devices, roots, submounts, syscalls
from tests.lab.job import PRIVATE, Job, load
from tests.lab.modules import MODULES

STAGE = "/mnt"  # a directory every system has; only this mount namespace sees what is put there
UML_MODULES = Path("/usr/lib/uml/modules")
PATH = "/lab/bin:{checkout}/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OPEN_FILES = 65536


def main() -> None:
    """Process 1 of a User-Mode Linux kernel: it must not return, and must not raise."""
    try:
        syscalls.mount("proc", "/proc", "proc")
        syscalls.mount("sysfs", "/sys", "sysfs")
        os.environ["PATH"] = os.defpath + ":/usr/sbin:/sbin"
        job = load(Path(PRIVATE, "job").read_text())
        line = os.open("/dev/ttyS0", os.O_RDWR | os.O_NOCTTY)
        tty.setraw(line)
        _serve(job, agent.Console(line, line))
    except BaseException:  # noqa: BLE001 - process 1: the kernel panics if this escapes
        traceback.print_exc()
    syscalls.power_off()


def run(job: Job) -> int:
    """Process 1 of namespaces on the host's own kernel."""
    _serve(job, agent.Console(job.from_host_fd, job.to_host_fd))
    return 0


def _serve(job: Job, console: agent.Console) -> None:
    try:
        _build_root(job)
        _settle(job)
    except (OSError, ValueError) as error:
        console.fail(f"the lab's root could not be built: {error}")
        return
    agent.run(job.command, _environment(job), job.checkout, console, interactive=job.interactive)


def _build_root(job: Job) -> None:
    """An overlay over the host's tree with its upper half in memory, and the usual mounts on it."""
    share = job.memory_mib * 3 // 4
    syscalls.mount("tmpfs", STAGE, "tmpfs", data=f"mode=755,size={share}m")
    for name in ("upper", "work", "root", "lib/modules"):
        Path(STAGE, name).mkdir(parents=True)
    _load_modules(job)
    lower = f"lowerdir=/,upperdir={STAGE}/upper,workdir={STAGE}/work"
    root = f"{STAGE}/root"
    syscalls.mount("overlay", root, "overlay", data=lower)
    if job.backend == "native":
        submounts.overlay_all(root, f"{STAGE}/submounts")
    syscalls.mount("proc", f"{root}/proc", "proc")
    syscalls.mount("sysfs", f"{root}/sys", "sysfs")
    devices.populate(f"{root}/dev")
    syscalls.mount("devpts", f"{root}/dev/pts", "devpts", data="newinstance,ptmxmode=666,mode=620")
    Path(STAGE, "keep").mkdir()
    roots.hide(root, source=f"{root}{job.checkout}", checkout=job.checkout, keep=f"{STAGE}/keep")
    _mount_out(root, job)
    syscalls.change_root(root)


def _load_modules(job: Job) -> None:
    """User-Mode Linux keeps its modules where modprobe does not look. Those a kernel lacks are lacked in silence."""
    command = ["modprobe", "-a", "-q"]
    if job.backend == "uml":
        release = platform.release()
        Path(STAGE, "lib/modules", release).symlink_to(UML_MODULES / release)
        command += ["-d", STAGE]
    agent.quietly([*command, *MODULES])


def _mount_out(root: str, job: Job) -> None:
    Path(f"{root}/out").mkdir(exist_ok=True)
    if job.backend == "uml":
        syscalls.mount("none", f"{root}/out", "hostfs", data=f"{PRIVATE}/out")
    else:
        syscalls.bind(f"{PRIVATE}/out", f"{root}/out")


def _settle(job: Job) -> None:
    """A name, names, an upright loopback, room for files; and no resolver that waits for a network."""
    socket.sethostname("lab")
    for name, text in (
        ("hostname", "lab\n"),
        ("hosts", "127.0.0.1 localhost lab\n::1 localhost\n"),
        ("resolv.conf", "options timeout:1 attempts:1\n"),
    ):
        path = Path("/etc", name)
        path.unlink(missing_ok=True)
        path.write_text(text)
    Path("/lab/bin").mkdir(parents=True, exist_ok=True)
    devices.raise_link("lo")
    devices.allow_open_files(OPEN_FILES)
    release = Path("/lib/modules", platform.release())
    if job.backend == "uml" and not release.exists():
        release.parent.mkdir(parents=True, exist_ok=True)
        release.symlink_to(UML_MODULES / release.name)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def _environment(job: Job) -> dict[str, str]:
    own = {"HOME": "/root", "USER": "root", "LANG": "C.UTF-8", "SHELL": "/bin/bash"}
    return {**own, "TERM": "dumb", **job.environment, "PATH": PATH.format(checkout=job.checkout), "LVSD_IN_LAB": "1"}


if __name__ == "__main__":
    main()
    sys.exit(1)
