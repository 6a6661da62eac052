"""What a conversion tells, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from config.convert.convert import Converted
from config.problems import Problem

_HEADINGS = {
    "errors": "errors, for which nothing was written",
    "changed": "changed in meaning",
    "left": "not carried over",
    "other": "worth a look",
}
_ONE = {
    "services": "service",
    "real_servers": "real server",
    "vrrp_instances": "VRRP instance",
    "comment_lines": "comment line",
}


def as_lines(converted: Converted) -> Iterator[str]:
    """The report as a person reads it: what was carried over in one line, then the lists that are not empty."""
    if converted.text is not None:
        yield "carried over: " + ", ".join(_count(number, what) for what, number in converted.carried.items())
    for name, heading in _HEADINGS.items():
        problems: tuple[Problem, ...] = getattr(converted.told, name)
        if problems:
            yield f"{heading}: {len(problems)}"
            yield from (f"  {problem}" for problem in problems)


def _count(number: int, what: str) -> str:
    return f"{number} {_ONE[what]}{'' if number == 1 else 's'}"


def as_object(converted: Converted) -> dict[str, object]:
    """The report as plain values: `carried` (numbers), and a list of problems for each of the others."""
    lists = {name: [_problem(one) for one in getattr(converted.told, name)] for name in _HEADINGS}
    names = {"left": "not_carried"}
    return {"carried": dict(converted.carried), **{names.get(name, name): told for name, told in lists.items()}}


def _problem(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.file, "line": problem.line, "column": problem.column, "code": problem.code,
        "message": problem.message, "hint": problem.hint,
    }  # fmt: skip
