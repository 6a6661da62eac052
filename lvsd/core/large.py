"""Mappings of thousands of names of which a changed copy costs what is changed, not what there is. Pure.

A belief is frozen: whoever changes one verdict in a hundred thousand would copy all of them. Large mappings are
therefore kept in parts, and a changed one shares all parts but those with a change in them. Small ones are dicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeVar, overload

SMALL = 2048  # entries: a dict of so many is copied in some microseconds
PARTS = 512
_SHIFT = 20  # a dict looks at a hash's lowest bits first: those of a part's keys are to differ

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")


def changed(mapping: Mapping[K, V], changes: Mapping[K, V], gone: Iterable[K] = ()) -> Mapping[K, V]:
    """The mapping without the keys that are gone, and with these changes."""
    if not isinstance(mapping, Large):
        if len(mapping) + len(changes) <= SMALL:
            left = dict(mapping)
            for key in gone:
                left.pop(key, None)
            left.update(changes)
            return left
        mapping = Large.of(mapping)
    return mapping.changed(changes, gone)


class Large(Mapping[K, V]):
    """In parts, by the keys' hashes; their order is nobody's."""

    __slots__ = ("_length", "_parts")

    def __init__(self, parts: tuple[dict[K, V], ...], length: int) -> None:
        """Of these parts, which nobody changes any more."""
        self._parts = parts
        self._length = length

    @classmethod
    def of(cls, mapping: Mapping[K, V]) -> Large[K, V]:
        """The same mapping in parts."""
        parts: tuple[dict[K, V], ...] = tuple({} for _ in range(PARTS))
        for key, value in mapping.items():
            parts[(hash(key) >> _SHIFT) % PARTS][key] = value
        return cls(parts, len(mapping))

    def changed(self, changes: Mapping[K, V], gone: Iterable[K] = ()) -> Large[K, V]:
        """Another one with these changes."""
        parts = list(self._parts)
        opened: dict[int, dict[K, V]] = {}

        def part_of(key: K) -> dict[K, V]:
            at = (hash(key) >> _SHIFT) % PARTS
            if at not in opened:
                opened[at] = parts[at] = dict(parts[at])
            return opened[at]

        for key in gone:
            part_of(key).pop(key, None)
        for key, value in changes.items():
            part_of(key)[key] = value
        more = sum(len(part) - len(self._parts[at]) for at, part in opened.items())
        return Large(tuple(parts), self._length + more)

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D, /) -> V | D: ...
    def get(self, key: K, default: V | D | None = None, /) -> V | D | None:
        """As a dict has it."""
        return self._parts[(hash(key) >> _SHIFT) % PARTS].get(key, default)

    def __getitem__(self, key: K, /) -> V:
        """As a dict has it."""
        return self._parts[(hash(key) >> _SHIFT) % PARTS][key]

    def __contains__(self, key: object, /) -> bool:
        """As a dict has it."""
        return key in self._parts[(hash(key) >> _SHIFT) % PARTS]

    def __iter__(self) -> Iterator[K]:
        """All keys."""
        return chain.from_iterable(self._parts)

    def __len__(self) -> int:
        """How many."""
        return self._length
