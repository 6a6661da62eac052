"""What our two commands have in common: an end in one line whatever happens, and paths that stay right."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click


class Commands(click.Group):
    """A group of commands. What their output's taker does to them is one line and exit status 1, never a traceback."""

    def main(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (click's signature)
        """As click.Group, which ends quietly at a broken pipe; any other error of the system is told."""
        if sys.stdout is None:  # closed: the next file opened, a socket of ours, would take its number
            sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
        try:
            return super().main(*arguments, **options)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in its buffer has no taker
            sys.stderr.write(f"{self.name}: {error.strerror or error}\n")
            sys.exit(1)


class AbsolutePath(click.Path):
    """A path that does not depend on the working directory any more. A usage error where that is gone."""

    def __init__(self, *, file_okay: bool = True) -> None:
        """As click.Path."""
        super().__init__(path_type=Path, file_okay=file_okay)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The absolute path; what it names need not exist."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            return path.absolute()
        except OSError:
            self.fail(f"{path} is relative, and the working directory does not exist any more", param, ctx)
