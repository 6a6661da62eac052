"""Values of the model as lvsd.yaml writes them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from config.convert.yamltext import Value
from config.scalars import duration_words

Keys = dict[str, Value]


def said(**keys: Value | None) -> Keys:
    """The keys that have something to say."""
    return {name: value for name, value in keys.items() if value is not None}


def duration(seconds: float) -> str:
    """A time, exact to the microsecond."""
    if seconds >= 1 and seconds != int(seconds):
        return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"
    return duration_words(seconds)


def ranges(pairs: Iterable[tuple[int, int]]) -> Value:
    """Inclusive ranges: a number, `10-20`, or a list of such."""
    found: list[Value] = [low if low == high else f"{low}-{high}" for low, high in pairs]
    return found[0] if len(found) == 1 else found


def endpoint(address: str, port: int) -> str:
    """`ADDRESS:PORT`, IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def inside(keys: Mapping[str, Value], name: str) -> Mapping[str, Value]:
    """A key's mapping; an empty one where it is not said."""
    found = keys.get(name, {})
    return found if isinstance(found, Mapping) else {}
