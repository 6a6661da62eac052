"""`make demo`: boot the lab and play the story in it."""

from __future__ import annotations

import os
import sys

from tests.demo.narrator import COLOUR
from tests.lab.backend import LabError
from tests.lab.machine import CHECKOUT, boot

LIMIT_SECONDS = 900.0
MEMORY_MIB = 6144


def main() -> int:
    """The exit status is the story's own; 125 where the lab cannot boot."""
    python = str(CHECKOUT / ".venv/bin/python")
    command = [python, "-u", "-m", "tests.demo.story"]
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    env = {COLOUR: "1"} if coloured else {}
    try:
        return boot(command, timeout_seconds=LIMIT_SECONDS, memory_mib=MEMORY_MIB, env=env).status
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 125
    except KeyboardInterrupt:
        print("demo: interrupted, ended", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
