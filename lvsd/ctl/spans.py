"""Lengths of time on the command line, as lvsd.yaml writes them: `5s`, `200ms`, `2m`, bare seconds."""

from __future__ import annotations

import re
from collections.abc import Callable

import click

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FORM = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d|)")


def seconds(least: float, most: float) -> Callable[[str], float]:
    """For `click.option(type=...)`: a length of time in seconds within bounds, else a usage error."""

    def duration(value: str) -> float:
        found = _FORM.fullmatch(value)
        if found is None:
            text = f"{value!r} is not a duration (5s, 200ms, 2m)"
            raise click.BadParameter(text)
        number = float(found[1]) * _UNITS[found[2]]
        if not least <= number <= most:
            text = f"{value} is not between {least:g}s and {most:g}s"
            raise click.BadParameter(text)
        return number

    return duration
