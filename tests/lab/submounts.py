"""On the host's own kernel: file systems mounted below the root, which an overlay over the root does not show.

User-Mode Linux has no need of this: its hostfs follows the host's paths, whatever is mounted there.
"""

from __future__ import annotations

from pathlib import Path

from tests.lab import syscalls

# Made afresh inside, or of the lab's own making.
_OWN = ("/proc", "/sys", "/dev", "/mnt", "/media")


def overlay_all(root: str, upper: str) -> None:
    """Show each under `root`, writable like the rest: changes go to directories made below `upper`."""
    for number, point in enumerate(_points()):
        target = Path(f"{root}{point}")
        if not target.exists():
            continue
        if target.is_dir():
            _overlay(point, str(target), f"{upper}/{number}")
        else:
            syscalls.bind(point, str(target))


def _points() -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1].replace("\\040", " ") for line in lines]
    return [point for point in points if point != "/" and not _is_own(point)]


def _is_own(point: str) -> bool:
    return any(point == own or point.startswith(f"{own}/") for own in _OWN)


def _overlay(point: str, target: str, upper: str) -> None:
    """As an overlay; as it is (read-only, by the box) where its file system cannot be a lower layer."""
    for name in ("upper", "work"):
        Path(upper, name).mkdir(parents=True)
    try:
        syscalls.mount(
            "overlay", target, "overlay", data=f"lowerdir={point},upperdir={upper}/upper,workdir={upper}/work"
        )
    except OSError:
        syscalls.bind(point, target)
