"""What can be wrong with a configuration, and how it is told. Pure."""

from __future__ import annotations

from enum import Enum

import msgspec


class Severity(Enum):
    """An error refuses the configuration; a warning is told and lived with."""

    ERROR = "error"
    WARNING = "warning"


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong, with its place. Lines and columns count from 1; 0 means the file as a whole.

    `code` is CFG and three digits, explained in docs/errors.md.
    """

    code: str
    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        """`file:line:column: message (hint)`, one line whatever the message holds."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        word = "warning: " if self.severity is Severity.WARNING else ""
        hint = f" ({self.hint})" if self.hint else ""
        text = f"{place}: {word}{self.message}{hint} [{self.code}]"
        return text.replace("\n", "\\n").replace("\r", "\\r")
