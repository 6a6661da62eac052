"""What reading a configuration asks of the world, as a door the caller opens. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class FileTooLarge(Exception):
    """A file exceeds the limit of its reader."""

    def __init__(self, path: str, limit_bytes: int) -> None:
        """Name the file and the limit it exceeds."""
        super().__init__(f"{path} is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class Files(Protocol):
    """Files and environment as the loader sees them. Paths are as written in the configuration, made relative
    to the file that names them by the loader.
    """

    def read(self, path: str) -> str:
        """The text of a file. Raises OSError, UnicodeDecodeError or FileTooLarge."""

    def glob(self, pattern: str, relative_to: str) -> Sequence[str]:
        """The files matching `pattern`, sorted; a relative pattern starts at the folder of the file `relative_to`."""

    def environ(self, name: str) -> str | None:
        """An environment variable."""

    def exposed(self, path: str) -> bool:
        """Whether every user of the machine may read the file. False where it cannot be told."""
