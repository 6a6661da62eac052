"""The parts of an assignment, put together. Pure."""

from __future__ import annotations

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

    def add(self, assign: Assign) -> tuple[AssignedCheck, ...] | None:
        """All checks of the generation once its last part has come, else None.

        Parts that make no sense (out of range, another number of parts, an older generation) are dropped.
        """
        if not (0 <= assign.part < assign.parts <= PARTS_LIMIT) or assign.generation < self._generation:
            return None
        if assign.generation != self._generation or assign.parts != self._count:
            self._generation, self._count, self._parts = assign.generation, assign.parts, {}
        self._parts[assign.part] = assign.checks
        if len(self._parts) < self._count:
            return None
        whole = tuple(check for part in range(self._count) for check in self._parts[part])
        self._parts, self._count = {}, 0
        return whole
