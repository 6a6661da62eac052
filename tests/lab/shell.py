"""Inside the lab: a person's shell."""

from __future__ import annotations

import os


def main() -> None:
    """Bash with the lab's prompt."""
    os.environ["PS1"] = "lab# "
    os.execvp("bash", ["bash", "--norc"])  # noqa: S606 - it becomes the shell


if __name__ == "__main__":
    main()
