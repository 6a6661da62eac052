"""Collecting problems while a tree is read, and showing what stands in it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from config import codes
from config.files import Files
from config.nodes import Node, Place, describe
from config.problems import Problem, Severity

PROBLEM_LIMIT = 500
_SHOWN_CHARACTERS = 60
_MATCHED_CHARACTERS = 40  # difflib's cost grows with the square of the length


class Reading:
    """One reading of a configuration: the problems so far, each once, and the door to the world."""

    def __init__(self, files: Files) -> None:
        """Start without problems."""
        self.files = files
        self.noted = 0  # how often, the same problem again included
        self._problems: dict[Problem, None] = {}
        self._left_out = False
        self._failed = False

    def error(self, code: str, place: Place, message: str, hint: str = "") -> None:
        """Note what makes the configuration unusable."""
        self.add(Problem(code, place.file, place.line, place.column, message, hint))

    def warning(self, code: str, place: Place, message: str, hint: str = "") -> None:
        """Note what is told and lived with."""
        self.add(Problem(code, place.file, place.line, place.column, message, hint, Severity.WARNING))

    def add(self, problem: Problem) -> None:
        """Note a problem; the same one, found again through an alias or an inherited value, counts once."""
        self.noted += 1
        self._failed = self._failed or problem.severity is Severity.ERROR
        if not self.full:
            self._problems[problem] = None
        elif problem not in self._problems:
            self._left_out = True

    @property
    def failed(self) -> bool:
        """Whether an error was noted."""
        return self._failed

    @property
    def full(self) -> bool:
        """Whether further problems would not be shown: what it costs to find a hint can be saved."""
        return len(self._problems) >= PROBLEM_LIMIT

    def problems(self, order: Iterable[str]) -> tuple[Problem, ...]:
        """All problems, by file (in the order given, others after) and place."""
        rank = {file: number for number, file in enumerate(order)}
        found = sorted(self._problems, key=lambda one: (rank.get(one.file, len(rank)), one.line, one.column))
        if self._left_out:
            message = f"more than {PROBLEM_LIMIT} problems; the others are not shown"
            severity = Severity.ERROR if self._failed else Severity.WARNING
            found.append(Problem(codes.TOO_MANY_PROBLEMS, found[0].file, 0, 0, message, "mend these first", severity))
        return tuple(found)


def shown(text: str) -> str:
    """A piece of the configuration in a message: cut, and without characters that act on a terminal."""
    cut = text[:_SHOWN_CHARACTERS]
    safe = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in cut)
    return f"`{safe}{'...' if len(text) > len(cut) else ''}`"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, if one is."""
    import difflib  # a start with a right file must not wait for it

    found = difflib.get_close_matches(word[:_MATCHED_CHARACTERS].lower(), tuple(known), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest known word, or with all of them."""
    words = tuple(known)
    near = nearest(word, words)
    return f"did you mean `{near}`?" if near else f"one of: {', '.join(words)}"


def wrong_type(reading: Reading, node: Node, wanted: str, hint: str = "") -> None:
    """Note that something else was wanted here; the value itself is not told."""
    reading.error(codes.WRONG_TYPE, node.place, f"{wanted} expected, this is {describe(node)}", hint)
