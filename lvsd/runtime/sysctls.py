"""IPVS's sysctls: files of one number each under /proc/sys/net/ipv4/vs, of this network namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from lvsd.core.events import SysctlsApplied, SysctlsRead

DIRECTORY = Path("/proc/sys/net/ipv4/vs")
LIMIT_BYTES = 64


def read(names: Iterable[str], directory: Path = DIRECTORY) -> SysctlsRead:
    """What they are, and why those that cannot be read cannot."""
    values: dict[str, int] = {}
    errors: dict[str, str] = {}
    for name in names:
        try:
            with (directory / name).open("rb") as file:
                values[name] = int(file.read(LIMIT_BYTES))
        except OSError as error:
            errors[name] = error.strerror or str(error)
        except ValueError:
            errors[name] = "not a number"
    return SysctlsRead(values, errors)


def apply(values: Mapping[str, int], directory: Path = DIRECTORY) -> SysctlsApplied:
    """Set them; those that were refused, and why."""
    refusals: dict[str, str] = {}
    for name, value in values.items():
        try:
            with (directory / name).open("r+b", buffering=0) as file:
                file.write(b"%d\n" % value)
        except OSError as error:
            refusals[name] = error.strerror or str(error)
    return SysctlsApplied(values, refusals)
