"""ldirectord.cf as it is: told from other files, read, mapped to the configuration. Pure."""

from __future__ import annotations

from config import codes
from config.nodes import Place
from config.parts import Part
from config.reading import Reading


def is_ldirectord(path: str, text: str) -> bool:
    """Whether the file is an ldirectord.cf: by its name, or by a line that begins with `virtual=`."""
    return path.endswith("ldirectord.cf") or text.startswith("virtual=") or "\nvirtual=" in text


def read_ldirectord(path: str, _text: str, reading: Reading) -> Part:
    """The services of the file."""
    reading.error(codes.SYNTAX, Place(path, 1, 1), "ldirectord.cf cannot be read yet", "write a lvsd.yaml")
    return Part()
