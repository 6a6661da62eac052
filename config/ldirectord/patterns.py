"""`receive`, a regular expression of Perl's, as a text or as an expression of Python's. Pure."""

from __future__ import annotations

import re
import warnings
from typing import Final

from config import codes
from config.checks import Expect
from config.nodes import At
from config.reading import Reading

_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_ESCAPE = re.compile(r"\\.|\\$", re.DOTALL)
_IN_PYTHON: Final = {r"\z": r"\Z", r"\Z": r"(?=\n?\Z)"}
_PERL_ONLY: Final = (r"\h", r"\H", r"\R", r"\K", r"\Q", r"\E", r"\G", r"\X", r"\p", r"\P", r"\e", r"\c", r"\l", r"\u",
                     r"\L", r"\U", r"\N", r"\g", r"\k", r"\o")  # fmt: skip


def expected(receive: At[str], reading: Reading) -> Expect:
    """What must be found in the answer. Anything Python would understand otherwise than Perl is refused."""
    text = receive.value
    if not _SPECIAL.search(text):
        return Expect(text=text)
    unknown = next((one for one in _ESCAPE.findall(text) if one in _PERL_ONLY), "[: " if "[[:" in text else None)
    if unknown is not None:
        _refuse(receive, f"{unknown.strip()} is Perl's alone", reading)
        return Expect()
    regex = _ESCAPE.sub(lambda match: _IN_PYTHON.get(match[0], match[0]), text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an ambiguous expression is refused too
            re.compile(regex.encode())
    except (re.error, OverflowError, RecursionError, UnicodeEncodeError, Warning) as error:
        _refuse(receive, str(error), reading)
        return Expect()
    return Expect(regex=regex)


def _refuse(receive: At[str], why: str, reading: Reading) -> None:
    hint = "it is a regular expression: a backslash before . ? * + ( ) [ ] { } | ^ $ takes them literally"
    reading.error(codes.BAD_REGEX, receive.place, f"receive: not a regular expression here: {why}", hint)
