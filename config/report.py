"""Problems as a person reads them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from config.problems import Problem, Severity


def report(problems: Sequence[Problem]) -> tuple[str, ...]:
    """One line a problem, and a last one that counts; nothing when there is none."""
    if not problems:
        return ()
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    counts = (_count(errors, "error"), _count(len(problems) - errors, "warning"))
    return (*map(str, problems), ", ".join(count for count in counts if count))


def _count(number: int, word: str) -> str:
    if number == 0:
        return ""
    return f"1 {word}" if number == 1 else f"{number} {word}s"
