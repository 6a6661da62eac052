"""What a statement says: numbers, times, switches, addresses, as keepalived 2.2.7 takes them. Pure.

What keepalived would not take it reports and replaces by a default; here that is a warning at the word.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from config import codes
from config.keepalived.statements import Statement, no_more
from config.network import Prefix, is_plain
from config.nodes import At
from config.reading import Reading, shown

_NUMBER: Final = r"[0-9]{1,19}"
_DECIMAL: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_USER: Final = r"[a-z_][a-z0-9_.-]{0,31}"
_SWITCHES: Final = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


def word(statement: Statement, reading: Reading, index: int = 1) -> At[str] | None:
    """A word after the keyword, without the semicolon that other languages end a line with; None when missing."""
    if len(statement.words) <= index:
        message = f"`{statement.keyword}` has no value"
        reading.error(codes.NO_VALUE, statement.place, message, "keepalived does not start with that")
        return None
    return without_semicolon(statement.words[index], reading)


def without_semicolon(at: At[str], reading: Reading) -> At[str]:
    """The word without a semicolon at its end, which is told."""
    if not at.value.endswith(";"):
        return at
    message = f"{shown(at.value)} ends with a semicolon, which keepalived.conf does not know; it is taken without"
    reading.warning(codes.NOT_TAKEN, at.place, message, "keepalived 2.2 takes the value for invalid and uses a default")
    return At(at.value.rstrip(";"), at.place)


def sole_word(statement: Statement, reading: Reading) -> At[str] | None:
    """The one word after the keyword."""
    no_more(statement, 2, reading)
    return word(statement, reading)


def whole(statement: Statement, low: int, high: int, default: str, reading: Reading) -> At[int] | None:
    """A whole number; None, told with the `default` keepalived uses, when it is none or out of range."""
    at = sole_word(statement, reading)
    return None if at is None else whole_word(at, low, high, default, reading)


def whole_word(at: At[str], low: int, high: int, default: str, reading: Reading) -> At[int] | None:
    """The same for a single word."""
    if re.fullmatch(_NUMBER, at.value) and low <= int(at.value) <= high:
        return At(int(at.value), at.place)
    _note_default(at, f"a whole number from {low} to {high}", default, reading)
    return None


def seconds(statement: Statement, low: float, high: float, default: str, reading: Reading) -> At[float] | None:
    """A time in seconds, perhaps with a fraction."""
    at = sole_word(statement, reading)
    if at is None:
        return None
    if re.fullmatch(_DECIMAL, at.value) and low <= float(at.value) <= high:
        return At(float(at.value), at.place)
    _note_default(at, f"a number of seconds from {low:g} to {high:g}", default, reading)
    return None


def _note_default(at: At[str], wanted: str, default: str, reading: Reading) -> None:
    hint = f"keepalived uses {default} instead, and so is it here"
    reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is not {wanted}", hint)


def switch(statement: Statement | None, reading: Reading, default: bool = False) -> bool:
    """A flag: on when it stands alone."""
    if statement is None:
        return default
    no_more(statement, 2, reading)
    if len(statement.words) == 1:
        return True
    at = without_semicolon(statement.words[1], reading)
    if at.value not in _SWITCHES:
        _note_default(at, "on or off", "on" if default else "off", reading)
    return _SWITCHES.get(at.value, default)


def address(at: At[str], what: str, reading: Reading) -> At[str] | None:
    """An address in canonical form; keepalived leaves out what is none, and so is it here, told."""
    found = _unicast(at.value)
    if found is None:
        hint = "keepalived leaves it out, and so is it here"
        reading.warning(codes.LEFT_OUT, at.place, f"{shown(at.value)} is not {what}", hint)
        return None
    return At(found, at.place)


def prefix(at: At[str], reading: Reading) -> At[Prefix] | None:
    """`ADDRESS[/LENGTH]`; without a length, or with one that is none, the address alone."""
    at = without_semicolon(at, reading)
    host, slash, length = at.value.partition("/")
    found = address(At(host, at.place), "an IP address", reading)
    if found is None:
        return None
    longest = 128 if ":" in found.value else 32
    if not slash:
        return At(Prefix(found.value, longest), at.place)
    wanted = whole_word(At(length, at.place), 1, longest, f"/{longest}", reading)
    return At(Prefix(found.value, wanted.value if wanted else longest), at.place)


def _unicast(text: str) -> str | None:
    if is_plain(text):
        return text
    try:
        found = ipaddress.ip_address(text[:64])
    except ValueError:
        return None
    zone = isinstance(found, ipaddress.IPv6Address) and found.scope_id
    unfit = zone or found.is_multicast or found.is_unspecified or str(found) == "255.255.255.255"
    return None if unfit else str(found)


def user(statement: Statement | None, reading: Reading) -> str:
    """`USER [GROUP]`: the user; empty for nobody said, or, told, for none that there can be."""
    at = word(statement, reading) if statement else None
    if statement is None or at is None:
        return ""
    if not re.fullmatch(_USER, at.value):
        message = f"{shown(at.value)} is not a user's name"
        reading.warning(codes.NOT_TAKEN, at.place, message, "keepalived does not take it either")
        return ""
    for group in statement.words[2:]:
        if group.value != at.value:
            message = f"the group {shown(group.value)} is passed over: a command has the groups of its user"
            reading.warning(codes.PASSED_OVER, group.place, message)
    return at.value


def host_name(at: At[str], reading: Reading) -> str | None:
    """A host's name, perhaps with a port; None, told, when it is none."""
    if re.fullmatch(r"[A-Za-z0-9_\[][A-Za-z0-9_.:\[\]-]{0,254}", at.value):
        return at.value
    reading.error(codes.MALFORMED, at.place, f"{shown(at.value)} is not a host name", "letters, digits, - and .")
    return None
