"""The lab from the command line: `python -m tests.lab run|shell|test`, see tests/lab/README.md."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.lab.backend import LabError, quietest_cpu
from tests.lab.job import EXIT_NO_LAB
from tests.lab.machine import CHECKOUT, LabTimeout, boot, raw_terminal

EXIT_TIMEOUT = 124
EXIT_INTERRUPTED = 130
STDIN = 0
PYTHON = str(CHECKOUT / ".venv/bin/python")
DAY_SECONDS = 86400.0
TEST_SECONDS = 5400.0  # a share of the tests takes 28 minutes: twice that on a slow machine, and then some


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: the command's own; 124 time-out, 125 no lab, 130 interrupted."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return _boot(options)
    except LabTimeout as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_TIMEOUT
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_NO_LAB
    except KeyboardInterrupt:
        print("lab: interrupted, ended", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="A kernel with IPVS, in three seconds.")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--mem", type=int, default=4096, metavar="MIB", help="memory of the kernel (4096)")
    shared.add_argument("--cpu", type=int, help="the core User-Mode Linux is pinned to (the quietest)")
    shared.add_argument("--out", type=Path, metavar="DIR", help="a directory of the host, to be found at /out inside")
    commands = parser.add_subparsers(dest="verb", required=True)
    run = commands.add_parser("run", parents=[shared], help="run one command")
    run.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS")
    run.add_argument("command", nargs="+", metavar="COMMAND")
    shell = commands.add_parser("shell", parents=[shared], help="a topology, its daemons, and a shell among them")
    shell.add_argument("--timeout", type=float, default=DAY_SECONDS, metavar="SECONDS")
    shell.add_argument("--topology", default="cluster", help="cluster (the guide's), pair, or none")
    words = "pytest inside, over tests/lab unless told otherwise; further arguments are pytest's"
    test = commands.add_parser("test", parents=[shared], help=words, allow_abbrev=False)
    test.add_argument("--timeout", type=float, default=TEST_SECONDS, metavar="SECONDS")
    test.add_argument("--share", default="1/1", metavar="N/M", help="the Nth of M parts, each for a lab of its own")
    options, rest = parser.parse_known_args(arguments)
    if rest and options.verb != "test":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.pytest = [word for word in rest if word != "--"]
    return options


def _command(options: argparse.Namespace) -> list[str]:
    match options.verb:
        case "run":
            return list(options.command)
        case "shell":
            return [PYTHON, "-m", "tests.lab.shell", options.topology]
        case _:
            where = [] if any(word.startswith("tests/") for word in options.pytest) else ["tests/lab"]
            return [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", *where, *options.pytest]


def _boot(options: argparse.Namespace) -> int:
    terminal = options.verb == "shell" and os.isatty(STDIN)
    piped = not os.isatty(STDIN)
    with raw_terminal(STDIN) if terminal else contextlib.nullcontext():
        result = boot(
            _command(options),
            timeout_seconds=options.timeout,
            memory_mib=options.mem,
            cpu=quietest_cpu() if options.cpu is None else options.cpu,
            out=options.out,
            interactive=terminal,
            env={"TERM": os.environ.get("TERM", "dumb"), "LVSD_LAB_SHARE": getattr(options, "share", "1/1")},
            stdin=STDIN if terminal or piped else None,
        )
    return result.status


if __name__ == "__main__":
    sys.exit(main())
