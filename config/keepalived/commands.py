"""A script with its arguments, as keepalived splits it: no shell. Pure."""

from __future__ import annotations

import glob
import re
from typing import Final

from config import codes
from config.keepalived.block import Block
from config.keepalived.statements import Statement, no_more
from config.model import Argv, VrrpHooks
from config.nodes import At
from config.reading import Reading, shown

COMMAND_LIMIT_BYTES: Final = 8192
FOLDERS: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""Where a program without a path is looked for: the PATH a service is started with."""
_ARGUMENT: Final = re.compile(r"\s*(?:((?:[^\s'\"\\]|\\.|'[^']*'|\"[^\"]*\")+))", re.DOTALL)
_PART: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"|\\(.)|([^'\"\\]+)", re.DOTALL)
_SHELL: Final = re.compile(r"[|&<>]|;$|^\$\(")
_PLACEHOLDERS: Final = ("{address}", "{port}", "{virtual_address}", "{virtual_port}")
_OPENED: Final = "<"
"""Before a path: the file can be opened."""
_OF_A_SHELL: Final = ("/dev/tcp/", "/dev/udp/")
_PROGRAM: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")


def command(statement: Statement, reading: Reading) -> Argv:
    """A check's program and its arguments; empty, told, when there is none that can be run."""
    words = tuple(at.value for at in statement.words[1:])
    place = statement.words[1].place if words else statement.place
    found = _with_path(split(words[0]) if len(words) == 1 else words, reading)
    if not found or not found[0].startswith("/"):
        message = "a command begins with a program's absolute path"
        hint = f'{statement.keyword} "/..."; a program without a path is looked for in {", ".join(FOLDERS)}'
        reading.error(codes.MALFORMED, place, message, hint)
        return ()
    if not _fits(found):
        reading.error(codes.MALFORMED, place, f"a command of more than {COMMAND_LIMIT_BYTES} bytes, or not of text")
        return ()
    if any(mark in one for one in found for mark in _PLACEHOLDERS):
        message = "lvsd fills in {address}, {port} and the like in a command"
        reading.warning(codes.FORCED, place, message, "keepalived does not")
    _note_shell(statement, found, reading)
    return found


def hook(block: Block, keyword: str, reading: Reading) -> Argv:
    """The command to run at a change; empty for none, and, told, for one that cannot be run.

    keepalived takes its arguments from the first word, in quotes, and the words after it for a user and a group.
    """
    statement = block.get(keyword)
    if statement is None:
        return ()
    if len(statement.words) == 1:
        reading.error(codes.NO_VALUE, statement.place, f"`{keyword}` has no value", f'{keyword} "/path/to/program"')
        return ()
    found = _with_path(split(statement.words[1].value), reading)
    if not found or not found[0].startswith("/") or not _fits(found):
        message = f"`{keyword}` names no program that is found, and is left out"
        hint = f"keepalived runs nothing then either; write its absolute path (looked for in {', '.join(FOLDERS)})"
        reading.warning(codes.LEFT_OUT, statement.words[1].place, message, hint)
        return ()
    others = statement.words[2:]
    if others:
        message = f"{shown(others[0].value)} is the user to keepalived: lvsd's hooks have one user for all"
        hint = "`command_user` in lvsd.yaml; arguments go into the quotes"
        reading.warning(codes.PASSED_OVER, others[0].place, message, hint)
    _note_shell(statement, found, reading)
    return found


def role_hooks(block: Block, reading: Reading) -> VrrpHooks:
    """What an instance or a sync group runs at a change of role."""
    return VrrpHooks(
        active=hook(block, "notify_master", reading),
        backup=hook(block, "notify_backup", reading),
        fault=hook(block, "notify_fault", reading),
        stop=hook(block, "notify_stop", reading),
        any=hook(block, "notify", reading),
    )


def script_command(statement: Statement, reading: Reading) -> Argv:
    """The command of a vrrp_script; empty, told, for one that is not there: keepalived tracks none then.

    Its arguments stand in the first word, in quotes. `<PATH` asks whether a file can be opened.
    """
    no_more(statement, 2, reading)
    if len(statement.words) == 1:
        reading.error(codes.NO_VALUE, statement.place, "`script` has no value", 'script "/path/to/program argument"')
        return ()
    at = statement.words[1]
    if at.value.startswith(_OPENED):
        return _opens(At(at.value.removeprefix(_OPENED).strip(), at.place), reading)
    found = _with_path(split(at.value), reading)
    if not found or not _fits(found) or not _is_there(found[0], reading):
        message = f"the program of {shown(at.value)} is not there: the script is not run, and nobody tracks it"
        hint = f"keepalived does without it too; a program without a path is looked for in {', '.join(FOLDERS)}"
        reading.warning(codes.LEFT_OUT, at.place, message, hint)
        return ()
    _note_shell(statement, found, reading)
    return found


def _opens(path: At[str], reading: Reading) -> Argv:
    """A command that succeeds when the file can be opened for reading, as keepalived does itself."""
    if path.value.startswith(_OF_A_SHELL):
        message = (
            f"{shown(path.value)} is no file but a shell's way to connect, and there is no shell: this never succeeds"
        )
        reading.warning(codes.NOT_TAKEN, path.place, message, "nor does it with keepalived; put it into a script")
    found = ("/usr/bin/test", "-r", path.value)
    if not path.value or not _fits(found):
        reading.error(codes.MALFORMED, path.place, "`<` names no file", 'script "</path/to/file"')
        return ()
    return found


def _is_there(path: str, reading: Reading) -> bool:
    try:
        return path.startswith("/") and path in reading.files.glob(glob.escape(path), "/")
    except (OSError, ValueError):
        return False


def _fits(found: Argv) -> bool:
    size = sum(len(one.encode(errors="surrogatepass")) for one in found)
    return size <= COMMAND_LIMIT_BYTES and all(c.isprintable() or c in "\n\t" for one in found for c in one)


def _with_path(found: Argv, reading: Reading) -> Argv:
    """A program without a path is looked for, as keepalived does."""
    if not found or not _PROGRAM.fullmatch(found[0]):
        return found
    for folder in FOLDERS:
        path = f"{folder}/{found[0]}"
        try:
            if path in reading.files.glob(path, "/"):
                return (path, *found[1:])
        except OSError:
            continue
    return found


def _note_shell(statement: Statement, found: Argv, reading: Reading) -> None:
    if any(_SHELL.search(one) for one in found[1:]):
        message = "there is no shell: | & < > and ; are arguments like any other"
        place = statement.words[1].place
        reading.warning(codes.NOT_TAKEN, place, message, "keepalived has none either; put it into a script")


def split(text: str) -> Argv:
    """A text to arguments: quotes group, a backslash takes the next character as it is."""
    found = []
    for argument in _ARGUMENT.finditer(text):
        parts = (part[1] or part[2] or part[3] or part[4] or "" for part in _PART.finditer(argument[1]))
        found.append("".join(parts))
    return tuple(found)
