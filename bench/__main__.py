"""`make bench`: every comparison beside the program lvsd replaces, in the lab, in one run."""

from __future__ import annotations

import sys

from tests.lab.backend import LabError
from tests.lab.machine import CHECKOUT, boot

LIMIT_SECONDS = 1800.0
BENCHES = ("table", "failover", "connections")


def main() -> int:
    """All benches, or those named; the first status that is not 0."""
    chosen = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in chosen if name not in BENCHES]
    if unknown:
        print(f"no bench {', '.join(unknown)} (there are: {', '.join(BENCHES)})", file=sys.stderr)
        return 2
    python = str(CHECKOUT / ".venv/bin/python")
    try:
        for name in chosen:
            status = boot([python, "-m", f"bench.{name}"], timeout_seconds=LIMIT_SECONDS).status
            if status:
                return status
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 125
    return 0


if __name__ == "__main__":
    sys.exit(main())
