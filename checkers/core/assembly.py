"""The parts of an assignment, put together. Pure."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from checkers.core.messages import Assign, AssignedCheck

PARTS_LIMIT = 4096  # of CHECKS_A_PACKET checks each, fewer where they are long


class Assembly:
    """Collects the parts of one generation at a time; a newer generation drops an unfinished older one.

    One assembly belongs to one connection: a director that restarted counts its generations anew.
    """

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._generation = 0
        self._parts: dict[int, tuple[AssignedCheck, ...]] = {}
        self._count = 0
        self._known: dict[Any, Any] = {}  # kinds, timings and dials that have come, each the first of its like

    def add(self, assign: Assign) -> tuple[AssignedCheck, ...] | None:
        """All checks of the generation once its last part has come, else None.

        Parts that make no sense (out of range, another number of parts, an older generation) are dropped.
        """
        if not (0 <= assign.part < assign.parts <= PARTS_LIMIT) or assign.generation < self._generation:
            return None
        if assign.generation != self._generation or assign.parts != self._count:
            self._generation, self._count, self._parts = assign.generation, assign.parts, {}
        self._parts[assign.part] = tuple(map(self._sharing, assign.checks))
        if len(self._parts) < self._count:
            return None
        whole = tuple(check for part in range(self._count) for check in self._parts[part])
        self._parts, self._count, self._known = {}, 0, {}
        return whole

    def _sharing(self, check: AssignedCheck) -> AssignedCheck:
        """The same, and what is alike in thousands of them is there once."""
        first = self._known.setdefault
        kind, timing, dial = check.check, check.timing, check.dial
        return replace(check, check=first(kind, kind), timing=first(timing, timing), dial=first(dial, dial))
