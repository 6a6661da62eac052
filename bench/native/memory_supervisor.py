"""`lvsd run` with a director over a table in memory: all processes of the product but for the kernel's part."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lvsd.runtime import supervisor
from lvsd.runtime.children import Child

CHECKOUT = Path(__file__).resolve().parents[2]
DIRECTOR = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('bench.native.memory_director', run_name='__main__', alter_sys=True)"
)


def _children(arguments: argparse.Namespace, real=supervisor.children_of) -> list[Child]:  # type: ignore[no-untyped-def] # noqa: ANN001
    children = list(real(arguments))
    for child in children:
        if "lvsd.runtime.director_process" in child.command:
            rest = child.command[child.command.index("lvsd.runtime.director_process") + 1 :]
            child.command = (sys.executable, "-I", "-c", DIRECTOR, str(CHECKOUT), *rest)
    return children


if __name__ == "__main__":
    setattr(supervisor, "children_of", _children)  # noqa: B010 - typed as a constant
    sys.exit(supervisor.main())
