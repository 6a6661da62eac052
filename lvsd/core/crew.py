"""What the director has the supervisor do about checker workers: lines over the notify pipe. Pure, light to import.

`WORKERS 1 2 0`: these are to run, and no others; said each second, so that a lost line costs a second. `RESTART 2`:
that one is to be replaced, whatever it does. The supervisor holds all rights: it believes numbers within bounds alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

RAW = 0  # as checkers.core.messages.RAW_WORKER
WORKERS_LIMIT = 64
DIGITS = len(str(WORKERS_LIMIT))


@dataclass(frozen=True, slots=True)
class Orders:
    """What was said: who is to run (None: nothing of that), whom to replace."""

    workers: tuple[int, ...] | None = None
    restarts: tuple[int, ...] = ()


def name_of(number: int) -> str:
    """A worker's name, for people."""
    return "checker-raw" if number == RAW else "checker" if number == 1 else f"checker-{number}"


def orders(count: int, *, raw: bool, restarts: Iterable[int] = ()) -> bytes:
    """`count` workers are to run, and one with CAP_NET_RAW where `raw`."""
    numbers = [*range(1, min(count, WORKERS_LIMIT) + 1), *((RAW,) if raw else ())]
    lines = [f"RESTART {number}\n" for number in restarts]
    return "".join((*lines, f"WORKERS {' '.join(map(str, numbers))}\n")).encode()


def read_orders(words: bytes) -> Orders:
    """What whole lines among these words say; the last word on who is to run counts."""
    workers: tuple[int, ...] | None = None
    restarts: list[int] = []
    for line in words.split(b"\n")[:-1]:
        verb, *given = line.split(b" ")
        numbers = _numbers(given)
        if verb == b"WORKERS" and 1 in numbers:
            workers = numbers
        elif verb == b"RESTART":
            restarts.extend(numbers)
    return Orders(workers, tuple(restarts))


def _numbers(words: list[bytes]) -> tuple[int, ...]:
    found = (int(word) for word in words if len(word) <= DIGITS and word.isdigit())
    return tuple(dict.fromkeys(number for number in found if RAW <= number <= WORKERS_LIMIT))
