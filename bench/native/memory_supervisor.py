"""`lvsd run` with a director over a table in memory: all processes of the product but for the kernel's part."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import lvsd.main  # noqa: F401 - what `lvsd run` has loaded counts, too
from lvsd.runtime import first_start

DIRECT = first_start.direct


def _direct(*words: Any) -> int:  # noqa: ANN401 - as first_start.direct
    from bench.native.memory_director import use_memory  # by the director alone

    use_memory()
    return DIRECT(*words)


def main() -> None:
    """As `lvsd run`, of directories that are there."""
    parser = argparse.ArgumentParser(prog="python -m bench.native.memory_supervisor")
    for name in ("--run-dir", "--state-dir", "--config"):
        parser.add_argument(name, type=Path, required=True)
    said = parser.parse_args()
    setattr(first_start, "direct", _direct)  # noqa: B010 - typed as a constant
    first_start.start(first_start.lock(said.run_dir), (str(said.config),), said.run_dir, said.state_dir)


if __name__ == "__main__":
    main()
