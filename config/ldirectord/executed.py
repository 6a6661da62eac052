"""`execute`: the further ldirectord.cf files a file asks to be run with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from config import codes
from config.ldirectord import directives as d
from config.ldirectord.lines import Line
from config.nodes import At
from config.passwords import relative_to
from config.reading import Reading, shown

FOLDERS: Final = ("/etc/ha.d/", "/etc/ha.d/conf/")
"""Where ldirectord looks for a configuration before it takes the name as it is."""
_NAME: Final = re.compile(r"[A-Za-z0-9_./@+-]{1,255}")


def executed(lines: Sequence[Line], reading: Reading) -> tuple[At[str], ...]:
    """The files of all `execute` lines."""
    found = (_file(line, reading) for line in lines if line.name == d.EXECUTE.name and line.value is not None)
    return tuple(one for one in found if one is not None)


def _file(line: Line, reading: Reading) -> At[str] | None:
    name = (line.value or "").strip().strip("\"'")  # a shell takes the quotes away
    if not _NAME.fullmatch(name):
        message = f"execute: {shown(name)} is no name of a file"
        reading.error(codes.LD_VALUE, line.value_place, message, "execute=other.cf")
        return None
    places = [name] if name.startswith("/") else [*(folder + name for folder in FOLDERS), f"/{name}", name]
    path = next((one for one in places if _is_there(one, line, reading)), None)
    if path is None:
        message = f"execute: there is no file {shown(name)}: its services would be missing"
        hint = f"it is looked for in {' and '.join(FOLDERS)}, as it is, and beside this file"
        reading.error(codes.UNREADABLE, line.value_place, message, hint)
        return None
    return At(relative_to(path, line.value_place.file), line.value_place)


def _is_there(path: str, line: Line, reading: Reading) -> bool:
    try:
        return bool(reading.files.glob(path, line.value_place.file))
    except OSError:
        return False
