"""`make bench`: every comparison beside the program lvsd replaces, in one run."""

from __future__ import annotations

import subprocess
import sys

from tests.lab.backend import LabError
from tests.lab.machine import CHECKOUT, boot

LIMIT_SECONDS = 1800.0
IN_THE_LAB = ("table", "reload", "detection", "failover", "connections")
NATIVE = ("holding", "handover", "takeovers", "checks", "syn")
"""These need no IPVS, and measure on this machine itself, in network namespaces of their own."""


def main() -> int:
    """All benches, or those named; the first status that is not 0."""
    chosen = sys.argv[1:] or [*IN_THE_LAB, *NATIVE]
    unknown = [name for name in chosen if name not in (*IN_THE_LAB, *NATIVE)]
    if unknown:
        print(f"no bench {', '.join(unknown)} (there are: {', '.join((*IN_THE_LAB, *NATIVE))})", file=sys.stderr)
        return 2
    try:
        for name in chosen:
            status = _run(name)
            if status:
                return status
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 125
    return 0


def _run(name: str) -> int:
    command = [str(CHECKOUT / ".venv/bin/python"), "-m", f"bench.{name}"]
    if name in NATIVE:
        return subprocess.run(command, cwd=CHECKOUT, timeout=LIMIT_SECONDS).returncode
    return boot(command, timeout_seconds=LIMIT_SECONDS).status


if __name__ == "__main__":
    sys.exit(main())
