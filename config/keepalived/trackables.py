"""vrrp_script, track_file and vrrp_track_process: what can be tracked, by its name. Pure.

Rules of keepalived 2.2.7, measured: of two of one name the first counts; a script that is not there is not run, and
whoever tracks it runs as if he did not; times are whole seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from config import codes
from config.keepalived.block import CHANGES, Block, Told, note
from config.keepalived.commands import script_command
from config.keepalived.statements import Statement, no_more
from config.keepalived.values import sole_word, user, whole, word
from config.keepalived.vrrp_words import SCRIPT, TRACK_FILE, TRACK_PROCESS
from config.model import TrackedFile, TrackedProcess, TrackedScript
from config.nodes import At
from config.reading import Reading, shown
from config.sections import NAME_PATTERN

INTERVAL_LIMIT: Final = 4294
TIMEOUT_LIMIT: Final = 3600
COUNT_LIMIT: Final = 1000
PROCESSES_LIMIT: Final = 65535
WEIGHT_LIMIT: Final = 253
_COMM_CHARACTERS: Final = 15  # TASK_COMM_LEN (linux/sched.h) without its NUL


class Definition(msgspec.Struct, frozen=True):
    """What can be tracked, with the weight it has where a tracker says none; `reverse`: as a tracker says it."""

    track: TrackedScript | TrackedFile | TrackedProcess
    reverse: bool


class Trackables(msgspec.Struct, frozen=True):
    """All of a file, by the keyword that tracks them and their names. None: told, and not tracked by anybody."""

    named: Mapping[str, Mapping[str, Definition | None]] = msgspec.field(default_factory=dict)
    places: Mapping[str, Sequence[At[str]]] = msgspec.field(default_factory=dict)


def read_trackables(whole_file: Block, reading: Reading) -> Trackables:
    """All of them."""
    named: dict[str, dict[str, Definition | None]] = {}
    places: dict[str, list[At[str]]] = {}
    for tracker, (keywords, read) in _READERS.items():
        found = named.setdefault(tracker, {})
        for statement in whole_file.every(*keywords):
            at = _name(statement, found, reading)
            if at is not None:
                places.setdefault(tracker, []).append(at)
                found[at.value] = read(at, statement, reading)
    return Trackables(named, places)


def _name(statement: Statement, found: Mapping[str, object], reading: Reading) -> At[str] | None:
    no_more(statement, 2, reading)
    at = word(statement, reading)
    if at is None or at.value not in found:
        return at
    message = f"{statement.keyword} {shown(at.value)} is here for the second time"
    reading.warning(codes.LEFT_OUT, statement.place, message, "the first counts, as with keepalived")
    return None


def _script(name: At[str], statement: Statement, reading: Reading) -> Definition | None:
    block = Block(statement, SCRIPT, reading)
    said = block.get("script")
    if said is None:
        _note_without(name, "`script`", reading)
        return None
    command = script_command(said, reading)
    weight, reverse = default_weight(block, WEIGHT_LIMIT, 0, reading)
    interval = _number(block.get("interval"), INTERVAL_LIMIT, 1, reading)
    timeout = block.get("timeout")
    track = TrackedScript(
        weight=weight,
        name=name.value,
        command=command,
        interval=float(interval),
        timeout=float(_number(timeout, TIMEOUT_LIMIT, min(interval, TIMEOUT_LIMIT), reading)),
        rise=_number(block.get("rise"), COUNT_LIMIT, 1, reading),
        fall=_number(block.get("fall"), COUNT_LIMIT, 1, reading),
        user=user(block.get("user"), reading),
    )
    if not re.fullmatch(NAME_PATTERN, name.value):
        hint = "up to 64 letters, digits, and _ . : @ + - inside"
        reading.error(codes.MALFORMED, name.place, f"{shown(name.value)} is not a name", hint)
    return Definition(track, reverse) if command else None


def _file(name: At[str], statement: Statement, reading: Reading) -> Definition | None:
    block = Block(statement, TRACK_FILE, reading)
    said = block.get("file")
    at = sole_word(said, reading) if said else None
    if at is None:
        _note_without(name, "`file`", reading)
        return None
    if not at.value.startswith("/") or not at.value.isprintable():
        reading.error(codes.MALFORMED, at.place, f"{shown(at.value)} is not an absolute path")
        return None
    weight, reverse = default_weight(block, 2**31 - 1, 1, reading)
    return Definition(TrackedFile(weight, at.value), reverse)


def _process(name: At[str], statement: Statement, reading: Reading) -> Definition | None:
    block = Block(statement, TRACK_PROCESS, reading)
    said = block.get("process")
    at = word(said, reading) if said else None
    if said is None or at is None:
        _note_without(name, "`process`", reading)
        return None
    if len(said.words) > 2:  # noqa: PLR2004  # the keyword and the name
        why = "lvsd looks at the names of processes, not at their arguments"
        note(said, Told(CHANGES, why, "track a script that looks"), reading)
        return None
    if not re.fullmatch(r"[^\s/]{1,64}", at.value):
        message = f"{shown(at.value)} is not the name of a process"
        reading.error(codes.MALFORMED, at.place, message, "as `ps -o comm` shows it, without its folder")
        return None
    if len(at.value) > _COMM_CHARACTERS:
        message = (
            f"the kernel keeps {_COMM_CHARACTERS} characters of a name: `{at.value[:_COMM_CHARACTERS]}` is looked for"
        )
        reading.warning(codes.NOT_TAKEN, at.place, message)
    weight, reverse = default_weight(block, 254, 0, reading)
    count = _number(block.get("quorum"), PROCESSES_LIMIT, 1, reading)
    return Definition(TrackedProcess(weight, at.value[:_COMM_CHARACTERS], count), reverse)


_READERS: Final[dict[str, tuple[tuple[str, ...], Callable[[At[str], Statement, Reading], Definition | None]]]] = {
    "track_script": (("vrrp_script",), _script),
    "track_file": (("track_file", "vrrp_track_file"), _file),
    "track_process": (("vrrp_track_process", "track_process"), _process),
}


def _note_without(name: At[str], keyword: str, reading: Reading) -> None:
    message = f"{shown(name.value)} has no {keyword} and is left out"
    reading.warning(codes.LEFT_OUT, name.place, message, "keepalived leaves it out too")


def _number(statement: Statement | None, limit: int, default: int, reading: Reading) -> int:
    at = whole(statement, 1, limit, str(default), reading) if statement else None
    return at.value if at else default


def default_weight(block: Block, limit: int, default: int, reading: Reading) -> tuple[int, bool]:
    """`weight N [reverse]` of a definition."""
    statement = block.get("weight")
    if statement is None:
        return default, False
    return weight_words(statement.words[1:], limit, default, reading)


def weight_words(words: Sequence[At[str]], limit: int, default: int, reading: Reading) -> tuple[int, bool]:
    """`N [reverse|noreverse]`: the number, and whether good and bad change places."""
    weight, reverse = default, False
    for position, at in enumerate(words):
        if at.value in ("reverse", "noreverse", "no_reverse"):
            reverse = at.value == "reverse"
        elif position == 0:
            found = _signed(at, limit, default, reading)
            weight = found
        else:
            message = f"{shown(at.value)} is not known after a weight"
            reading.warning(codes.UNKNOWN_KEYWORD, at.place, message, "keepalived ignores it too")
    return weight, reverse


def _signed(at: At[str], limit: int, default: int, reading: Reading) -> int:
    if re.fullmatch(r"[+-]?[0-9]{1,10}", at.value) and abs(int(at.value)) <= limit:
        return int(at.value)
    hint = f"keepalived uses {default} instead, and so is it here"
    message = f"{shown(at.value)} is not a whole number from -{limit} to {limit}"
    reading.warning(codes.NOT_TAKEN, at.place, message, hint)
    return default


def note_unused(known: Trackables, used: Mapping[str, set[str]], reading: Reading) -> None:
    """Tell of what nobody tracks."""
    for tracker, names in known.places.items():
        for at in names:
            if at.value not in used.get(tracker, ()):
                message = f"nobody tracks {shown(at.value)} by `{tracker}`"
                reading.warning(codes.PASSED_OVER, at.place, message, "keepalived does not look at it either")
