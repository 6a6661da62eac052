"""Commands and paths an ldirectord.cf names: `fallbackcommand`, `callback`, files and folders. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import Final

from config import codes
from config.ldirectord import directives as d
from config.ldirectord.context import Context
from config.ldirectord.values import Known, Said
from config.model import Argv, VirtualEndpoint
from config.nodes import At
from config.reading import Reading, shown

SHELL: Final = "/bin/sh"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./+,:@%^-]+(?: +[A-Za-z0-9_./+,:@%^=-]+)*")
"""Words that no shell would change."""


def quorum_commands(context: Context, reading: Reading) -> tuple[Argv, Argv]:
    """What runs when no real server is left, and when one returns: ldirectord's `start` and `stop`."""
    said = context.own.get(d.FALLBACK_COMMAND) or context.top.get(d.FALLBACK_COMMAND)
    if said is None or not said.value:
        return (), ()
    program, shell = _program(said, reading)
    virtual = context.virtual
    if isinstance(virtual, VirtualEndpoint):
        host = f"[{virtual.address}]" if ":" in virtual.address else virtual.address
        target = (f"{host}:{virtual.port}", virtual.protocol.name.lower())
    else:
        target = (f"{virtual.mark}:0", "fwm")
    name = ("lvsd",) if shell else ()  # the shell's $0
    return (*program, *name, "start", *target), (*program, *name, "stop", *target)


def _program(said: At[str], reading: Reading) -> tuple[Argv, bool]:
    """The command without a shell where none is needed, and whether one is."""
    text = said.value.strip()
    words = text.split()
    if not _PLAIN.fullmatch(text) or "/" not in words[0]:  # the shell looks for it where programs are
        return (SHELL, "-c", f'{text} "$@"'), True
    return (absolute(At(words[0], said.place), d.FALLBACK_COMMAND, reading), *words[1:]), False


def absolute(said: At[str], known: Known[object], reading: Reading) -> str:
    """A path as ldirectord's daemon takes it, whose folder is `/`."""
    if said.value.startswith("/"):
        return said.value
    path = posixpath.normpath("/" + said.value)
    message = f"{known.name}: {shown(said.value)} is taken for {shown(path)}, as ldirectord's daemon does"
    reading.warning(codes.LD_IGNORED, said.place, message, "write it whole")
    return path


def callback(top: Said, reading: Reading) -> At[Argv] | None:
    """What runs when the file has changed; its path follows."""
    said = top.get(d.CALLBACK)
    if said is None or not said.value:
        return None
    if not _PLAIN.fullmatch(said.value) or " " in said.value:
        message = "callback is not a program's path: ldirectord would look all of it up as a file"
        reading.error(codes.LD_VALUE, said.place, message, 'callback="/usr/local/bin/changed", without arguments')
        return None
    return At((absolute(said, d.CALLBACK, reading),), said.place)
