"""Which kernel the lab runs on: this machine's own, where it has IPVS and we are root, or User-Mode Linux."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

BACKENDS = ("uml", "native")
CHOICE_VARIABLE = "LVSD_LAB"
_SAMPLE_SECONDS = 0.1


class LabError(RuntimeError):
    """The lab could not be booted, or broke while it ran."""


def choose(environment: Mapping[str, str] = os.environ) -> str:
    """The back end's name. Raises `LabError` where neither can run, saying what to do about it."""
    wanted = environment.get(CHOICE_VARIABLE, "")
    if wanted and wanted not in BACKENDS:
        raise LabError(f"{CHOICE_VARIABLE}={wanted}: the lab knows {' and '.join(BACKENDS)}")
    if os.geteuid() != 0:
        raise LabError("the lab needs root (network namespaces, mounts): run it with sudo")
    if wanted:
        return _present(wanted)
    return "native" if kernel_has_ipvs() else _present("uml")


def _present(backend: str) -> str:
    if backend == "uml" and shutil.which("linux.uml") is None:
        raise LabError("no ip_vs in this kernel and no linux.uml: run tests/lab/install (Debian: user-mode-linux)")
    return backend


def kernel_has_ipvs() -> bool:
    """Asked without loading anything: present already, or modprobe says it would load."""
    if Path("/proc/net/ip_vs").exists() or Path("/sys/module/ip_vs").exists():
        return True
    disabled = Path("/proc/sys/kernel/modules_disabled")
    if not disabled.exists() or disabled.read_text().strip() != "0":
        return False
    try:
        dry_run = subprocess.run(["modprobe", "-n", "-q", "ip_vs"], check=False, capture_output=True)
    except FileNotFoundError:
        return False
    return dry_run.returncode == 0


def pinned_cpu(wanted: int | None) -> int | None:
    """`wanted` if this process may run there, else the first it may; None stays None."""
    allowed = os.sched_getaffinity(0)
    if wanted is None or wanted in allowed:
        return wanted
    return min(allowed)


def quietest_cpu() -> int:
    """The core that idled most in the last tenth of a second: two labs at once should not share one."""
    before = _idle_ticks()
    time.sleep(_SAMPLE_SECONDS)
    after = _idle_ticks()
    allowed = sorted(os.sched_getaffinity(0))
    return max(allowed, key=lambda cpu: after.get(cpu, 0) - before.get(cpu, 0))


def _idle_ticks() -> dict[int, int]:
    """By core: the fourth and fifth number of its line, idle and waiting for a disk (proc(5))."""
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    return {int(f[0][3:]): int(f[4]) + int(f[5]) for f in lines if f[0].startswith("cpu") and f[0] != "cpu"}
